package alibabaack

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func priceAnswer(trade, currency string) string {
	return fmt.Sprintf(`{"PriceInfo":{"Price":{"OriginalPrice":99.9,"DiscountPrice":77.7,"TradePrice":%s,"Currency":%q}},"RequestId":"r"}`, trade, currency)
}

// quote prices what edit makes of a change, resolved as the engine does.
func (b *bench) quote(t *testing.T, c providers.Change, edit func(*providers.Change)) (providers.Quote, error) {
	t.Helper()
	edit(&c)
	s := b.observe(t, c)
	c, err := b.p.Resolve(c, s)
	require.NoError(t, err)
	return b.p.Quote(context.Background(), c, s)
}

func query(c call) string {
	var parts []string
	for _, p := range strings.Split(c.query.Encode(), "&") {
		parts = append(parts, strings.ReplaceAll(p, "%2F", "/"))
	}
	return strings.Join(parts, "&")
}

func TestQuoteOnTheWire(t *testing.T) {
	b := newBench(t)
	b.always("DescribePrice", ok(priceAnswer("2.160", "CNY")))
	q, err := b.quote(t, change("workers", 2), asIs)
	require.NoError(t, err)
	require.True(t, q.Known)
	require.Equal(t, "CNY", q.Currency)
	require.Equal(t, noon, q.At)
	require.Equal(t, "2.16", q.Hourly.String(), "what is paid: neither the list price nor the reduction")
	require.Equal(t, "1576.8", q.Monthly.String())
	require.True(t, q.Committed.IsZero())
	require.Contains(t, q.Reason.EN, "management fee")

	c := b.of("DescribePrice")[0]
	require.Equal(t, "POST /", c.method+" "+c.path)
	require.Equal(t, "2014-05-26", c.header.Get("X-Acs-Version"))
	require.True(t, strings.HasPrefix(c.header.Get("Authorization"), "ACS3-HMAC-SHA256 Credential="+keyID))
	require.Equal(t, "Amount=2&DataDisk.1.Category=cloud_ssd&DataDisk.1.Size=200&InstanceType=ecs.c5.xlarge&Period=1&PriceUnit=Hour&RegionId=cn-beijing&ResourceType=instance&SystemDisk.Category=cloud_efficiency&SystemDisk.Size=120", query(c))

	b.always("DescribePrice", ok(priceAnswer(`"16824.00"`, "CNY")))
	q, err = b.quote(t, change("legacy", 2), func(c *providers.Change) {
		prepaid(3)(c)
		c.InstanceType, c.Disks = "ecs.g7.large", []providers.Disk{{Type: "cloud_essd", SizeG: 40, Count: 2}}
	})
	require.NoError(t, err)
	require.True(t, q.Known, "%+v", q)
	require.Equal(t, "16824", q.Committed.String())
	require.Equal(t, "5608", q.Monthly.String())
	require.Equal(t, "7.6822", q.Hourly.String())
	require.Equal(t, "Amount=2&DataDisk.1.Category=cloud_essd&DataDisk.1.Size=40&DataDisk.2.Category=cloud_essd&DataDisk.2.Size=40&InstanceType=ecs.g7.large&Period=3&PriceUnit=Month&RegionId=cn-beijing&ResourceType=instance&SystemDisk.Category=cloud_efficiency&SystemDisk.Size=120", query(b.of("DescribePrice")[1]))

	_, err = b.quote(t, change("legacy", 1), prepaid(24))
	require.NoError(t, err)
	require.Contains(t, query(b.of("DescribePrice")[2]), "Period=2&PriceUnit=Year", "years are sold as years")
}

func TestQuoteOfENS(t *testing.T) {
	p := edgeParams()
	p["worker_data_disk_size"] = 50
	b := newBench(t, withParams("edge", p))
	b.clusterWith("running", `"profile":"Edge"`, "")
	b.always("DescribePrice", ok(priceAnswer("360.0", "CNY")))
	q, err := b.quote(t, change("edge", 2), asIs)
	require.NoError(t, err)
	require.True(t, q.Known)
	require.Equal(t, "360", q.Committed.String())
	require.Equal(t, "360", q.Monthly.String())
	c := b.of("DescribePrice")[0]
	require.Equal(t, "2017-11-10", c.header.Get("X-Acs-Version"))
	require.Equal(t, "DataDisk.1.Size=50&EnsRegionId=cn-beijing-telecom&InstanceType=ens.sn1.tiny&InternetChargeType=BandwidthByDay&Period=1&PeriodUnit=Month&Quantity=2&SystemDisk.Size=20", query(c))
	_, err = b.quote(t, change("edge", 2), prepaid(12))
	require.NoError(t, err)
	require.Contains(t, query(b.of("DescribePrice")[1]), "Period=12&PeriodUnit=Month")
}

