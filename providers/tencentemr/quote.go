package tencentemr

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
	tcerr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	emr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/emr/v20190103"

	"scalebot/providers"
)

// currency is the only one that the inquiry documents.
const currency = "CNY"

// errNotText is a price that did not arrive as text, as documented.
var errNotText = errors.New("the price is not a decimal text")

// Quote asks InquiryPriceScaleOutInstance, which knows the cluster's default
// spec in the cluster's own zone and nothing else. A configured or typed spec
// comes from the price table; whatever neither can price is unknown.
func (p *provider) Quote(ctx context.Context, c providers.Change, s providers.Snapshot) (providers.Quote, error) {
	if !c.Adds() {
		return providers.Quote{Known: true, Currency: currency, At: p.env.Now()}, nil
	}
	g, ok := p.groups[groupKey{c.Cluster, c.Group}]
	if !ok {
		return p.unknown(
			fmt.Sprintf("group %s is not in config", c.Group),
			fmt.Sprintf("配置中没有节点组 %s", c.Group)), nil
	}
	spec := specOf(c, g.params.ResourceSpec)
	if len(c.Disks) > 0 {
		q := p.fromTable(c, value(spec.InstanceType))
		q.Known = false
		q.Reason = providers.Text{EN: "the disks asked for can't be priced", ZH: "无法对指定的云盘询价"}
		if q.Currency != "" {
			q.Reason = providers.Text{EN: "the disks asked for can't be priced; without them it is as shown", ZH: "无法对指定的云盘询价，所示金额不含这些云盘"}
		}
		return q, nil
	}
	if spec != nil {
		return p.capped(c, p.fromTable(c, value(spec.InstanceType))), nil
	}
	if h := value(g.params.HardwareSourceType); h != "" && !strings.EqualFold(h, "HOST") {
		return p.unknown("the cloud prices machines only, not "+h, "云平台仅支持对主机询价，不支持 "+h), nil
	}
	zone := c.Zone
	if zone == "" {
		zone = value(g.params.Zone)
	}
	if zone != "" && zone != s.Facts[factZone] {
		return p.unknown("the cloud prices the cluster's own zone only, not "+zone, "云平台仅支持对集群所在可用区询价，不支持 "+zone), nil
	}
	q, err := p.inquire(ctx, c, s)
	if err != nil {
		return p.unpriced(err)
	}
	return p.capped(c, q), nil
}

func (p *provider) unknown(en, zh string) providers.Quote {
	return providers.Quote{Reason: providers.Text{EN: en, ZH: zh}, At: p.env.Now()}
}

// unpriced passes on what a later call may answer and turns every other refusal
// of the price service into an unknown price.
func (p *provider) unpriced(err error) (providers.Quote, error) {
	var e *providers.Error
	switch {
	case errors.Is(err, errNotText):
		return p.unknown("the cloud's price can't be read", "无法识别云平台返回的价格"), nil
	case !errors.As(err, &e) || e.Kind == providers.Auth,
		e.Kind == providers.Retry && lookup(e.Code).write != providers.Refused:
		return providers.Quote{}, err
	}
	return p.unknown("the cloud does not price this ("+e.Code+")", "云平台不支持此询价（"+e.Code+"）"), nil
}

// capped marks the price of spot nodes: they cost at most the hourly price.
func (p *provider) capped(c providers.Change, q providers.Quote) providers.Quote {
	if c.Charge != providers.Spot {
		return q
	}
	if q.Known {
		q.Reason = providers.Text{EN: "spot: at most the hourly price shown", ZH: "竞价实例：不超过所示按小时价格"}
	}
	q.Known = false
	return q
}

