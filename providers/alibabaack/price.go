package alibabaack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	"github.com/shopspring/decimal"

	"scalebot/providers"
)

// errOddPrice is an answer without a price that can be read.
var errOddPrice = errors.New("the answer holds no readable price")

// priceECS asks for all machines of the change with their disks.
func (p *provider) priceECS(ctx context.Context, c providers.Change, s spec, instanceType string) (providers.Quote, error) {
	q := map[string]*string{
		"RegionId": new(p.account.Region), "ResourceType": new("instance"),
		"InstanceType": new(instanceType), "Amount": new(strconv.Itoa(c.Delta)),
	}
	unit, period := priceTerm(c)
	q["PriceUnit"], q["Period"] = new(unit), new(strconv.Itoa(period))
	set := func(key, v string) {
		if v != "" && v != "0" {
			q[key] = new(v)
		}
	}
	disk := func(prefix string, d disk) {
		set(prefix+".Category", d.Category)
		set(prefix+".Size", strconv.Itoa(d.Size))
		set(prefix+".PerformanceLevel", d.Level)
	}
	disk("SystemDisk", s.System)
	for i, d := range s.Data {
		if i < pricedDisks {
			disk(fmt.Sprintf("DataDisk.%d", i+1), d)
		}
	}
	set("ImageId", s.Image)
	if s.NetOut > 0 {
		set("InternetChargeType", s.NetPay)
		set("InternetMaxBandwidthOut", strconv.Itoa(s.NetOut))
	}
	return p.price(ctx, c, p.ecs, ecsVersion, q)
}

// priceTerm turns a term into the service's unit and number. Whole years are
// asked for as years: that is how they are sold.
func priceTerm(c providers.Change) (unit string, period int) {
	switch {
	case c.Charge != providers.Prepaid:
		return "Hour", 1
	case c.Months%12 == 0:
		return "Year", c.Months / 12
	default:
		return "Month", c.Months
	}
}

// priceENS asks for ENS machines; its inputs are the edge form's fields. The
// bandwidth that they name is billed by use and in no price.
func (p *provider) priceENS(ctx context.Context, c providers.Change, prm params) (providers.Quote, error) {
	q := map[string]*string{
		"InstanceType": new(edgeType(c, prm)), "EnsRegionId": new(prm.text("ens_region_id")),
		"Period": new(strconv.Itoa(c.Months)), "PeriodUnit": new("Month"),
		"SystemDisk.Size": new(strconv.Itoa(prm.number("worker_system_disk_size"))),
		"Quantity":        new(strconv.Itoa(c.Delta)), "InternetChargeType": new(prm.text("ens_internet_charge_type")),
	}
	if n := prm.number("worker_data_disk_size"); n > 0 {
		q["DataDisk.1.Size"] = new(strconv.Itoa(n))
	}
	return p.price(ctx, c, p.ens, ensVersion, q)
}

// price makes one DescribePrice, of ECS or of ENS: both answer in one shape. The
// SDK's generic client writes to a map of its own on every call, so each call
// has its own client (reference 1.5).
func (p *provider) price(ctx context.Context, c providers.Change, at address, version string, query map[string]*string) (providers.Quote, error) {
	x := exchange{"DescribePrice", ask, priceRate}
	return sendTo(ctx, p, x, at, func(w *wire) (providers.Quote, error) {
		client, err := openapi.NewClient(w.fresh())
		if err != nil {
			return providers.Quote{}, err
		}
		result, err := client.CallApi(&openapi.Params{
			Action: new("DescribePrice"), Version: new(version), Protocol: new("HTTPS"), Pathname: new("/"),
			Method: new("POST"), AuthType: new("AK"), Style: new("RPC"), ReqBodyType: new("formData"), BodyType: new("json"),
		}, &openapi.OpenApiRequest{Query: query}, w.options)
		if err != nil {
			return providers.Quote{}, err
		}
		body, _ := result["body"].(map[string]any)
		info, _ := body["PriceInfo"].(map[string]any)
		price, _ := info["Price"].(map[string]any)
		// What is paid is TradePrice; DiscountPrice is the reduction.
		amount, err := amountOf(price["TradePrice"])
		currency, _ := price["Currency"].(string)
		if err != nil || !amount.IsPositive() || currency == "" {
			return providers.Quote{}, errOddPrice
		}
		return p.quoteOf(c, amount, currency), nil
	})
}

func amountOf(v any) (decimal.Decimal, error) {
	switch n := v.(type) {
	case json.Number:
		return decimal.NewFromString(n.String())
	case string:
		return decimal.NewFromString(n)
	}
	return decimal.Decimal{}, errOddPrice
}
