package tencentemr

import (
	"context"
	"fmt"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func price(original, discount, unit string) answer {
	return ok(fmt.Sprintf(`{"OriginalCost":%s,"DiscountCost":%s,"Unit":%s,"PriceSpec":null,"RequestId":"r"}`, original, discount, unit))
}

// quote asks for a price of what edit makes of task +2.
func (b *bench) quote(t *testing.T, edit func(*providers.Change)) (providers.Quote, error) {
	t.Helper()
	c := change("task", 2)
	edit(&c)
	s, err := b.p.Observe(context.Background(), ref(c))
	require.NoError(t, err)
	return b.p.Quote(context.Background(), c, s)
}

func asIs(*providers.Change) {}

func prepaid(months int) func(*providers.Change) {
	return func(c *providers.Change) { c.Charge, c.Months = providers.Prepaid, months }
}

func TestQuoteOnTheWire(t *testing.T) {
	b := newBench(t, nil)
	b.next("InquiryPriceScaleOutInstance", price(`"4.20"`, `"3.36"`, `"s"`), price(`"20000"`, `"16824.00"`, `"m"`), price(`"1"`, `"0.10"`, `"s"`))
	q, err := b.quote(t, asIs)
	require.NoError(t, err)
	require.True(t, q.Known)
	require.Equal(t, "CNY", q.Currency)
	require.Equal(t, noon, q.At)
	require.Equal(t, "3.36", q.Hourly.String(), "what is paid, not the list price")
	require.Equal(t, "2452.8", q.Monthly.String())
	require.True(t, q.Committed.IsZero())

	q, err = b.quote(t, prepaid(3))
	require.NoError(t, err)
	require.True(t, q.Known)
	require.Equal(t, "16824", q.Committed.String())
	require.Equal(t, "5608", q.Monthly.String())
	require.Equal(t, "7.6822", q.Hourly.String())

	_, err = b.quote(t, func(c *providers.Change) { c.Group, c.GroupID, c.Delta = "core", core, 1 })
	require.NoError(t, err)

	calls := b.of("InquiryPriceScaleOutInstance")
	base := map[string]any{"TimeUnit": "s", "TimeSpan": 3600.0, "ZoneId": 100003.0, "PayMode": 0.0, "InstanceId": "emr-m620", "CoreCount": 0.0, "TaskCount": 2.0, "Currency": "CNY"}
	require.Equal(t, base, calls[0].body)
	base["TimeUnit"], base["TimeSpan"], base["PayMode"] = "m", 3.0, 1.0
	require.Equal(t, base, calls[1].body)
	require.Equal(t, 1.0, calls[2].body["CoreCount"])
	require.Equal(t, 0.0, calls[2].body["TaskCount"])
}

// Odd answers are unknown prices and never zero.
func TestOddPrices(t *testing.T) {
	for name, a := range map[string]answer{
		"none":                price(`"4.20"`, `null`, `"s"`),
		"empty":               price(`"4.20"`, `""`, `"s"`),
		"words":               price(`"4.20"`, `"free"`, `"s"`),
		"zero":                price(`"4.20"`, `"0.00"`, `"s"`),
		"negative":            price(`"4.20"`, `"-1"`, `"s"`),
		"a number":            price(`4.20`, `3.36`, `"s"`),
		"of another unit":     price(`"4.20"`, `"3.36"`, `"m"`),
		"of no unit":          price(`"4.20"`, `"3.36"`, `null`),
		"refused":             fault("InvalidParameter"),
		"not for this site":   fault("UnsupportedOperation"),
		"no default spec":     fault("ResourceUnavailable.ResourceSpecNotDefaultSpec"),
		"nothing of the kind": fault("ResourceNotFound"),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.always("InquiryPriceScaleOutInstance", a)
			q, err := b.quote(t, asIs)
			require.NoError(t, err)
			require.False(t, q.Known)
			require.NotEmpty(t, q.Reason.EN)
			require.NotEmpty(t, q.Reason.ZH)
		})
	}
	for code, want := range map[string]providers.Kind{
		"RequestLimitExceeded": providers.Retry, "InternalError": providers.Retry,
		"FailedOperation.GetTradeServerFailed": providers.Retry, "AuthFailure.SignatureFailure": providers.Auth,
	} {
		b := newBench(t, nil)
		b.always("InquiryPriceScaleOutInstance", fault(code))
		_, err := b.quote(t, asIs)
		require.Equal(t, want, providers.KindOf(err), code)
	}
	b := newBench(t, nil)
	b.always("InquiryPriceScaleOutInstance", answer{status: 502, body: "<html>"})
	_, err := b.quote(t, asIs)
	require.Equal(t, providers.Retry, providers.KindOf(err), "a gateway's page is no price")
}

