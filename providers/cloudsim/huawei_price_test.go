package cloudsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scalebot/providers/cloudsim"
)

const (
	onDemandPath = "/v2/bills/ratings/on-demand-resources"
	periodPath   = "/v2/bills/ratings/period-resources/subscribe-rate"

	vm     = `"cloud_service_type":"hws.service.type.ec2","resource_type":"hws.resource.type.vm","resource_spec":"c6.4xlarge.4.linux","region":"cn-north-4","subscription_num":2`
	volume = `"cloud_service_type":"hws.service.type.ebs","resource_type":"hws.resource.type.volume","resource_spec":"SAS","region":"cn-north-4","subscription_num":2,"resource_size":600,"size_measure_id":17`
	hour   = `,"usage_factor":"Duration","usage_value":"1","usage_measure_id":4`
	month  = `,"period_type":2,"period_num":1`
)

func inquiry(products ...string) string {
	for i, p := range products {
		products[i] = fmt.Sprintf(`{"id":"%d",%s}`, i+1, p)
	}
	return fmt.Sprintf(`{"project_id":%q,"product_infos":[%s]}`, cloudsim.DemoProjectID, strings.Join(products, ","))
}

// Prices arrive as exact decimals: two machines with a 600 GB volume each.
func TestHuaweiOnDemandPrices(t *testing.T) {
	c := newHuaweiClient(t, run(t, nil))
	a := c.must(http.MethodPost, onDemandPath, "", inquiry(vm+hour, volume+hour))
	require.Equal(t, json.Number("8.4852"), a.answer["amount"])
	require.Equal(t, json.Number("9.428"), a.answer["official_website_amount"])
	require.Equal(t, json.Number("0.9428"), a.answer["discount_amount"])
	require.Equal(t, "CNY", a.answer["currency"])
	require.Equal(t, 1, num(a.answer["measure_id"]))
	r := a.list("product_rating_results")
	require.Len(t, r, 2)
	require.Equal(t, []any{"1", json.Number("7.956"), json.Number("8.84")}, []any{r[0]["id"], r[0]["amount"], r[0]["official_website_amount"]})
	require.Equal(t, []any{"2", json.Number("0.5292"), json.Number("0.588")}, []any{r[1]["id"], r[1]["amount"], r[1]["official_website_amount"]})
	require.Equal(t, 605, num(r[0].list("discount_rating_results")[0]["discount_type"]))

	// usage_value is a number of hours, as number or text; amounts keep six digits
	// unless ten are asked for.
	a = c.must(http.MethodPost, onDemandPath, "", inquiry(vm+strings.Replace(hour, `"1"`, `24`, 1)))
	require.Equal(t, json.Number("190.944"), a.answer["amount"])
	third := strings.Replace(strings.Replace(volume, "600", "1", 1), `num":2`, `num":1`, 1) + strings.Replace(hour, `"1"`, `"0.01"`, 1)
	a = c.must(http.MethodPost, onDemandPath, "", inquiry(third))
	require.Equal(t, []any{json.Number("0.000004"), json.Number("0.000004")}, []any{a.answer["amount"], a.answer["official_website_amount"]})
	precise := strings.Replace(inquiry(third), `"product_infos"`, `"inquiry_precision":1,"product_infos"`, 1)
	require.Equal(t, json.Number("0.00000441"), c.must(http.MethodPost, onDemandPath, "", precise).answer["amount"])
}

func TestHuaweiPeriodPrices(t *testing.T) {
	c := newHuaweiClient(t, run(t, nil))
	a := c.must(http.MethodPost, periodPath, "", inquiry(vm+month, volume+month))
	official := a.object("official_website_rating_result")
	require.Equal(t, json.Number("4664"), official["official_website_amount"])
	require.Len(t, official.list("product_rating_results"), 2)
	d := a.list("optional_discount_rating_results")
	require.Len(t, d, 2)
	require.Equal(t, 0, num(d[0]["best_offer"]), "the first one is not the best")
	require.Equal(t, json.Number("4430.8"), d[0]["amount"])
	require.Equal(t, 1, num(d[1]["best_offer"]))
	require.Equal(t, json.Number("4197.6"), d[1]["amount"])
	require.Equal(t, json.Number("466.4"), d[1]["discount_amount"])
	require.Equal(t, json.Number("3819.6"), d[1].list("product_rating_results")[0]["amount"])

	year := c.must(http.MethodPost, periodPath, "", inquiry(vm+`,"period_type":3,"period_num":1`))
	require.Equal(t, json.Number("50928"), year.object("official_website_rating_result")["official_website_amount"])
}

// Without a contract there is no discount to choose from, only the list price.
func TestHuaweiPricesWithoutAContract(t *testing.T) {
	c := newHuaweiClient(t, run(t, huaweiWorld(func(w *cloudsim.HuaweiWorld) {
		w.Currency = "USD"
		p := &w.Flavors[0].Price
		p.PayHourly, p.PayMonthly = p.ListHourly, p.ListMonthly
	})))
	a := c.must(http.MethodPost, periodPath, "", inquiry(vm+month))
	require.Empty(t, a.list("optional_discount_rating_results"))
	require.Equal(t, "USD", a.answer["currency"])
	a = c.must(http.MethodPost, onDemandPath, "", inquiry(vm+hour))
	require.Equal(t, json.Number("0"), a.answer["discount_amount"])
	require.Empty(t, a.list("product_rating_results")[0].list("discount_rating_results"))
}

