package alibabaack

import (
	"encoding/json"
	"slices"
	"strings"

	cs "github.com/alibabacloud-go/cs-20151215/v5/client"

	"scalebot/providers"
)

// The keys of Snapshot.Facts.
const (
	factVersion = "version"      // of Kubernetes
	factProfile = "profile"      // Default, Edge, …
	factPool    = "pool/"        // + pool id: a poolFact, of the pools that config names
	factScaler  = "autoscaled"   // the pools whose autoscaler is on
	factWorking = "working"      // the pools whose nodes are being changed
	factMembers = "members/"     // + pool id: its nodes by id, for removals from all workers
	factNewest  = "tasks/newest" // when the newest task was made, by the cloud's clock
	factTasks   = "tasks/ids"    // the tasks made in that second
)

// poolFact is what Resolve, Quote and Reconcile need of a pool.
type poolFact struct {
	State     string           `json:"state,omitempty"`
	Edge      bool             `json:"edge,omitempty"` // says nothing of how its nodes are bought
	Desired   *int             `json:"desired,omitempty"`
	Autoscale bool             `json:"autoscale,omitempty"`
	Charge    providers.Charge `json:"charge,omitempty"`
	Months    int              `json:"months,omitempty"` // 0 with prepaid: a term that is no number of months
	Term      string           `json:"term,omitempty"`   // the cloud's words for it
	Renew     bool             `json:"renew,omitempty"`
	Spec      spec             `json:"spec"`
}

// spec is what one new ECS machine is made of.
type spec struct {
	Types    []string `json:"types,omitempty"` // the first that is in stock is taken
	Patterns bool     `json:"patterns,omitempty"`
	System   disk     `json:"system"`
	Data     []disk   `json:"data,omitempty"`
	Image    string   `json:"image,omitempty"`
	NetOut   int      `json:"net_out,omitempty"` // Mbit/s
	NetPay   string   `json:"net_pay,omitempty"`
	Vague    string   `json:"vague,omitempty"` // a setting that has a price which can't be asked for
}

type disk struct {
	Category string `json:"category,omitempty"`
	Size     int    `json:"size,omitempty"` // GiB
	Level    string `json:"level,omitempty"`
}

// fact reads a pool's facts; false where Observe noted none.
func fact(s providers.Snapshot, pool string) (poolFact, bool) {
	var f poolFact
	raw, ok := s.Facts[factPool+pool]
	return f, ok && json.Unmarshal([]byte(raw), &f) == nil
}

// Words of the pool's scaling group (reference 3.2).
const (
	noSpot   = "NoSpot"
	edgePool = "edge"
)

type sdkPool = cs.DescribeClusterNodePoolsResponseBodyNodepools

func factOf(p *sdkPool) poolFact {
	f := poolFact{State: strings.ToLower(stateOf(p))}
	if p.NodepoolInfo != nil {
		f.Edge = value(p.NodepoolInfo.Type) == edgePool
	}
	if a := p.AutoScaling; a != nil {
		f.Autoscale = value(a.Enable)
	}
	g := p.ScalingGroup
	if g == nil {
		return f
	}
	if g.DesiredSize != nil {
		n := int(*g.DesiredSize)
		f.Desired = &n
	}
	switch {
	case value(g.InstanceChargeType) == prePaid:
		f.Charge = providers.Prepaid
		f.Months, f.Term = term(value(g.Period), value(g.PeriodUnit))
		f.Renew = value(g.AutoRenew)
	case value(g.SpotStrategy) != "" && value(g.SpotStrategy) != noSpot:
		f.Charge = providers.Spot // instance_charge_type still says PostPaid
	case value(g.InstanceChargeType) == postPaid:
		f.Charge = providers.Postpaid
	}
	f.Spec = spec{
		Patterns: len(g.InstancePatterns) > 0,
		System:   disk{value(g.SystemDiskCategory), int(value(g.SystemDiskSize)), value(g.SystemDiskPerformanceLevel)},
		Image:    value(g.ImageId), NetOut: int(value(g.InternetMaxBandwidthOut)), NetPay: value(g.InternetChargeType),
	}
	for _, t := range g.InstanceTypes {
		if value(t) != "" {
			f.Spec.Types = append(f.Spec.Types, *t)
		}
	}
	if value(g.SystemDiskProvisionedIops) > 0 {
		f.Spec.Vague = "provisioned IOPS"
	}
	if cats := g.SystemDiskCategories; len(cats) > 0 {
		// Tried in turn; which one it will be shows only afterwards.
		if f.Spec.System.Category == "" {
			f.Spec.System.Category = value(cats[0])
		}
		if slices.ContainsFunc(cats, func(c *string) bool { return value(c) != f.Spec.System.Category }) {
			f.Spec.Vague = "several system disk categories"
		}
	}
	for _, d := range g.DataDisks {
		if d == nil {
			continue
		}
		f.Spec.Data = append(f.Spec.Data, disk{value(d.Category), int(value(d.Size)), value(d.PerformanceLevel)})
		if value(d.ProvisionedIops) > 0 {
			f.Spec.Vague = "provisioned IOPS"
		}
	}
	return f
}

// term turns a pool's period into months and words.
func term(n int64, unit string) (months int, words string) {
	words = strings.ToLower(unit)
	switch words {
	case "", "month":
		months, words = int(n), "month"
	case "year":
		months = int(n) * 12
	}
	if n != 1 {
		words += "s"
	}
	return months, numbers([]int{int(n)}) + " " + words
}

func stateOf(p *sdkPool) string {
	if p.Status == nil {
		return ""
	}
	return value(p.Status.State)
}

// poolOf finds the pool of a node in a snapshot of all workers; "" is none.
func poolOf(s providers.Snapshot, node string) string {
	for k, list := range s.Facts {
		if pool, ok := strings.CutPrefix(k, factMembers); ok && slices.Contains(strings.Split(list, ","), node) {
			return pool
		}
	}
	return ""
}