// The inquiry prices the cluster's default spec in its own zone. Anything else
// comes from the table or is unknown.
func TestWhatTheInquiryCantPrice(t *testing.T) {
	spec := map[string]any{"resource_spec": map[string]any{"instance_type": "S5.BIG"}}
	table := providers.PriceTable{
		"S5.BIG":   {Currency: "CNY", Hourly: dec("2.5"), Monthly: dec("900.10")},
		"S5.HOUR":  {Currency: "CNY", Hourly: dec("1")},
		"S5.NOCUR": {Hourly: dec("1")},
	}
	typed := func(name string) func(*providers.Change) {
		return func(c *providers.Change) { c.InstanceType = name }
	}
	for name, tc := range map[string]struct {
		params                     map[string]any
		edit                       func(*providers.Change)
		known                      bool
		hourly, monthly, committed string
		asks                       int
	}{
		"configured spec in the table":     {spec, asIs, true, "5", "3650", "0", 0},
		"typed spec in the table":          {nil, typed("S5.BIG"), true, "5", "3650", "0", 0},
		"prepaid from the table":           {spec, prepaid(3), true, "2.4660", "1800.2", "5400.6", 0},
		"not in the table":                 {nil, typed("S5.OTHER"), false, "0", "0", "0", 0},
		"typed spec over the table's":      {spec, typed("S5.OTHER"), false, "0", "0", "0", 0},
		"no monthly price":                 {nil, func(c *providers.Change) { typed("S5.HOUR")(c); prepaid(1)(c) }, false, "0", "0", "0", 0},
		"no currency":                      {nil, typed("S5.NOCUR"), false, "0", "0", "0", 0},
		"disks of the person's own":        {spec, func(c *providers.Change) { c.Disks = []providers.Disk{{Type: "CLOUD_SSD", SizeG: 1, Count: 1}} }, false, "5", "3650", "0", 0},
		"spot":                             {nil, func(c *providers.Change) { c.Charge = providers.Spot }, false, "3.36", "2452.8", "0", 1},
		"spot from the table":              {spec, func(c *providers.Change) { c.Charge = providers.Spot }, false, "5", "3650", "0", 0},
		"another zone":                     {nil, func(c *providers.Change) { c.Zone = "ap-guangzhou-4" }, false, "0", "0", "0", 0},
		"another zone in config":           {map[string]any{"zone": "ap-guangzhou-4"}, asIs, false, "0", "0", "0", 0},
		"the cluster's own zone":           {nil, func(c *providers.Change) { c.Zone = "ap-guangzhou-3" }, true, "3.36", "2452.8", "0", 1},
		"pods":                             {map[string]any{"hardware_source_type": "POD"}, asIs, false, "0", "0", "0", 0},
		"ordinary machines, said so":       {map[string]any{"hardware_source_type": "host"}, asIs, true, "3.36", "2452.8", "0", 1},
		"a group that is gone from config": {nil, func(c *providers.Change) { c.Group = "gone" }, false, "0", "0", "0", 0},
		"removing buys nothing":            {nil, func(c *providers.Change) { c.Delta, c.Charge = -1, "" }, true, "0", "0", "0", 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, tc.params, func(_ *providers.Account, e *providers.Env) { e.Prices = table })
			b.always("InquiryPriceScaleOutInstance", price(`"4.20"`, `"3.36"`, `"s"`))
			q, err := b.quote(t, tc.edit)
			require.NoError(t, err)
			require.Equal(t, tc.known, q.Known, "%+v", q)
			for what, pair := range map[string][2]decimal.Decimal{
				"hourly": {dec(tc.hourly), q.Hourly}, "monthly": {dec(tc.monthly), q.Monthly}, "committed": {dec(tc.committed), q.Committed},
			} {
				require.True(t, pair[0].Equal(pair[1]), "%s %s", what, pair[1])
			}
			if !tc.known {
				require.NotEmpty(t, q.Reason.ZH)
			}
			require.Len(t, b.of("InquiryPriceScaleOutInstance"), tc.asks)
		})
	}
	t.Run("no zone number", func(t *testing.T) {
		b := newBench(t, nil)
		q, err := b.p.Quote(context.Background(), change("task", 1), providers.Snapshot{})
		require.NoError(t, err)
		require.False(t, q.Known)
	})
}
