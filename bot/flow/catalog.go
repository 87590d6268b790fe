package flow

import (
	"maps"
	"slices"

	"scalebot/approvals"
	"scalebot/providers"
)

// Catalog is what config says of clusters, by the names people type.
type Catalog map[string]Cluster

// Cluster is one cluster of config.
type Cluster struct {
	Name       string
	ID         string
	Account    string
	Nameless   bool   // its cloud gives operations no id
	Kind       string // of the account's provider
	Labels     map[string]string
	Channels   []string         // completion notices go here too
	Requesters *approvals.Group // nil = every full member of the workspace
	Groups     map[string]Group
}

// Group is one group of a cluster.
type Group struct {
	Name    string
	ID      string // the cloud's own name
	Min     int
	Max     *int // nil = no limit
	MaxStep *int // nil = no limit
	Charge  providers.Charge
	Months  int // default term of prepaid; 0 = none
}

// Names are the clusters in order.
func (c Catalog) Names() []string { return slices.Sorted(maps.Keys(c)) }

// GroupNames are the groups of a cluster in order.
func (c Cluster) GroupNames() []string { return slices.Sorted(maps.Keys(c.Groups)) }
