package cloudsim

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// Codes of BSS for the things that are priced here.
const (
	bssECS, bssVM     = "hws.service.type.ec2", "hws.resource.type.vm"
	bssEVS, bssVolume = "hws.service.type.ebs", "hws.resource.type.volume"

	bssHour, bssGB, bssYuan = 4, 17, 1 // measure ids
	bssMonth, bssYear       = 2, 3     // period types
)

// hwRating is the body of both inquiries.
type hwRating struct {
	ProjectID        string      `json:"project_id" hw:"required"`
	InquiryPrecision int         `json:"inquiry_precision"`
	ProductInfos     []hwProduct `json:"product_infos" hw:"required"`
}

// hwProduct is one thing to price. The usage fields belong to on-demand
// inquiries, the period fields to the other.
type hwProduct struct {
	ID                 string           `json:"id" hw:"required"`
	CloudServiceType   string           `json:"cloud_service_type" hw:"required"`
	ResourceType       string           `json:"resource_type" hw:"required"`
	ResourceSpec       string           `json:"resource_spec" hw:"required"`
	Region             string           `json:"region" hw:"required"`
	AvailableZone      string           `json:"available_zone" hw:"null"`
	ResourceSize       *int             `json:"resource_size" hw:"null"`
	SizeMeasureID      *int             `json:"size_measure_id" hw:"null"`
	UsageFactor        *string          `json:"usage_factor"`
	UsageValue         *decimal.Decimal `json:"usage_value"` // the SDK sends text
	UsageMeasureID     *int             `json:"usage_measure_id"`
	PeriodType         *int             `json:"period_type"`
	PeriodNum          *int             `json:"period_num"`
	SubscriptionNum    int              `json:"subscription_num" hw:"required"`
	FeeInstallmentMode string           `json:"fee_installment_mode" hw:"null"`
}

// hwPriced is a product with what it costs by the list and for this customer.
type hwPriced struct {
	hwProduct
	list, pay decimal.Decimal
}

// money writes an amount as a JSON number with all its digits.
func money(d decimal.Decimal) json.Number { return json.Number(d.String()) }

// rateOnDemand is ListOnDemandResourceRatings.
func (h *huawei) rateOnDemand(c *hwCall) (any, error) {
	p, err := h.rating(c)
	if err != nil {
		return nil, err
	}
	digits := int32(6)
	switch p.InquiryPrecision {
	case 0:
	case 1:
		digits = 10
	default:
		return nil, hwRefuse(hwBSSInvalid, "inquiry_precision %d", p.InquiryPrecision)
	}
	var list, pay decimal.Decimal
	results := []map[string]any{}
	for _, q := range p.ProductInfos {
		switch {
		case q.PeriodType != nil || q.PeriodNum != nil || q.UsageFactor == nil || q.UsageValue == nil || q.UsageMeasureID == nil:
			return nil, hwRefuse(hwBSSInvalid, "product %s needs usage_factor, usage_value and usage_measure_id and no period", q.ID)
		case !strings.EqualFold(*q.UsageFactor, "Duration"):
			return nil, hwRefuse("CBC.99006074", "%s", *q.UsageFactor)
		case *q.UsageMeasureID != bssHour:
			return nil, hwRefuse("CBC.99006050", "%d", *q.UsageMeasureID)
		case !q.UsageValue.IsPositive():
			return nil, hwRefuse(hwBSSInvalid, "usage_value %s", q.UsageValue)
		}
		unit, size, err := h.offer(q)
		if err != nil {
			return nil, err
		}
		times := size.Mul(*q.UsageValue)
		r := hwPriced{q, unit.ListHourly.Mul(times).Truncate(digits), unit.PayHourly.Mul(times).Truncate(digits)}
		list, pay = list.Add(r.list), pay.Add(r.pay)
		results = append(results, map[string]any{
			"id": q.ID, "product_id": productID("OD", q), "amount": money(r.pay), "discount_amount": money(r.list.Sub(r.pay)),
			"official_website_amount": money(r.list), "measure_id": bssYuan, "discount_rating_results": contract(r),
		})
	}
	return map[string]any{
		"amount": money(pay), "discount_amount": money(list.Sub(pay)), "official_website_amount": money(list),
		"measure_id": bssYuan, "currency": h.world.Currency, "product_rating_results": results,
	}, nil
}