func TestHuaweiPriceRefusals(t *testing.T) {
	replace := func(s, old, with string) string {
		out := strings.Replace(s, old, with, 1)
		if out == s {
			panic(old + " is not in " + s)
		}
		return out
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = vm + hour
	}
	tests := []struct{ name, path, body, want string }{
		{"unknown field", onDemandPath, inquiry(vm + hour + `,"foo":1`), "CBC.0100"},
		{"unknown field outside", onDemandPath, replace(inquiry(vm+hour), `"project_id"`, `"foo":1,"project_id"`), "CBC.0100"},
		{"no id", onDemandPath, replace(inquiry(vm+hour), `"id":"1",`, ""), "CBC.0100"},
		{"same id twice", onDemandPath, replace(inquiry(vm+hour, vm+hour), `"id":"2"`, `"id":"1"`), "CBC.0100"},
		{"nothing", onDemandPath, inquiry(), "CBC.0100"},
		{"101 products", onDemandPath, inquiry(many...), "CBC.0100"},
		{"another project", onDemandPath, replace(inquiry(vm+hour), cloudsim.DemoProjectID, "ffff"), "CBC.0100"},
		{"no subscription_num", onDemandPath, inquiry(replace(vm, `,"subscription_num":2`, "") + hour), "CBC.0100"},
		{"zero of it", onDemandPath, inquiry(replace(vm, `num":2`, `num":0`) + hour), "CBC.0100"},
		{"MRS's own name of the flavour", onDemandPath, inquiry(replace(vm, ".linux", ".linux.bigdata") + hour), "CBC.99006006"},
		{"MRS as a service", onDemandPath, inquiry(replace(vm, "ec2", "mrs") + hour), "CBC.99006006"},
		{"unknown region", onDemandPath, inquiry(replace(vm, "cn-north-4", "moon-1") + hour), "CBC.99006006"},
		{"zone elsewhere", onDemandPath, inquiry(vm + hour + `,"available_zone":"cn-east-3a"`), "CBC.99006006"},
		{"unknown disk", onDemandPath, inquiry(replace(volume, "SAS", "FLOPPY") + hour), "CBC.99006006"},
		{"size of a machine", onDemandPath, inquiry(vm + hour + `,"resource_size":1,"size_measure_id":14`), "CBC.99006006"},
		{"disk without a size", onDemandPath, inquiry(replace(volume, `,"resource_size":600,"size_measure_id":17`, "") + hour), "CBC.0100"},
		{"disk in Mbps", onDemandPath, inquiry(replace(volume, `:17`, `:15`) + hour), "CBC.0100"},
		{"no usage", onDemandPath, inquiry(vm), "CBC.0100"},
		{"usage of a month", onDemandPath, inquiry(vm + month), "CBC.0100"},
		{"unknown factor", onDemandPath, inquiry(vm + replace(hour, "Duration", "upflow")), "CBC.99006074"},
		{"in seconds", onDemandPath, inquiry(vm + replace(hour, `id":4`, `id":1`)), "CBC.99006050"},
		{"no time", onDemandPath, inquiry(vm + replace(hour, `"1"`, `"0"`)), "CBC.0100"},
		{"unknown precision", onDemandPath, replace(inquiry(vm+hour), `"product_infos"`, `"inquiry_precision":2,"product_infos"`), "CBC.0100"},
		{"no period", periodPath, inquiry(vm), "CBC.0100"},
		{"period of hours", periodPath, inquiry(vm + hour), "CBC.0100"},
		{"by the day", periodPath, inquiry(vm + replace(month, `type":2`, `type":0`)), "CBC.99006006"},
		{"10 months", periodPath, inquiry(vm + replace(month, `num":1`, `num":10`)), "CBC.99006006"},
		{"4 years", periodPath, inquiry(vm + `,"period_type":3,"period_num":4`), "CBC.99006006"},
		{"precision of a period", periodPath, replace(inquiry(vm+month), `"product_infos"`, `"inquiry_precision":1,"product_infos"`), "CBC.0100"},
	}
	sim := run(t, func(o *cloudsim.Options) { o.Rate = -1 })
	c := newHuaweiClient(t, sim)
	for _, tt := range tests {
		c.t = t
		a := c.call(http.MethodPost, tt.path, "", tt.body)
		require.Equal(t, tt.want, a.code(), "%s: %v", tt.name, a.answer)
		require.Equal(t, http.StatusBadRequest, a.status)
	}
	require.Empty(t, sim.Ledger(), "asking for a price changes nothing")

	// Null means "not given" where BSS says so, and nowhere else.
	c.must(http.MethodPost, onDemandPath, "", inquiry(vm+hour+`,"resource_size":null,"size_measure_id":null,"available_zone":null`))
	require.Equal(t, "CBC.0100", c.call(http.MethodPost, onDemandPath, "", inquiry(vm+strings.Replace(hour, `"1"`, `null`, 1))).code())

	for _, domain := range []string{"", "ffff"} {
		c.signed["x-domain-id"] = domain
		a := c.call(http.MethodPost, onDemandPath, "", inquiry(vm+hour))
		require.Equal(t, "CBC.0151", a.code())
		require.Equal(t, http.StatusForbidden, a.status)
	}
}
