package cloudsim

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// acCommon are the parameters of the RPC style that say who calls what.
var acCommon = []string{
	"Action", "Version", "Format", "AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce",
	"Timestamp", "SecurityToken",
}

// acPrice is an amount at list price and at this customer's.
type acPrice struct{ list, pay decimal.Decimal }

func (p acPrice) plus(o acPrice) acPrice { return acPrice{p.list.Add(o.list), p.pay.Add(o.pay)} }

func (p acPrice) times(n decimal.Decimal) acPrice { return acPrice{p.list.Mul(n), p.pay.Mul(n)} }

// fields are the three prices as exact JSON numbers. DiscountPrice is the
// reduction, not what is left to pay.
func (p acPrice) fields() map[string]any {
	number := func(d decimal.Decimal) json.Number { return json.Number(d.String()) }
	return map[string]any{"OriginalPrice": number(p.list), "TradePrice": number(p.pay), "DiscountPrice": number(p.list.Sub(p.pay))}
}

func acAnswer(c *acCall, price map[string]any) map[string]any {
	price["Currency"] = "CNY"
	return map[string]any{"RequestId": c.request, "PriceInfo": map[string]any{"Price": price, "Rules": map[string]any{"Rule": []any{}}}}
}

// price is what one machine costs for a unit: Hour, Month, Year.
func (m AlibabaMachine) price(unit string) acPrice {
	year := decimal.NewFromInt(12)
	switch {
	case unit == "Hour":
		return acPrice{m.ListHourly, m.PayHourly}
	case unit == "Month":
		return acPrice{m.ListMonthly, m.PayMonthly}
	case m.PayYearly.IsZero():
		return acPrice{m.ListMonthly, m.PayMonthly}.times(year)
	default:
		return acPrice{m.ListYearly, m.PayYearly}
	}
}

func (d AlibabaDisk) price(unit string) acPrice {
	switch unit {
	case "Hour":
		return acPrice{d.Hourly, d.Hourly}
	case "Month":
		return acPrice{d.Monthly, d.Monthly}
	default:
		return acPrice{d.Monthly, d.Monthly}.times(decimal.NewFromInt(12))
	}
}

// ecsPeriods is the largest Period of each PriceUnit (ECS, DescribePrice, Period):
// twelve months are one Year, there is no twelfth Month.
var ecsPeriods = map[string]int64{"Hour": 1, "Month": 9, "Year": 5}

// ecsPrice is DescribePrice of ECS, for instances only. It prices the machine,
// the system disk and at most four data disks; that is what its page says, while
// the SDK's text numbers them up to 16, so a fifth is refused rather than given
// away. Public bandwidth has no price here.
func (a *alibaba) ecsPrice(c *acCall) (map[string]any, error) {
	names := append([]string{
		"RegionId", "ResourceType", "InstanceType", "Amount", "SystemDisk.Category", "SystemDisk.Size", "PriceUnit", "Period",
		"SpotStrategy", "ZoneId", "ImageId", "InternetChargeType", "InternetMaxBandwidthOut", "InstanceNetworkType", "IoOptimized",
	}, acCommon...)
	for i := range 4 {
		names = append(names, "DataDisk."+strconv.Itoa(i+1)+".Category", "DataDisk."+strconv.Itoa(i+1)+".Size")
	}
	q := acReadQuery(c.query, names...)
	unit := acOr(q.text("PriceUnit"), "Hour")
	period := q.number("Period", 1, 1, max(ecsPeriods[unit], 1))
	amount := q.number("Amount", 1, 1, 1000)
	q.number("InternetMaxBandwidthOut", 0, 0, 0)
	spot := acOr(q.text("SpotStrategy"), "NoSpot")
	for _, check := range []error{
		q.err, acOneOf("PriceUnit", unit, "Hour", "Month", "Year"), acOneOf("RegionId", q.text("RegionId"), acRegions...),
		acOneOf("ResourceType", acOr(q.text("ResourceType"), "instance"), "instance"),
		acOneOf("SpotStrategy", spot, "NoSpot", "SpotAsPriceGo", "SpotWithPriceLimit"),
	} {
		if check != nil {
			return nil, check
		}
	}
	m, ok := a.machines[q.text("InstanceType")]
	switch {
	case q.text("InstanceType") == "":
		return nil, acRefuse(acMissing, "InstanceType is required with ResourceType instance")
	case !ok || !strings.HasPrefix(m.Type, "ecs."):
		return nil, acRefuse(acBadMachine, "The specified InstanceType is not supported.")
	}
	machine := m.price(unit)
	if spot != "NoSpot" && unit == "Hour" { // it has no effect on terms
		switch {
		case q.text("ZoneId") == "":
			return nil, acRefuse(acMissing, "ZoneId is required for the price of a spot instance")
		case m.SpotHourly.IsZero():
			return nil, acRefuse(acBadMachine, "The specified InstanceType is not sold as a spot instance.")
		}
		machine.pay = m.SpotHourly
	}
	system, err := a.ecsDisk(q, "SystemDisk", unit)
	if err != nil {
		return nil, err
	}
	total, details := machine.plus(system), []map[string]any{}
	detail := func(resource string, p acPrice) {
		row := p.times(decimal.NewFromInt(amount * period)).fields()
		row["Resource"] = resource
		details = append(details, row)
	}
	detail("instanceType", machine)
	detail("systemDisk", system)
	for i := range 4 {
		name := "DataDisk." + strconv.Itoa(i+1)
		if !q.values.Has(name+".Category") && !q.values.Has(name+".Size") {
			continue
		}
		disk, err := a.ecsDisk(q, name, unit)
		if err != nil {
			return nil, err
		}
		detail("dataDisk", disk)
		total = total.plus(disk)
	}
	price := total.times(decimal.NewFromInt(amount * period)).fields()
	price["DetailInfos"] = map[string]any{"DetailInfo": details}
	return acAnswer(c, price), nil
}

