package cloudsim

import "github.com/shopspring/decimal"

// DemoSpeed makes a scale-out of the usual 6 min 12 s take 6 seconds.
const DemoSpeed = 62

// The keys of the demo's Tencent account. They open nothing but a Sim.
const (
	DemoSecretID  = "AKIDscalebotdemo"
	DemoSecretKey = "scalebot-demo-secret-key"
)

// The access key of the demo's Alibaba account. It opens nothing but a Sim.
const (
	DemoAccessKeyID     = "LTAIscalebotdemo"
	DemoAccessKeySecret = "scalebot-demo-access-key-secret"
)

// Demo is the world of the demo: Tencent's cluster emr-m620 in Guangzhou, from
// its document, and Alibaba's clusters web and web-edge in Beijing.
func Demo() World {
	return World{Tencent: demoTencent(), Alibaba: demoAlibaba()}
}

// Two more task nodes of emr-m620 cost 3.36 CNY an hour, this customer's contract
// price against a list price of 11.80, or 8,412 CNY for a prepaid month, so that
// one request stays below a limit of 5,000 a month and the other asks people for
// money.
func demoTencent() TencentWorld {
	cny := decimal.RequireFromString
	return TencentWorld{
		Accounts: []TencentAccount{{Name: "data-gz", SecretID: DemoSecretID, SecretKey: DemoSecretKey}},
		Machines: []TencentMachine{
			{
				Type: "S5.2XLARGE32", CPU: 8, MemoryGB: 32,
				ListHourly: cny("5.90"), PayHourly: cny("1.68"), ListMonthly: cny("4206.00"), PayMonthly: cny("4206.00"),
			},
			{
				Type: "S5.4XLARGE64", CPU: 16, MemoryGB: 64,
				ListHourly: cny("11.80"), PayHourly: cny("3.36"), ListMonthly: cny("8412.00"), PayMonthly: cny("8412.00"),
			},
			{
				// The machine of the document's example.
				Type: "MA5.8XLARGE256", CPU: 32, MemoryGB: 256,
				ListHourly: cny("31.20"), PayHourly: cny("9.90"), ListMonthly: cny("22100.00"), PayMonthly: cny("22100.00"),
			},
		},
		Clusters: []TencentCluster{{
			ID: "emr-m620", Name: "data-platform", Region: "ap-guangzhou", Zone: "ap-guangzhou-3", ZoneID: 100003,
			Version: "EMR-V3.6.0", Tags: map[string]string{"env": "prod", "team": "data"},
			Groups: []TencentGroup{
				{Flag: "MASTER", Count: 2, Spec: "S5.4XLARGE64"},
				{Flag: "COMMON", Count: 3, Spec: "S5.2XLARGE32"},
				{Flag: "CORE", Count: 3, Spec: "S5.4XLARGE64"},
				{Flag: "TASK", Count: 3, Spec: "S5.2XLARGE32"},
			},
		}},
	}
}

// Two more workers of web cost 2.16 CNY an hour with their disks, two prepaid
// nodes of the default pool's kind 936 CNY a month, and an ENS node of web-edge
// 180 CNY a month with its 20 GiB disk. A year of a machine costs ten months.
func demoAlibaba() AlibabaWorld {
	cny := decimal.RequireFromString
	return AlibabaWorld{
		Accounts: []AlibabaAccount{{Name: "ack-bj", KeyID: DemoAccessKeyID, KeySecret: DemoAccessKeySecret}},
		Machines: []AlibabaMachine{
			{
				Type: "ecs.c7.xlarge", ListHourly: cny("1.12"), PayHourly: cny("0.96"), SpotHourly: cny("0.192"),
				ListMonthly: cny("537.60"), PayMonthly: cny("456.00"), ListYearly: cny("5376.00"), PayYearly: cny("4560.00"),
			},
			{
				Type: "ecs.c5.xlarge", ListHourly: cny("1.01"), PayHourly: cny("0.88"), SpotHourly: cny("0.176"),
				ListMonthly: cny("498.00"), PayMonthly: cny("426.00"), ListYearly: cny("4980.00"), PayYearly: cny("4260.00"),
			},
			{Type: "ens.sn1.tiny", ListMonthly: cny("160.00"), PayMonthly: cny("150.00")},
			{Type: "ens.sn1.small", ListMonthly: cny("320.00"), PayMonthly: cny("300.00")},
		},
		Disks: []AlibabaDisk{
			{Category: "cloud_efficiency", Hourly: cny("0.00048"), Monthly: cny("0.35")},
			{Category: "cloud_ssd", Hourly: cny("0.0014"), Monthly: cny("1.00")},
			{Category: "cloud_essd", Hourly: cny("0.001"), Monthly: cny("0.70")},
		},
		EdgeDiskMonthly: cny("1.50"),
		EdgeRegions:     []string{"cn-beijing-cmcc-2", "cn-beijing-telecom", "cn-shanghai-unicom"},
		Clusters: []AlibabaCluster{
			{
				ID: "c82e6987e2961451182edacd74faf0000", Name: "web", Region: "cn-beijing", Zone: "cn-beijing-h",
				Version: "1.30.1-aliyun.1", VSwitches: []string{"vsw-1", "vsw-2"}, Tags: map[string]string{"env": "prod", "team": "web"},
				Pools: []AlibabaPool{
					{
						ID: "np0123456789", Name: "workers", Count: 4, Machines: []string{"ecs.c7.xlarge"}, KeyPair: "ops",
						SystemDisk: AlibabaVolume{Category: "cloud_essd", GiB: 120}, Image: "aliyun_3_x64_20G_alibase_20240528.vhd",
					},
					{
						// Made before pools had an expected number of nodes.
						ID: "np9876543210", Name: "default-nodepool", Default: true, Count: 2, NoDesired: true,
						Machines: []string{"ecs.c5.xlarge"}, KeyPair: "ops",
						SystemDisk: AlibabaVolume{Category: "cloud_efficiency", GiB: 120}, Image: "aliyun_3_x64_20G_alibase_20240528.vhd",
					},
				},
			},
			{
				ID: "Cccfd68c474454665ace07efce9240000", Name: "web-edge", Region: "cn-beijing", Zone: "cn-beijing-h",
				Profile: "Edge", Version: "1.26.3-aliyun.1", Tags: map[string]string{"env": "prod", "team": "web"},
				Pools: []AlibabaPool{{
					ID: "npedge456789", Name: "default-nodepool", Type: "edge", Default: true, Count: 2, NoDesired: true,
					Machines: []string{"ens.sn1.tiny"}, Charge: "PrePaid", Image: "m-2QVLO2T8NYgm8CNQVg0000",
				}},
			},
		},
	}
}