// Odd answers are unknown prices and never zero; what may be answered later is
// an error.
func TestOddPrices(t *testing.T) {
	for name, a := range map[string]answer{
		"none":                ok(`{"PriceInfo":{"Price":{"Currency":"CNY"}}}`),
		"no info":             ok(`{"RequestId":"r"}`),
		"zero":                ok(priceAnswer("0", "CNY")),
		"negative":            ok(priceAnswer("-1", "CNY")),
		"words":               ok(priceAnswer(`"free"`, "CNY")),
		"no currency":         ok(priceAnswer("1", "")),
		"refused":             fault(400, "InvalidInstanceType.NotFound"),
		"refused somehow":     fault(400, "SomethingNew"),
		"nothing of the kind": fault(404, "InvalidResource.NotFound"),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.always("DescribePrice", a)
			q, err := b.quote(t, change("workers", 2), asIs)
			require.NoError(t, err)
			require.False(t, q.Known)
			require.NotEmpty(t, q.Reason.EN)
			require.NotEmpty(t, q.Reason.ZH)
			require.True(t, q.Hourly.IsZero())
		})
	}
	for want, a := range map[providers.Kind][]answer{
		providers.Retry: {fault(400, "Throttling.User"), fault(500, "InternalError"), fault(503, "SomethingNew"), {drop: true}, {status: 502, body: "<html>"}},
		providers.Auth:  {fault(403, "Forbidden.RAM"), fault(404, "InvalidAccessKeyId.NotFound")},
	} {
		for _, say := range a {
			b := newBench(t)
			b.always("DescribePrice", say)
			_, err := b.quote(t, change("workers", 2), asIs)
			require.Equal(t, want, providers.KindOf(err), "%+v", say)
		}
	}
}

// A quote is known only when it prices exactly what will be bought.
func TestWhatIsExact(t *testing.T) {
	pool := func(group string) func(*bench) {
		return func(b *bench) { p := web; p.group = group; b.cluster("running", p) }
	}
	const charged = `"instance_charge_type":"PostPaid","instance_types":["ecs.c5.xlarge"],`
	fiveDisks := `"data_disks":[` + strings.TrimSuffix(strings.Repeat(`{"category":"cloud_ssd","size":40},`, 5), ",") + `]`
	noDisk := workerParams()
	delete(noDisk, "worker_system_disk_size")
	delete(noDisk, "worker_data_disks")
	onlyDisks := workerParams()
	delete(onlyDisks, "worker_data_disk")
	for name, tc := range map[string]struct {
		group  string
		set    func(*bench)
		params map[string]any
		known  bool
		asks   string // of the first call
		says   string
	}{
		"the pool's own":        {"workers", pool(charged + `"system_disk_category":"cloud_essd","system_disk_size":40,"system_disk_performance_level":"PL2"`), nil, true, "SystemDisk.PerformanceLevel=PL2", "management fee"},
		"with bandwidth":        {"workers", pool(charged + `"internet_max_bandwidth_out":5,"internet_charge_type":"PayByTraffic"`), nil, true, "InternetChargeType=PayByTraffic&InternetMaxBandwidthOut=5", ""},
		"a custom image":        {"workers", pool(charged + `"image_id":"win-1"`), nil, true, "ImageId=win-1", ""},
		"five disks":            {"workers", pool(charged + fiveDisks), nil, false, "DataDisk.4.Size=40", "more than 4 data disks"},
		"provisioned IOPS":      {"workers", pool(charged + `"data_disks":[{"category":"cloud_auto","size":40,"provisioned_iops":1000}]`), nil, false, "", "provisioned IOPS"},
		"several disk kinds":    {"workers", pool(charged + `"system_disk_categories":["cloud_essd","cloud_ssd"]`), nil, false, "SystemDisk.Category=cloud_essd", "several system disk"},
		"one disk kind, listed": {"workers", pool(charged + `"system_disk_categories":["cloud_essd"]`), nil, true, "SystemDisk.Category=cloud_essd", ""},
		"spot":                  {"workers", pool(charged + `"spot_strategy":"SpotAsPriceGo"`), nil, false, "PriceUnit=Hour", "spot"},
		"types by pattern":      {"workers", pool(`"instance_charge_type":"PostPaid","instance_patterns":[{"cores":4}]`), nil, false, "", "by pattern"},
		"no types at all":       {"workers", pool(`"instance_charge_type":"PostPaid"`), nil, false, "", "does not say"},
		"params without a disk": {"legacy", func(*bench) {}, noDisk, false, "SystemDisk.Category=cloud_efficiency&SystemDisk.Size=120", "leave to the cloud"},
		"disks and none":        {"legacy", func(*bench) {}, workerParams(), false, "DataDisk.1.Size=500", "turn off"},
		"disks":                 {"legacy", func(*bench) {}, onlyDisks, true, "DataDisk.1.Size=500", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, withParams(tc.group, tc.params))
			tc.set(b)
			b.always("DescribePrice", ok(priceAnswer("3.5", "CNY")))
			q, err := b.quote(t, change(tc.group, 1), asIs)
			require.NoError(t, err)
			require.Equal(t, tc.known, q.Known, "%+v", q)
			require.Contains(t, q.Reason.EN, tc.says)
			if tc.asks != "" {
				require.Contains(t, query(b.of("DescribePrice")[0]), tc.asks)
			}
			if !tc.known && tc.asks != "" {
				require.Contains(t, q.Reason.EN, "CNY 2555.00 a month", "the card shows the reason only")
				require.Contains(t, q.Reason.ZH, "2555.00")
			}
		})
	}
}

