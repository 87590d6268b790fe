package cloudsim

import "github.com/shopspring/decimal"

// demoHuawei is the Huawei part of the demo: a pay-per-use analysis cluster.
//
// Two more task nodes, each with a 600 GB SAS volume, cost 8.4852 CNY an hour
// under this customer's contract, against 9.428 by the list.
func demoHuawei() HuaweiWorld {
	price := func(listHourly, payHourly, listMonthly, payMonthly string) HuaweiPrice {
		d := decimal.RequireFromString
		return HuaweiPrice{ListHourly: d(listHourly), PayHourly: d(payHourly), ListMonthly: d(listMonthly), PayMonthly: d(payMonthly)}
	}
	const node = "c6.4xlarge.4"
	return HuaweiWorld{
		Accounts: []HuaweiAccount{{
			Name: "mrs-n4", AK: DemoAK, SK: DemoSK, DomainID: DemoDomainID, Projects: map[string]string{"cn-north-4": DemoProjectID},
		}},
		Flavors: []HuaweiFlavor{
			{Name: node, CPU: 16, MemoryGB: 64, Price: price("4.42", "3.978", "2122.00", "1909.80")},
			{Name: "c6.8xlarge.4", CPU: 32, MemoryGB: 128, Price: price("8.84", "7.956", "4244.00", "3819.60")},
			// The machines of the document's examples.
			{Name: "c3.4xlarge.2", CPU: 16, MemoryGB: 32, Price: price("3.60", "3.24", "1728.00", "1555.20")},
			{Name: "s3.xlarge.2", CPU: 4, MemoryGB: 8, Price: price("0.72", "0.648", "345.60", "311.04")},
		},
		Disks: []HuaweiDisk{
			{Type: "SATA", Price: price("0.00042", "0.000378", "0.30", "0.27")},
			{Type: "SAS", Price: price("0.00049", "0.000441", "0.35", "0.315")},
			{Type: "SSD", Price: price("0.00140", "0.00126", "1.00", "0.90")},
			{Type: "GPSSD", Price: price("0.00097", "0.000873", "0.70", "0.63")},
		},
		Clusters: []HuaweiCluster{{
			ID: DemoMRSCluster, Name: "analytics", Region: "cn-north-4", Zone: "cn-north-4a", Version: "MRS 3.2.0-LTS.1",
			Tags: map[string]string{"env": "prod", "team": "data"},
			Groups: []HuaweiGroup{
				{Name: "master_node_default_group", Count: 2, Flavor: node, DiskType: "SAS", DiskGB: 600, DiskCount: 1},
				{Name: "core_node_default_group", Count: 3, Flavor: node, DiskType: "SAS", DiskGB: 600, DiskCount: 1},
				{Name: "task_node_default_group", Count: 2, Flavor: node, DiskType: "SAS", DiskGB: 600, DiskCount: 1},
			},
		}},
	}
}
