package cloudsim

import "github.com/shopspring/decimal"

// HuaweiWorld is the part of the world that belongs to Huawei Cloud.
type HuaweiWorld struct {
	Accounts []HuaweiAccount
	Clusters []HuaweiCluster
	Flavors  []HuaweiFlavor // every machine type on offer, in every region
	Disks    []HuaweiDisk   // every kind of volume on offer, in every region

	Quota   HuaweiQuota
	Edition HuaweiEdition

	// Currency is what prices are in: CNY for the domestic BSS, USD for the
	// international one. "" means CNY.
	Currency string
}

// HuaweiAccount is one pair of keys. Several keys with the same Name belong to
// the same owner.
type HuaweiAccount struct {
	Name          string
	AK, SK        string
	SecurityToken string            // required with temporary keys; "" = a permanent key
	DomainID      string            // the account's id in IAM, which global services want
	Projects      map[string]string // project id by region, e.g. cn-north-4
	Denied        []string          // IAM actions that this key's policy forbids, e.g. mrs:cluster:resize
}

// HuaweiFlavor is a machine type, e.g. c6.4xlarge.4. MRS calls it
// c6.4xlarge.4.linux.bigdata, the price list of the ECS behind it
// c6.4xlarge.4.linux. The price is per machine and without any fee of MRS.
type HuaweiFlavor struct {
	Name     string
	CPU      int
	MemoryGB int
	Price    HuaweiPrice
}

// HuaweiDisk is a kind of EVS volume (SATA, SAS, SSD, GPSSD) with its price per
// GB.
type HuaweiDisk struct {
	Type  string
	Price HuaweiPrice
}

// HuaweiPrice is a price in the world's currency. List is what the price list
// says, Pay what this customer pays under its contract.
type HuaweiPrice struct {
	ListHourly, PayHourly   decimal.Decimal
	ListMonthly, PayMonthly decimal.Decimal
}

// HuaweiCluster is one MRS cluster as it stands when the Sim starts, running.
type HuaweiCluster struct {
	ID, Name string
	Account  string // "" = the first account
	Region   string // e.g. cn-north-4; the account must have a project there
	Zone     string // e.g. cn-north-4a
	Kind     HuaweiKind
	Version  string // e.g. MRS 3.2.0-LTS.1
	Tags     map[string]string
	Groups   []HuaweiGroup

	// EnterpriseProject hides the cluster from lists that don't ask for it; ""
	// means "0", the default one, which lists show when nothing is asked.
	EnterpriseProject string
	Prepaid           bool // yearly/monthly
	Unpaid            bool // an order of somebody else waits for its payment
}

// HuaweiKind is a cluster's type. Custom clusters have groups of any name and
// can't be resized through version 1.1.
type HuaweiKind string

// The kinds of cluster.
const (
	HuaweiAnalysis  HuaweiKind = "" // the usual one
	HuaweiStreaming HuaweiKind = "streaming"
	HuaweiHybrid    HuaweiKind = "hybrid"
	HuaweiCustom    HuaweiKind = "custom"
)

// HuaweiGroup is a node group. Name begins with master_node_, core_node_ or
// task_node_, or is free in a custom cluster.
type HuaweiGroup struct {
	Name      string
	Count     int
	Flavor    string // Name of a HuaweiFlavor; "" only for a task group without nodes
	DiskType  string // of the data volumes
	DiskGB    int    // of one
	DiskCount int    // per node

	Metered    bool // pay per use although the cluster is prepaid
	AutoScaled bool // an auto scaling policy owns the size
}

// HuaweiQuota is what each account may have in all clusters together. 0 means no
// limit.
type HuaweiQuota struct {
	Nodes, CPUs, MemoryGB, Disks, DiskGB int
}

// HuaweiEdition holds what the vendor's pages and samples contradict each other
// about. Left alone it is what the vendor's Go SDK can decode; each switch is
// another answer that is printed somewhere, for callers that must survive it.
type HuaweiEdition struct {
	// TextTotals writes clusterTotal, the hosts' total and the sizes of their data
	// disks as text, as samples of the current pages do. The SDK's own types then
	// can't decode the answer.
	TextTotals bool
	// TasksTwice lists task groups in nodeGroups as well as in taskNodeGroups, as
	// the SDK's text for nodeGroups says ("master, core and task nodes").
	TasksTwice bool
	// CamelErrors writes MRS's errors as errorCode and message, which the SDK
	// doesn't take apart.
	CamelErrors bool
	// PascalGroups writes the fields of node groups as the SDK's types spell them
	// (GroupName) and not as the current pages do (groupName).
	PascalGroups bool
}