// Which of several machine types is bought shows only afterwards.
func TestSeveralMachineTypes(t *testing.T) {
	p := web
	p.group = `"instance_charge_type":"PostPaid","instance_types":["a","b","c"]`
	for name, tc := range map[string]struct {
		prices []string
		known  bool
	}{
		"at different prices": {[]string{"1", "3", "2"}, false},
		"at one price":        {[]string{"3", "3.0", "3"}, true},
	} {
		b := newBench(t)
		b.cluster("running", p)
		for _, x := range tc.prices {
			b.next("DescribePrice", ok(priceAnswer(x, "CNY")))
		}
		q, err := b.quote(t, change("workers", 1), asIs)
		require.NoError(t, err)
		require.Equal(t, tc.known, q.Known, name)
		require.Equal(t, "3", q.Hourly.String(), "the dearest")
		require.Equal(t, !tc.known, strings.Contains(q.Reason.EN, "a, b, c"))
		require.Len(t, b.of("DescribePrice"), 3)
	}
	b := newBench(t)
	b.cluster("running", p)
	b.next("DescribePrice", ok(priceAnswer("1", "CNY")), fault(400, "InvalidInstanceType"))
	q, err := b.quote(t, change("workers", 1), asIs)
	require.NoError(t, err)
	require.False(t, q.Known, "one that can't be priced spoils the whole")
}

func TestPriceTable(t *testing.T) {
	table := providers.PriceTable{
		"ens.sn1.tiny":  {Currency: "CNY", Hourly: dec("0.35"), Monthly: dec("180")},
		"ecs.c5.xlarge": {Currency: "CNY", Hourly: dec("0.9")},
		"ecs.nocur":     {Hourly: dec("1")},
	}
	for name, tc := range map[string]struct {
		c                  providers.Change
		edit               func(*providers.Change)
		known              bool
		monthly, committed string
	}{
		"ENS by the month":     {change("edge", 2), prepaid(3), true, "360", "1080"},
		"ECS by the hour":      {change("workers", 2), asIs, true, "1314", "0"},
		"no monthly price":     {change("legacy", 1), prepaid(1), false, "0", "0"},
		"not in the table":     {change("legacy", 1), func(c *providers.Change) { c.InstanceType = "ecs.other" }, false, "0", "0"},
		"a row of no currency": {change("legacy", 1), func(c *providers.Change) { c.InstanceType = "ecs.nocur" }, false, "0", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			plain := workerParams()
			delete(plain, "worker_data_disks")
			b := newBench(t, withParams("legacy", plain), func(_ *providers.Account, e *providers.Env) { e.Prices = table })
			b.clusterWith("running", `"profile":"Edge"`, "", web)
			b.always("DescribePrice", fault(400, "InvalidInstanceType.NotFound"))
			q, err := b.quote(t, tc.c, tc.edit)
			require.NoError(t, err)
			require.Equal(t, tc.known, q.Known, "%+v", q)
			require.True(t, dec(tc.monthly).Equal(q.Monthly), "%s", q.Monthly)
			require.True(t, dec(tc.committed).Equal(q.Committed), "%s", q.Committed)
			require.NotEmpty(t, q.Reason.ZH)
			require.Equal(t, tc.known, strings.Contains(q.Reason.EN, "price table"))
		})
	}
}

func TestRemovingBuysNothing(t *testing.T) {
	b := newBench(t)
	p := web
	p.node = `"instance_charge_type":"PrePaid"`
	b.cluster("running", p)
	q, err := b.quote(t, change("workers", -1), func(c *providers.Change) { c.Nodes = []string{"i-np1-0"} })
	require.NoError(t, err)
	require.True(t, q.Known && q.Hourly.IsZero() && q.Monthly.IsZero() && q.Committed.IsZero())
	require.Contains(t, q.Reason.EN, "go on costing")
	require.Empty(t, b.of("DescribePrice"))
}

// Many quotes at once: the SDK's generic client is not safe to share.
func TestQuotesAtOnce(t *testing.T) {
	b := newBench(t)
	b.always("DescribePrice", ok(priceAnswer("1", "CNY")))
	s := b.observe(t, change("workers", 1))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			q, err := b.p.Quote(context.Background(), change("workers", 1), s)
			if err != nil || !q.Known {
				t.Errorf("%+v %v", q, err)
			}
		})
	}
	wg.Wait()
}