// fromTable prices by the config's table, per node of that machine type with
// what the operator's row includes.
func (p *provider) fromTable(c providers.Change, instanceType string) providers.Quote {
	row, ok := p.env.Prices[instanceType]
	unit := row.Hourly
	if c.Charge == providers.Prepaid {
		unit = row.Monthly
	}
	if !ok || !unit.IsPositive() || row.Currency == "" {
		what, wie := "hourly", "按小时"
		if c.Charge == providers.Prepaid {
			what, wie = "monthly", "包月"
		}
		return p.unknown(
			fmt.Sprintf("the cloud can't price machine type %s, and prices in config has no %s price for it", instanceType, what),
			fmt.Sprintf("云平台无法对机型 %s 询价，且配置 prices 中没有其%s价格", instanceType, wie))
	}
	n := decimal.NewFromInt(int64(c.Delta))
	if c.Charge == providers.Prepaid {
		return p.prepaid(c, unit.Mul(n).Mul(decimal.NewFromInt(int64(c.Months))), row.Currency)
	}
	return p.hourly(unit.Mul(n), row.Currency)
}

func (p *provider) hourly(amount decimal.Decimal, cur string) providers.Quote {
	return providers.Quote{
		Known: true, Currency: cur, Hourly: amount,
		Monthly: amount.Mul(decimal.NewFromInt(providers.HoursPerMonth)), At: p.env.Now(),
	}
}

// prepaid spreads a term's price; the divisions are rounded to 1/10000.
func (p *provider) prepaid(c providers.Change, amount decimal.Decimal, cur string) providers.Quote {
	monthly := amount.DivRound(decimal.NewFromInt(int64(c.Months)), 4)
	return providers.Quote{
		Known: true, Currency: cur, Committed: amount, Monthly: monthly,
		Hourly: monthly.DivRound(decimal.NewFromInt(providers.HoursPerMonth), 4), At: p.env.Now(),
	}
}

// inquire asks for the price of all nodes together. PayMode 0 goes with TimeUnit
// s and 3600, PayMode 1 with m and the months (reference section 7).
func (p *provider) inquire(ctx context.Context, c providers.Change, s providers.Snapshot) (providers.Quote, error) {
	zone, _ := strconv.ParseUint(s.Facts[factZoneID], 10, 64)
	if zone == 0 {
		return p.unknown("the cloud does not say in which zone the cluster is", "云平台未返回集群所在的可用区"), nil
	}
	unit, span, mode := "s", uint64(3600), uint64(0)
	if c.Charge == providers.Prepaid {
		unit, span, mode = "m", uint64(c.Months), 1 //nolint:gosec // Check allows 1 to 60
	}
	var amount decimal.Decimal
	err := p.send(ctx, "InquiryPriceScaleOutInstance", false, func(ctx context.Context, cl *emr.Client) error {
		r := emr.NewInquiryPriceScaleOutInstanceRequest()
		r.TimeUnit, r.TimeSpan, r.PayMode = &unit, &span, &mode
		r.ZoneId, r.InstanceId, r.Currency = &zone, new(c.ClusterID), new(currency)
		r.CoreCount, r.TaskCount = new(uint64(0)), new(uint64(0)) // required on the page even when 0
		n := new(uint64(c.Delta))                                 //nolint:gosec // adding: above 0
		switch c.GroupID {
		case core:
			r.CoreCount = n
		case task:
			r.TaskCount = n
		case router:
			r.RouterCount = n
		case master:
			r.MasterCount = n
		}
		resp, err := cl.InquiryPriceScaleOutInstanceWithContext(ctx, r)
		switch {
		case numberForText(err):
			return errNotText
		case err != nil:
			return err
		case resp == nil || resp.Response == nil:
			return errNoAnswer
		}
		// What is paid is DiscountCost; OriginalCost is the list price.
		amount, err = decimal.NewFromString(value(resp.Response.DiscountCost))
		if err != nil || !amount.IsPositive() || value(resp.Response.Unit) != unit {
			return errNotText
		}
		return nil
	})
	switch {
	case err != nil:
		return providers.Quote{}, err
	case c.Charge == providers.Prepaid:
		return p.prepaid(c, amount, currency), nil
	default:
		return p.hourly(amount, currency), nil
	}
}

// numberForText recognises an amount that came as a JSON number: sibling calls
// document one, and the SDK's type fails on it. Such an answer will not get
// better by asking again.
func numberForText(err error) bool {
	var se *tcerr.TencentCloudSDKError
	return errors.As(err, &se) && se.Code == "ClientError.ParseJsonError" && strings.Contains(se.Message, "cannot unmarshal")
}