// contract is the part of an on-demand result that explains the discount.
func contract(r hwPriced) []map[string]any {
	if r.list.Equal(r.pay) {
		return []map[string]any{}
	}
	return []map[string]any{{
		"discount_id": "1001", "discount_type": 605, "discount_name": "商务折扣", "amount": money(r.list.Sub(r.pay)), "measure_id": bssYuan,
	}}
}

// rateOnPeriod is ListRateOnPeriodDetail. What the customer pays is in the list of
// optional discounts and there in the one that is flagged as the best offer, which
// need not be the first; a customer without a contract has no discount at all and
// pays the list price.
//
// Terms are those of the call that creates clusters, 1 to 9 months and 1 to 3
// years; a year costs twelve months here.
func (h *huawei) rateOnPeriod(c *hwCall) (any, error) {
	p, err := h.rating(c)
	if err != nil {
		return nil, err
	}
	if p.InquiryPrecision != 0 {
		return nil, hwRefuse(hwBSSInvalid, "inquiry_precision is for on-demand products")
	}
	var list, pay decimal.Decimal
	official, best, partner := []map[string]any{}, []map[string]any{}, []map[string]any{}
	for _, q := range p.ProductInfos {
		if q.UsageFactor != nil || q.UsageValue != nil || q.UsageMeasureID != nil || q.PeriodType == nil || q.PeriodNum == nil {
			return nil, hwRefuse(hwBSSInvalid, "product %s needs period_type and period_num and no usage", q.ID)
		}
		months, most := *q.PeriodNum, 9
		if *q.PeriodType == bssYear {
			months, most = months*12, 3
		}
		if *q.PeriodType != bssMonth && *q.PeriodType != bssYear || *q.PeriodNum < 1 || *q.PeriodNum > most {
			return nil, hwRefuse("CBC.99006006", "period_type %d, period_num %d", *q.PeriodType, *q.PeriodNum)
		}
		unit, size, err := h.offer(q)
		if err != nil {
			return nil, err
		}
		times := size.Mul(decimal.NewFromInt(int64(months)))
		r := hwPriced{q, unit.ListMonthly.Mul(times), unit.PayMonthly.Mul(times)}
		list, pay = list.Add(r.list), pay.Add(r.pay)
		id := productID("PE", q)
		official = append(official, map[string]any{"id": q.ID, "product_id": id, "official_website_amount": money(r.list), "measure_id": bssYuan})
		best = append(best, optional(r, id, r.pay))
		partner = append(partner, optional(r, id, half(r.list, r.pay)))
	}
	discounts := []map[string]any{}
	if !list.Equal(pay) {
		discounts = append(discounts,
			discount("1002", 607, "伙伴折扣", 0, list, half(list, pay), partner),
			discount("1001", 605, "商务折扣", 1, list, pay, best))
	}
	return map[string]any{
		"official_website_rating_result": map[string]any{
			"official_website_amount": money(list), "measure_id": bssYuan, "product_rating_results": official,
		},
		"optional_discount_rating_results": discounts, "currency": h.world.Currency,
	}, nil
}

// half is a price half-way between list and contract: a discount that is there
// and not the best.
func half(list, pay decimal.Decimal) decimal.Decimal {
	return list.Add(pay).Div(decimal.NewFromInt(2))
}

func optional(r hwPriced, id string, amount decimal.Decimal) map[string]any {
	return map[string]any{
		"id": r.ID, "product_id": id, "amount": money(amount), "discount_amount": money(r.list.Sub(amount)),
		"official_website_amount": money(r.list), "measure_id": bssYuan,
	}
}

