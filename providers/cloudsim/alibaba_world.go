package cloudsim

import "github.com/shopspring/decimal"

// Alibaba names this cloud in faults, ledger and admin page: ACK with the two
// price services that belong to it, ECS and ENS.
const Alibaba = "alibaba-ack"

// AlibabaWorld is the part of the world that belongs to Alibaba Cloud.
type AlibabaWorld struct {
	Accounts []AlibabaAccount
	Clusters []AlibabaCluster
	Machines []AlibabaMachine // every machine type on offer, ECS (ecs.…) and ENS (ens.…)
	Disks    []AlibabaDisk    // every disk category on offer for ECS

	// EdgeDiskMonthly is the price of ENS disks in CNY per GiB and month; their
	// documents know one kind of disk only.
	EdgeDiskMonthly decimal.Decimal
	// EdgeRegions are the ENS regions that may be named. Left nil, any name
	// passes that is not an ordinary region.
	EdgeRegions []string
	// Quota is how many nodes a cluster may have; 0 means 1000.
	Quota int
}

// AlibabaAccount is one access key. Several keys with the same Name belong to
// the same owner.
type AlibabaAccount struct {
	Name      string
	KeyID     string
	KeySecret string
	Token     string   // required with temporary keys; "" = a permanent key
	Denied    []string // actions that this key's RAM policy forbids, e.g. ScaleClusterNodePool
}

// AlibabaMachine is a machine type with its price per node in CNY. List is what
// the price list says, Pay what this customer pays. ENS sells by the month only.
type AlibabaMachine struct {
	Type                    string
	ListHourly, PayHourly   decimal.Decimal
	SpotHourly              decimal.Decimal // 0 = not sold as a preemptible instance
	ListMonthly, PayMonthly decimal.Decimal
	ListYearly, PayYearly   decimal.Decimal // 0 = 12 months
}

// AlibabaDisk is an ECS disk category with its price in CNY per GiB, for which
// this customer has no contract of its own.
type AlibabaDisk struct {
	Category        string // cloud_efficiency, cloud_ssd, cloud_essd
	Hourly, Monthly decimal.Decimal
}

// AlibabaCluster is one ACK cluster as it stands when the Sim starts, running.
type AlibabaCluster struct {
	ID, Name  string
	Account   string // "" = the first account
	Region    string // e.g. cn-beijing
	Zone      string // e.g. cn-beijing-h
	Type      string // "" = ManagedKubernetes; Kubernetes (dedicated), ExternalKubernetes (registered)
	Profile   string // "" = Default; Edge, Serverless, Lingjun
	Version   string // of Kubernetes, e.g. 1.30.1-aliyun.1
	Masters   int    // own master nodes, which dedicated clusters have and which count in size
	VSwitches []string
	Tags      map[string]string
	Pools     []AlibabaPool // exactly one of them Default
}

// AlibabaPool is a node pool with the settings that its new nodes get.
type AlibabaPool struct {
	ID, Name string
	// Default marks the pool that takes the nodes of ScaleOutCluster. The
	// documents don't say where those land; nothing else is plausible.
	Default bool
	Type    string // "" = ess, an ordinary pool; edge = a pool of ENS machines
	Count   int
	// NoDesired makes a pool without an expected number of nodes, as old pools
	// are: its desired_size is null.
	NoDesired bool
	// AutoMax above 0 turns the autoscaler on, between AutoMin and AutoMax.
	AutoMin, AutoMax int
	Machines         []string // machine types, best first
	Charge           string   // "" = PostPaid; PrePaid
	Months           int      // term of prepaid nodes; 0 means 1
	AutoRenew        bool
	Spot             string // "" = NoSpot; SpotAsPriceGo, SpotWithPriceLimit
	SystemDisk       AlibabaVolume
	DataDisks        []AlibabaVolume
	KeyPair          string
	Image            string
}

// AlibabaVolume is a disk of a machine.
type AlibabaVolume struct {
	Category string
	GiB      int64
}

// acRegions are the ordinary regions this cloud knows.
var acRegions = []string{
	"ap-northeast-1", "ap-southeast-1", "ap-southeast-5", "cn-beijing", "cn-chengdu", "cn-guangzhou", "cn-hangzhou",
	"cn-hongkong", "cn-huhehaote", "cn-qingdao", "cn-shanghai", "cn-shenzhen", "cn-wulanchabu", "cn-zhangjiakou",
	"eu-central-1", "us-east-1", "us-west-1",
}
