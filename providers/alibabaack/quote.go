package alibabaack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"scalebot/providers"
)

const (
	// maxTypes is how many machine types of a group are priced: the most that a
	// scaling group takes.
	maxTypes = 10
	// pricedDisks is how many data disks DescribePrice prices (reference 7).
	pricedDisks = 4
	// The system disk that ScaleOutCluster takes where none is given, by the
	// SDK's text.
	usualDisk, usualSize = "cloud_ssd", 120
)

// leftOut is what no price service counts, on every quote.
var leftOut = providers.Text{EN: "without ACK's management fee and traffic", ZH: "不含 ACK 集群管理费和流量费"}

// Quote prices what Submit would buy: ECS machines by ECS DescribePrice, ENS
// machines by ENS DescribePrice. What they can't price comes from the price
// table; whatever neither can is unknown.
func (p *provider) Quote(ctx context.Context, c providers.Change, s providers.Snapshot) (providers.Quote, error) {
	if !c.Adds() {
		return p.removalQuote(c, s), nil
	}
	g, ok := p.groups[groupKey{c.Cluster, c.Group}]
	if !ok {
		return p.unknown(
			fmt.Sprintf("group %s is not in config", c.Group),
			fmt.Sprintf("配置中没有节点组 %s", c.Group)), nil
	}
	switch g.form {
	case edgeForm:
		q, err := p.priceENS(ctx, c, g.params)
		return p.settled(c, edgeType(c, g.params), q, err)
	case workerForm:
		return p.quoteECS(ctx, c, workerSpec(c, g.params))
	case poolForm:
	}
	f, ok := fact(s, c.GroupID)
	switch {
	case !ok || f.Edge || len(f.Spec.Types) == 0 && !f.Spec.Patterns:
		return p.unknown(
			fmt.Sprintf("node pool %s does not say which machines it buys", c.GroupID),
			fmt.Sprintf("节点池 %s 未说明购买何种机器", c.GroupID)), nil
	case f.Spec.Patterns:
		return p.unknown(
			fmt.Sprintf("node pool %s picks its machine types by pattern", c.GroupID),
			fmt.Sprintf("节点池 %s 按规则选择机型", c.GroupID)), nil
	}
	return p.quoteECS(ctx, c, f.Spec)
}

// removalQuote: removing buys nothing. Prepaid machines are not refunded, and
// the card is the place to say so before people agree.
func (p *provider) removalQuote(c providers.Change, s providers.Snapshot) providers.Quote {
	q := providers.Quote{Known: true, Currency: "CNY", At: p.env.Now()}
	g, _ := s.Group(c.GroupID)
	n := 0
	for _, x := range g.Nodes {
		if x.Charge == providers.Prepaid && slices.Contains(c.Nodes, x.ID) {
			n++
		}
	}
	if n > 0 {
		q.Reason = providers.Text{
			EN: fmt.Sprintf("%d of the nodes are prepaid: they leave the cluster and go on costing until their term ends", n),
			ZH: fmt.Sprintf("其中 %d 个节点为包年包月：移出集群后仍会计费至到期", n),
		}
	}
	return q
}

// workerSpec is what ScaleOutCluster will buy by params and command.
func workerSpec(c providers.Change, p params) spec {
	s := spec{
		Types:  p.texts("worker_instance_types"),
		System: disk{Category: p.text("worker_system_disk_category"), Size: p.number("worker_system_disk_size")},
		Image:  p.text("image_id"),
	}
	if s.System.Category == "" || s.System.Size == 0 {
		s.Vague = "a system disk that the group's params leave to the cloud"
		if s.System.Category == "" {
			s.System.Category = usualDisk
		}
		if s.System.Size == 0 {
			s.System.Size = usualSize
		}
	}
	if c.InstanceType != "" {
		s.Types = []string{c.InstanceType}
	}
	for _, d := range c.Disks {
		for range d.Count {
			s.Data = append(s.Data, disk{Category: d.Type, Size: d.SizeG})
		}
	}
	if len(c.Disks) > 0 {
		return s
	}
	for _, d := range p.objects("worker_data_disks") {
		size, _ := decimal.NewFromString(d.text("size"))
		s.Data = append(s.Data, disk{Category: d.text("category"), Size: int(size.IntPart())})
	}
	if len(s.Data) > 0 && !p.flag("worker_data_disk", true) {
		s.Vague = "data disks that the params list and turn off at once"
	}
	return s
}

func edgeType(c providers.Change, p params) string {
	if c.InstanceType != "" {
		return c.InstanceType
	}
	return p.text("worker_instance_type")
}