func discount(id string, kind int, name string, best int, list, amount decimal.Decimal, products []map[string]any) map[string]any {
	return map[string]any{
		"discount_id": id, "discount_type": kind, "discount_name": name, "best_offer": best, "amount": money(amount),
		"discount_amount": money(list.Sub(amount)), "official_website_amount": money(list), "measure_id": bssYuan, "product_rating_results": products,
	}
}

// rating decodes an inquiry and checks what both kinds share. BSS is a global
// service, whose callers with keys must say which account pays (signing guide,
// X-Domain-Id); whether the live one would take a call without it is not known,
// and here it is refused.
func (h *huawei) rating(c *hwCall) (*hwRating, error) {
	if c.domain != c.account.DomainID {
		return nil, hwRefuse("CBC.0151", "X-Domain-Id %q is not the account of the key", c.domain)
	}
	var p hwRating
	if err := hwDecode(c.body, &p, hwBSSInvalid); err != nil {
		return nil, err
	}
	owned := false
	for _, id := range c.account.Projects {
		owned = owned || id == p.ProjectID
	}
	switch {
	case !owned:
		return nil, hwRefuse(hwBSSInvalid, "project_id %q is no project of this account", p.ProjectID)
	case len(p.ProductInfos) < 1 || len(p.ProductInfos) > 100:
		return nil, hwRefuse(hwBSSInvalid, "%d product_infos are not between 1 and 100", len(p.ProductInfos))
	}
	for i, q := range p.ProductInfos {
		switch {
		case q.ID == "" || slices.ContainsFunc(p.ProductInfos[:i], func(o hwProduct) bool { return o.ID == q.ID }):
			return nil, hwRefuse(hwBSSInvalid, "id %q is empty or there twice", q.ID)
		case q.SubscriptionNum < 1 || q.SubscriptionNum > 1_000_000:
			return nil, hwRefuse(hwBSSInvalid, "subscription_num %d", q.SubscriptionNum)
		}
	}
	return &p, nil
}

// offer finds the unit price of a product, and how many units are asked for. A
// product is found by service, resource, spec and region; any filter that fits
// nothing finds nothing, also a size given for a machine. A volume without its
// size is not a question that has an answer.
func (h *huawei) offer(q hwProduct) (HuaweiPrice, decimal.Decimal, error) {
	n := decimal.NewFromInt(int64(q.SubscriptionNum))
	notFound := hwRefuse("CBC.99006006", "%s %s %s in %s", q.CloudServiceType, q.ResourceType, q.ResourceSpec, q.Region)
	sold := slices.ContainsFunc(h.world.Accounts, func(a HuaweiAccount) bool { return a.Projects[q.Region] != "" })
	if !sold || !strings.HasPrefix(q.AvailableZone, q.Region) && q.AvailableZone != "" {
		return HuaweiPrice{}, n, notFound
	}
	switch q.CloudServiceType + "/" + q.ResourceType {
	case bssECS + "/" + bssVM:
		i := slices.IndexFunc(h.world.Flavors, func(f HuaweiFlavor) bool { return ecsSpec(f.Name) == q.ResourceSpec })
		if i >= 0 && q.ResourceSize == nil && q.SizeMeasureID == nil {
			return h.world.Flavors[i].Price, n, nil
		}
	case bssEVS + "/" + bssVolume:
		if q.ResourceSize == nil || q.SizeMeasureID == nil || *q.ResourceSize < 1 || *q.SizeMeasureID != bssGB {
			return HuaweiPrice{}, n, hwRefuse(hwBSSInvalid, "product %s needs resource_size and size_measure_id %d", q.ID, bssGB)
		}
		i := slices.IndexFunc(h.world.Disks, func(d HuaweiDisk) bool { return d.Type == q.ResourceSpec })
		if i >= 0 {
			return h.world.Disks[i].Price, n.Mul(decimal.NewFromInt(int64(*q.ResourceSize))), nil
		}
	}
	return HuaweiPrice{}, n, notFound
}

// productID is made of what it names, so that the same product has the same id in
// every run; on-demand and period products have different ones.
func productID(kind string, q hwProduct) string {
	return "OFFI" + strings.ToUpper(digest(kind + q.ResourceSpec + q.Region)[:16])
}
