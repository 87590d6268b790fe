package huaweimrs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	hccore "github.com/huaweicloud/huaweicloud-sdk-go-v3/core"
	bss "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/bss/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/bss/v2/model"

	"scalebot/providers"
)

const (
	// currency is what the price service means when it names none.
	currency = "CNY"
	// priceWait bounds the whole talk with the price service, and it never takes
	// more than half of the caller's time: many networks reach MRS and not BSS.
	priceWait = 8 * time.Second
)

// Quote prices new nodes by the config's table, which is the only exact price
// that can be had: no price of the MRS service itself is known to any call that
// the documents name. Without a row the machines and disks are priced as ECS
// and EVS, and the quote is unknown with that figure as "at least".
//
// A price service that can't be reached or refuses is therefore no error here:
// its answer could not have made the quote known, and an error would hold up a
// change for nothing. Only a caller who has ended gets one, of kind Retry.
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
	b, ok := bought(c, s, g)
	if !ok {
		return p.unknown("the cloud does not say what machines the group has", "云平台未返回该组的机器规格"), nil
	}
	if row, ok := p.env.Prices[b.flavour]; ok && row.Hourly.IsPositive() && row.Currency != "" {
		q := p.hourly(row.Hourly.Mul(decimal.NewFromInt(int64(c.Delta))), row.Currency)
		if b.ownDisks {
			q.Known = false
			q.Reason = providers.Text{
				EN: "the disks asked for are not in the price of " + b.flavour + " in config: " + q.Hourly.String() + " " + q.Currency + " per hour without them",
				ZH: "配置中 " + b.flavour + " 的价格不含指定的云盘：不含云盘为每小时 " + q.Hourly.String() + " " + q.Currency,
			}
		}
		return q, nil
	}
	q, err := p.atLeast(ctx, c, b)
	if err != nil && ctx.Err() != nil {
		return providers.Quote{}, err
	}
	if err != nil {
		return p.unpriced(b.flavour, err), nil
	}
	return q, nil
}

// purchase is one new node.
type purchase struct {
	flavour  string
	disks    []providers.Disk
	ownDisks bool // the command's, not the config's
}

// bought is what each new node is: like the others of its group, or what
// Resolve settled for the first ones.
func bought(c providers.Change, s providers.Snapshot, g group) (purchase, bool) {
	now, _ := s.Group(c.GroupID)
	b := purchase{flavour: cmp.Or(c.InstanceType, now.InstanceType), disks: c.Disks}
	switch first := g.params.first; {
	case len(c.Disks) > 0:
		b.ownDisks = first == nil || c.Disks[0] != first.disks()[0]
	case s.Facts[factDisks+c.GroupID] != "":
		if err := json.Unmarshal([]byte(s.Facts[factDisks+c.GroupID]), &b.disks); err != nil {
			b.disks = nil // not of this adapter's making: the figure goes without disks
		}
	}
	return b, b.flavour != ""
}

func (p *provider) unknown(en, zh string) providers.Quote {
	return providers.Quote{Reason: providers.Text{EN: en, ZH: zh}, At: p.env.Now()}
}

func (p *provider) hourly(amount decimal.Decimal, cur string) providers.Quote {
	return providers.Quote{
		Known: true, Currency: cur, Hourly: amount,
		Monthly: amount.Mul(decimal.NewFromInt(providers.HoursPerMonth)), At: p.env.Now(),
	}
}

// unpriced says why there is not even a figure.
func (p *provider) unpriced(flavour string, err error) providers.Quote {
	why, warum := "can't be reached or read now", "暂时无法连接或无法识别其响应"
	switch {
	case errors.Is(err, errNoFlavour):
		return p.unknown(
			flavour+" is no flavour that can be priced as a machine; put its price into prices of the config",
			"无法将规格 "+flavour+" 作为云服务器询价；请在配置 prices 中填写其价格")
	case providers.KindOf(err) == providers.Auth:
		why, warum = "refuses this key: check domain_id and the right to ask for prices; international accounts need price_endpoint", "拒绝该密钥：请检查 domain_id 和询价权限，国际站账号需设置 price_endpoint"
	case strings.HasPrefix(codeIn(err), "CBC."):
		why, warum = "does not price this ("+codeIn(err)+")", "不支持此询价（"+codeIn(err)+"）"
	}
	return p.unknown(
		fmt.Sprintf("prices in config has no hourly price for %s, and the price service %s", flavour, why),
		fmt.Sprintf("配置 prices 中没有 %s 的按小时价格，且价格服务%s", flavour, warum))
}