// quoteECS prices every type that the machines may turn out to be. Only when
// they cost the same, and every setting with a price was asked for, is the quote
// exact; else the dearest is shown and the price counts as unknown.
func (p *provider) quoteECS(ctx context.Context, c providers.Change, s spec) (providers.Quote, error) {
	types := s.Types
	if len(types) > maxTypes {
		types = types[:maxTypes]
		s.Vague = "more machine types than can be asked for"
	}
	var most providers.Quote
	alike := true
	for i, t := range types {
		q, err := p.priceECS(ctx, c, s, t)
		if q, err = p.settled(c, t, q, err); err != nil || !q.Known {
			return q, err
		}
		if i > 0 && !(q.Currency == most.Currency && q.Monthly.Equal(most.Monthly) && q.Hourly.Equal(most.Hourly)) {
			alike = false
		}
		if i == 0 || q.Monthly.GreaterThan(most.Monthly) {
			most = q
		}
	}
	if len(s.Data) > pricedDisks {
		s.Vague = fmt.Sprintf("more than %d data disks", pricedDisks)
	}
	switch {
	case c.Charge == providers.Spot:
		return vague(most, "spot: at most the pay-as-you-go price", "竞价实例：不超过按量付费价格"), nil
	case !alike:
		return vague(most,
			fmt.Sprintf("the machine may be any of %s; at most", strings.Join(types, ", ")),
			fmt.Sprintf("机型可能是 %s 之一；最多为", strings.Join(types, "、"))), nil
	case s.Vague != "":
		return vague(most, s.Vague+" can't be priced exactly; about", "有配置项无法精确询价（"+s.Vague+"）；约为"), nil
	}
	return most, nil
}

// vague turns a price into one that nobody may rely on, and says the amount in
// the reason: a card shows no amounts of an unknown price.
func vague(q providers.Quote, en, zh string) providers.Quote {
	q.Known = false
	sum := fmt.Sprintf("%s %s a month", q.Currency, q.Monthly.StringFixed(2))
	sumZH := fmt.Sprintf("每月 %s %s", q.Currency, q.Monthly.StringFixed(2))
	q.Reason = providers.Text{EN: en + " " + sum, ZH: zh + " " + sumZH}
	return q
}

// settled falls back to the price table where the cloud can't price this, and
// passes on what a later call may answer.
func (p *provider) settled(c providers.Change, instanceType string, q providers.Quote, err error) (providers.Quote, error) {
	if err == nil {
		return q, nil
	}
	var e *providers.Error
	code := "no readable price"
	switch {
	case errors.Is(err, errOddPrice):
	case errors.As(err, &e) && (e.Kind == providers.Refused || e.Kind == providers.NotFound):
		code = cmp.Or(e.Code, code)
	default:
		return providers.Quote{}, err
	}
	return p.fromTable(c, instanceType, code), nil
}

// fromTable prices by the config's table, per node of that machine type with
// what the operator's row includes.
func (p *provider) fromTable(c providers.Change, instanceType, why string) providers.Quote {
	row, ok := p.env.Prices[instanceType]
	unit, what, wie := row.Hourly, "hourly", "按小时"
	if c.Charge == providers.Prepaid {
		unit, what, wie = row.Monthly, "monthly", "包月"
	}
	if !ok || !unit.IsPositive() || row.Currency == "" {
		return p.unknown(
			fmt.Sprintf("the cloud can't price machine type %s (%s), and prices in config has no %s price for it", instanceType, why, what),
			fmt.Sprintf("云平台无法对机型 %s 询价（%s），且配置 prices 中没有其%s价格", instanceType, why, wie))
	}
	n := decimal.NewFromInt(int64(c.Delta))
	q := p.quoteOf(c, unit.Mul(n), row.Currency)
	if c.Charge == providers.Prepaid {
		q = p.quoteOf(c, unit.Mul(n).Mul(decimal.NewFromInt(int64(c.Months))), row.Currency)
	}
	q.Reason = providers.Text{EN: "by the price table in config, " + leftOut.EN, ZH: "按配置中的价格表，" + leftOut.ZH}
	return q
}

func (p *provider) unknown(en, zh string) providers.Quote {
	return providers.Quote{Reason: providers.Text{EN: en, ZH: zh}, At: p.env.Now()}
}

// quoteOf makes a quote of an amount for the whole change: per hour, or for the
// whole term when prepaid; the divisions are rounded to 1/10000.
func (p *provider) quoteOf(c providers.Change, amount decimal.Decimal, currency string) providers.Quote {
	q := providers.Quote{Known: true, Currency: currency, Reason: leftOut, At: p.env.Now()}
	if c.Charge != providers.Prepaid {
		q.Hourly, q.Monthly = amount, amount.Mul(decimal.NewFromInt(providers.HoursPerMonth))
		return q
	}
	q.Committed = amount
	q.Monthly = amount.DivRound(decimal.NewFromInt(int64(max(c.Months, 1))), 4)
	q.Hourly = q.Monthly.DivRound(decimal.NewFromInt(providers.HoursPerMonth), 4)
	return q
}