// ecsDisk is what one disk costs. A system disk that isn't named is the smallest
// of the usual category; of a data disk category and size must be named.
func (a *alibaba) ecsDisk(q *acQuery, name, unit string) (acPrice, error) {
	category, usual := q.text(name+".Category"), int64(0)
	if name == "SystemDisk" {
		category, usual = acOr(category, "cloud_efficiency"), 20
	}
	size := q.number(name+".Size", usual, 20, 32768)
	if q.err != nil {
		return acPrice{}, q.err
	}
	d, ok := a.disks[category]
	if !ok || size == 0 {
		return acPrice{}, acRefuse(acInvalid, "%s needs a category on offer and a size, got %q and %d", name, category, size)
	}
	return d.price(unit).times(decimal.NewFromInt(size)), nil
}

// ensPrice is DescribePrice of ENS. Its terms are shorter than those that a
// scale-out takes: nothing beyond 12 months can be priced (ENS, DescribePrice,
// Period).
func (a *alibaba) ensPrice(c *acCall) (map[string]any, error) {
	required := []string{"InstanceType", "EnsRegionId", "Period", "SystemDisk.Size", "Quantity", "InternetChargeType"}
	q := acReadQuery(c.query, append(append([]string{"PeriodUnit", "DataDisk.1.Size"}, required...), acCommon...)...)
	for _, name := range required {
		if q.text(name) == "" {
			q.fail(acMissing, "%s is required", name)
		}
	}
	amount, period := q.number("Quantity", 1, 1, 1000), q.number("Period", 1, 1, 12)
	gib := q.number("SystemDisk.Size", 20, 20, 32768) + q.number("DataDisk.1.Size", 0, 0, 32768)
	unit := acOr(q.text("PeriodUnit"), "Month")
	for _, check := range []error{
		q.err, acOneOf("PeriodUnit", unit, "Month", "Day"),
		acOneOf("InternetChargeType", q.text("InternetChargeType"), "BandwidthByDay", "95BandwidthByMonth", "PayByBandwidth4thMonth", "PayByBandwidth"),
	} {
		if check != nil {
			return nil, check
		}
	}
	m, known := a.machines[q.text("InstanceType")]
	months := decimal.NewFromInt(period)
	switch {
	case !known || !strings.HasPrefix(m.Type, "ens."):
		return nil, acRefuse("InvalidParameter.InstanceType", "The specified field InstanceType invalid. Please check it again.")
	case !a.edgeRegion(q.text("EnsRegionId")):
		return nil, acRefuse("InvalidParameter.EnsRegionId", "The specified field EnsRegionId invalid. Please check it again.")
	case unit == "Month" && slices.Contains([]int64{10, 11}, period), unit == "Day" && period != 3:
		return nil, acRefuse("InvalidParameter.Period", "The specified field Period invalid. Please check it again.")
	case unit == "Day":
		months = decimal.NewFromInt(period).Div(decimal.NewFromInt(30)) // three days are a tenth, exactly
	}
	disk := a.world.EdgeDiskMonthly.Mul(decimal.NewFromInt(gib))
	total := m.price("Month").plus(acPrice{disk, disk}).times(months.Mul(decimal.NewFromInt(amount)))
	return acAnswer(c, total.fields()), nil
}
