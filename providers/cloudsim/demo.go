package cloudsim

import "github.com/shopspring/decimal"

// DemoSpeed makes a scale-out of the usual 6 min 12 s take 6 seconds.
const DemoSpeed = 62

// The keys of the demo's Tencent account. They open nothing but a Sim.
const (
	DemoSecretID  = "AKIDscalebotdemo"
	DemoSecretKey = "scalebot-demo-secret-key"
)

// The keys of the demo's Huawei account, which open nothing but a Sim, its project
// in cn-north-4, its own id, and the id of its cluster analytics.
const (
	DemoAK         = "HWAKSCALEBOTDEMO0001"
	DemoSK         = "scalebot-demo-huawei-secret-key"
	DemoProjectID  = "0a1b2c3d4e5f40718293a4b5c6d7e8f9"
	DemoDomainID   = "9f8e7d6c5b4a49382716f5e4d3c2b1a0"
	DemoMRSCluster = "7f3a2c10-5d4e-4b8a-9c61-0e2f6a1b7d35"
)

// Demo is the world of the demo: the document's cluster emr-m620 in Guangzhou,
// and the Hadoop cluster analytics in Beijing.
//
// Two more task nodes cost 3.36 CNY an hour, this customer's contract price
// against a list price of 11.80, or 8,412 CNY for a prepaid month, so that one
// request stays below a limit of 5,000 a month and the other asks people for
// money.
func Demo() World {
	cny := decimal.RequireFromString
	return World{Huawei: demoHuawei(), Tencent: TencentWorld{
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
	}}
}
