package cloudsim

import (
	"slices"

	"github.com/shopspring/decimal"
)

// inquirePrice is InquiryPriceScaleOutInstance: what the nodes asked for would
// cost in all, always of the group's default machine type, as there is no
// parameter for another. Whether the real answer is for all nodes or for one is
// not written anywhere; this one is for all.
func (t *tencent) inquirePrice(c *tencentCall) (map[string]any, error) {
	var p struct {
		TimeUnit                 string `tc:"required"`
		TimeSpan                 uint64 `tc:"required"`
		ZoneId                   uint64 `tc:"required"`
		PayMode                  uint64 `tc:"required"`
		InstanceId               string `tc:"required"`
		CoreCount                uint64 `tc:"required"`
		TaskCount                uint64 `tc:"required"`
		Currency                 string `tc:"required"`
		RouterCount, MasterCount uint64
		HardwareResourceType     string
		ResourceBaseType         string
		ComputeResourceId        string
	}
	if err := decode(c.body, &p); err != nil {
		return nil, err
	}
	cl, err := t.visible(c, p.InstanceId)
	if err != nil {
		return nil, err
	}
	if p.Currency != "CNY" {
		return nil, refuse(codeInvalid, "Currency must be CNY, got `%s`", p.Currency)
	}
	if p.ZoneId != uint64(cl.ZoneID) {
		return nil, refuse(codeInvalid, "ZoneId %d is not the cluster's", p.ZoneId)
	}
	switch p.PayMode {
	case 0:
		if p.TimeUnit != "s" {
			return nil, refuse("InvalidParameter.InvalidTimeUnit", "PayMode 0 needs TimeUnit s, got `%s`", p.TimeUnit)
		}
		if p.TimeSpan != 3600 {
			return nil, refuse("InvalidParameter.InvalidTimeSpan", "PayMode 0 needs TimeSpan 3600, got %d", p.TimeSpan)
		}
	case 1:
		if p.TimeUnit != "m" {
			return nil, refuse("InvalidParameter.InvalidTimeUnit", "PayMode 1 needs TimeUnit m, got `%s`", p.TimeUnit)
		}
		if !slices.Contains(tcTerms, int64(min(p.TimeSpan, 1000))) {
			return nil, refuse("InvalidParameter.InvalidTimeSpan", "a term of %d months is not offered", p.TimeSpan)
		}
	default:
		return nil, refuse("InvalidParameter.InvalidPaymode", "PayMode must be 0 or 1, got %d", p.PayMode)
	}
	var list, pay decimal.Decimal
	asked := false
	for _, want := range []struct {
		flag  string
		count uint64
	}{{"CORE", p.CoreCount}, {"TASK", p.TaskCount}, {"ROUTER", p.RouterCount}, {"MASTER", p.MasterCount}} {
		if want.count == 0 {
			continue
		}
		asked = true
		g := cl.group(want.flag)
		if g == nil || g.Spec == "" {
			return nil, refuse(codeNoSpec, "no default spec for %s", want.flag)
		}
		if want.count > uint64(t.quota) {
			return nil, refuse("InvalidParameter.InvalidCount", "%d nodes are too many", want.count)
		}
		m, n := t.machines[g.Spec], decimal.NewFromUint64(want.count)
		if p.PayMode == 0 {
			list, pay = list.Add(m.ListHourly.Mul(n)), pay.Add(m.PayHourly.Mul(n))
			continue
		}
		n = n.Mul(decimal.NewFromUint64(p.TimeSpan))
		list, pay = list.Add(m.ListMonthly.Mul(n)), pay.Add(m.PayMonthly.Mul(n))
	}
	if !asked {
		return nil, refuse("InvalidParameter.InvalidCount", "no node to price")
	}
	return map[string]any{
		"OriginalCost": list.StringFixed(2), "DiscountCost": pay.StringFixed(2), "Unit": p.TimeUnit,
		"PriceSpec": nil, "MultipleEmrPrice": nil,
	}, nil
}