func codeIn(err error) string {
	var e *providers.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// errNoFlavour is a flavour that names no ECS behind it.
var errNoFlavour = errors.New("no ECS flavour is behind this one")

// The codes of the price service (reference section 7).
const (
	serviceECS, resourceVM   = "hws.service.type.ec2", "hws.resource.type.vm"
	serviceEVS, resourceDisk = "hws.service.type.ebs", "hws.resource.type.volume"
	measureHour, measureGB   = 4, 17
	measureYuan              = 1
)

// atLeast asks what the ECS and EVS behind the new nodes cost by the hour.
func (p *provider) atLeast(ctx context.Context, c providers.Change, b purchase) (providers.Quote, error) {
	machine, ok := strings.CutSuffix(b.flavour, ".bigdata")
	if !ok || !strings.HasSuffix(machine, ".linux") {
		return providers.Quote{}, errNoFlavour
	}
	limit := priceWait
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)/2)
	}
	asking, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	domain, err := p.domainID(asking)
	if err != nil {
		return providers.Quote{}, err
	}
	project, err := p.projectID(asking)
	if err != nil {
		return providers.Quote{}, err
	}
	request := p.ratingOf(project, machine, c.Delta, b.disks)
	var answer *model.ListOnDemandResourceRatingsResponse
	if _, err := p.send(asking, p.bssService(domain), "ListOnDemandResourceRatings", false, func(hc *hccore.HcHttpClient) error {
		answer, err = bss.NewBssClient(hc).ListOnDemandResourceRatings(&model.ListOnDemandResourceRatingsRequest{Body: request})
		if err == nil && !complete(answer, request) {
			err = fmt.Errorf("%w: it does not price every item", errUnreadable)
		}
		return err
	}); err != nil {
		return providers.Quote{}, err
	}
	q := p.hourly(*answer.Amount, cmp.Or(value(answer.Currency), currency))
	q.Known = false
	sum := q.Hourly.String() + " " + q.Currency
	q.Reason = providers.Text{
		EN: "at least " + sum + " per hour for ECS and disks; the fee of MRS itself can't be asked for, so put " + b.flavour + " into prices of the config",
		ZH: "仅云服务器与云盘，每小时至少 " + sum + "；MRS 服务费无法询价，请在配置 prices 中填写 " + b.flavour + " 的价格",
	}
	return q, nil
}

func (p *provider) ratingOf(project, machine string, nodes int, disks []providers.Disk) *model.RateOnDemandReq {
	one := decimal.NewFromInt(1)
	item := func(service, resource, spec string, count int) model.DemandProductInfo {
		return model.DemandProductInfo{
			CloudServiceType: service, ResourceType: resource, ResourceSpec: spec, Region: p.account.Region,
			UsageFactor: "Duration", UsageValue: &one, UsageMeasureId: measureHour,
			SubscriptionNum: int32(count), //nolint:gosec // Check holds nodes to 500, the document disks to a few each
		}
	}
	items := []model.DemandProductInfo{item(serviceECS, resourceVM, machine, nodes)}
	for _, d := range disks {
		i := item(serviceEVS, resourceDisk, d.Type, nodes*d.Count)
		i.ResourceSize, i.SizeMeasureId = new(int32(d.SizeG)), new(int32(measureGB)) //nolint:gosec // GB of one disk
		items = append(items, i)
	}
	for i := range items {
		items[i].Id = strconv.Itoa(i + 1)
	}
	return &model.RateOnDemandReq{ProjectId: project, ProductInfos: items}
}

// complete reports whether the answer prices every item, in money. A sum without
// the disks would read as one with them.
func complete(a *model.ListOnDemandResourceRatingsResponse, r *model.RateOnDemandReq) bool {
	if a == nil || a.Amount == nil || !a.Amount.IsPositive() || a.ProductRatingResults == nil ||
		a.MeasureId != nil && *a.MeasureId != measureYuan {
		return false
	}
	priced := map[string]bool{}
	for _, i := range *a.ProductRatingResults {
		if i.Amount != nil {
			priced[value(i.Id)] = true
		}
	}
	for _, i := range r.ProductInfos {
		if !priced[i.Id] {
			return false
		}
	}
	return true
}

// value reads a pointer of the SDK; nil is the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
