package huaweimrs

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// rated is an answer of the price service that prices so many items.
func rated(amount string, items int, more string) answer {
	var results []string
	for i := range items {
		results = append(results, fmt.Sprintf(`{"id":"%d","amount":1}`, i+1))
	}
	return ok(fmt.Sprintf(`{"amount":%s,"official_website_amount":99.9,"measure_id":1%s,"product_rating_results":[%s]}`, amount, more, strings.Join(results, ",")))
}

// quote resolves what edit makes of task +2 and asks for its price.
func (b *bench) quote(t *testing.T, edit func(*providers.Change)) (providers.Quote, error) {
	t.Helper()
	c := change("task", 2)
	edit(&c)
	s := b.observe(t)
	c, err := b.p.Resolve(c, s)
	require.NoError(t, err)
	return b.p.Quote(context.Background(), c, s)
}

func withPrices(rows providers.PriceTable) func(*providers.Account, *providers.Env) {
	return func(_ *providers.Account, e *providers.Env) { e.Prices = rows }
}

// Only the config's table prices MRS nodes exactly; then nobody is asked.
func TestQuoteFromTheTable(t *testing.T) {
	const flavour, first = "c6.4xlarge.4.linux.bigdata", "s3.xlarge.2.linux.bigdata"
	table := providers.PriceTable{
		flavour:   {Currency: "CNY", Hourly: dec("2.5")},
		first:     {Currency: "CNY", Hourly: dec("1.25"), Monthly: dec("600")},
		"monthly": {Currency: "CNY", Monthly: dec("600")},
	}
	sas := func(c *providers.Change) { c.Disks = []providers.Disk{{Type: "SAS", SizeG: 100, Count: 1}} }
	for name, tc := range map[string]struct {
		world  world
		edit   func(*providers.Change)
		known  bool
		hourly string
		asked  int
	}{
		"like the others of the group":     {world{cores: 3, tasks: 2}, asIs, true, "5", 0},
		"core nodes":                       {world{cores: 3}, func(c *providers.Change) { c.Group, c.GroupID = "core", coreGroup }, true, "5", 0},
		"the first nodes of config":        {world{cores: 3}, asIs, true, "2.5", 0},
		"the first nodes, typed":           {world{cores: 3}, func(c *providers.Change) { c.InstanceType = flavour }, true, "5", 0},
		"with the disks of config, typed":  {world{cores: 3}, func(c *providers.Change) { c.Disks = []providers.Disk{{Type: "sata", SizeG: 200, Count: 2}} }, true, "2.5", 0},
		"with disks of the person's own":   {world{cores: 3}, sas, false, "2.5", 0},
		"a flavour that has no hourly row": {world{cores: 3}, func(c *providers.Change) { c.InstanceType = "monthly" }, false, "0", 0},
		"a flavour of no row":              {world{cores: 3}, func(c *providers.Change) { c.InstanceType = "c7.large.2.linux.bigdata" }, false, "9.5", 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, firstParams(), withPrices(table))
			b.always(rating, rated("9.5", 2, ""))
			b.cluster(tc.world)
			q, err := b.quote(t, tc.edit)
			require.NoError(t, err)
			require.Equal(t, tc.known, q.Known, "%+v", q)
			require.Equal(t, tc.hourly, q.Hourly.String())
			require.True(t, q.Monthly.Equal(q.Hourly.Mul(decimal.NewFromInt(730))))
			require.True(t, q.Committed.IsZero())
			require.Equal(t, noon, q.At)
			if !tc.known {
				require.NotEmpty(t, q.Reason.EN)
				require.NotEmpty(t, q.Reason.ZH)
			}
			require.Len(t, b.of(rating), tc.asked)
		})
	}
	t.Run("removing buys nothing", func(t *testing.T) {
		b := newBench(t, nil)
		q, err := b.quote(t, func(c *providers.Change) { c.Delta, c.Charge = -1, "" })
		require.NoError(t, err)
		require.True(t, q.Known && q.Hourly.IsZero() && q.Monthly.IsZero() && q.Committed.IsZero())
		require.Empty(t, b.of(rating))
	})
}

// Without a row the machines and disks are priced, and the quote says what it
// leaves out.
func TestAtLeastOnTheWire(t *testing.T) {
	b := newBench(t, nil)
	b.always(rating, rated(`"12.345678"`, 3, `,"currency":"CNY"`))
	q, err := b.quote(t, asIs)
	require.NoError(t, err)
	require.False(t, q.Known, "the fee of MRS is not in it")
	require.Equal(t, "12.345678", q.Hourly.String(), "what is paid, not the list price")
	require.Contains(t, q.Reason.EN, "at least 12.345678 CNY per hour for ECS and disks")
	require.Contains(t, q.Reason.EN, "c6.4xlarge.4.linux.bigdata")
	require.Contains(t, q.Reason.ZH, "12.345678 CNY")
	require.Less(t, len(q.Reason.EN), 300)
	require.Less(t, len(q.Reason.ZH), 300)

	c := b.of(rating)[0]
	require.Equal(t, "/v2/bills/ratings/on-demand-resources", c.path)
	require.Equal(t, "did", c.header.Get("X-Domain-Id"))
	item := func(id, service, resource, spec string, n float64, size ...float64) map[string]any {
		m := map[string]any{
			"id": id, "cloud_service_type": service, "resource_type": resource, "resource_spec": spec, "region": "cn-north-4",
			"usage_factor": "Duration", "usage_value": "1", "usage_measure_id": 4.0, "subscription_num": n,
		}
		if len(size) > 0 {
			m["resource_size"], m["size_measure_id"] = size[0], 17.0
		}
		return m
	}
	require.Equal(t, map[string]any{"project_id": "pid", "product_infos": []any{
		item("1", "hws.service.type.ec2", "hws.resource.type.vm", "c6.4xlarge.4.linux", 2),
		item("2", "hws.service.type.ebs", "hws.resource.type.volume", "SAS", 2, 480),
		item("3", "hws.service.type.ebs", "hws.resource.type.volume", "SATA", 4, 200),
	}}, c.body)
}

// A price service that says nothing useful leaves the quote unknown, with a
// reason in both languages, and never zero and known or an error.
func TestPriceServiceThatDoesNotHelp(t *testing.T) {
	for name, tc := range map[string]struct {
		say  answer
		says string
	}{
		"no amount":           {ok(`{"measure_id":1,"product_rating_results":[]}`), "can't be reached or read"},
		"zero":                {rated("0", 3, ""), "can't be reached or read"},
		"negative":            {rated("-1", 3, ""), "can't be reached or read"},
		"words":               {rated(`"free"`, 3, ""), "can't be reached or read"},
		"the disks left out":  {rated("5", 1, ""), "can't be reached or read"},
		"not in yuan":         {ok(`{"amount":5,"measure_id":3,"product_rating_results":[{"id":"1","amount":1},{"id":"2","amount":1},{"id":"3","amount":1}]}`), "can't be reached or read"},
		"nothing":             {answer{}, "can't be reached or read"},
		"a gateway's page":    {answer{status: http.StatusBadGateway, body: "<html>"}, "can't be reached or read"},
		"throttled":           {fault(http.StatusTooManyRequests, "APIGW.0308"), "can't be reached or read"},
		"closed":              {answer{drop: true}, "can't be reached or read"},
		"a wrong parameter":   {fault(http.StatusBadRequest, "CBC.0101"), "does not price this (CBC.0101)"},
		"no right":            {fault(http.StatusForbidden, "CBC.0151"), "right to ask for prices"},
		"a key it won't take": {fault(http.StatusUnauthorized, "APIGW.0301"), "international accounts"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.always(rating, tc.say)
			q, err := b.quote(t, asIs)
			require.NoError(t, err)
			require.False(t, q.Known)
			require.True(t, q.Hourly.IsZero())
			require.Contains(t, q.Reason.EN, tc.says)
			require.Contains(t, q.Reason.EN, "prices in config has no hourly price for c6.4xlarge.4.linux.bigdata")
			require.NotEmpty(t, q.Reason.ZH)
			require.Len(t, b.of(rating), 1)
		})
	}
	t.Run("a flavour with no machine behind it", func(t *testing.T) {
		b := newBench(t, nil)
		c := change("task", 1)
		q, err := b.p.Quote(context.Background(), c, pool(3, providers.Node{ID: "t"}))
		require.NoError(t, err)
		require.False(t, q.Known)
		require.Contains(t, q.Reason.EN, "c6.task is no flavour")
		require.Empty(t, b.of(rating))
	})
	t.Run("no flavour at all", func(t *testing.T) {
		b := newBench(t, nil)
		q, err := b.p.Quote(context.Background(), change("task", 1), providers.Snapshot{})
		require.NoError(t, err)
		require.False(t, q.Known)
	})
	t.Run("a group that is gone from config", func(t *testing.T) {
		b := newBench(t, nil)
		c := change("task", 1)
		c.Group = "gone"
		q, err := b.p.Quote(context.Background(), c, pool(3))
		require.NoError(t, err)
		require.False(t, q.Known)
	})
}

// A price service that hangs takes a part of the caller's time and not all of
// it; a caller who has ended gets an error.
func TestPriceServiceThatHangs(t *testing.T) {
	b := newBench(t, nil)
	s := b.observe(t)
	hold := make(chan struct{})
	b.always(rating, answer{hold: hold})
	ctx, cancel := context.WithTimeout(context.Background(), 400*time.Millisecond)
	defer cancel()
	q, err := b.p.Quote(ctx, change("task", 2), s)
	require.NoError(t, err)
	require.NoError(t, ctx.Err(), "there is time left for the caller")
	require.False(t, q.Known)
	require.Contains(t, q.Reason.EN, "can't be reached")

	cancel()
	_, err = b.p.Quote(ctx, change("task", 2), s)
	requireKind(t, providers.Retry, err)
}

// Where config names no domain, IAM is asked once.
func TestDomainIsLookedUp(t *testing.T) {
	b := newBench(t, nil)
	b.p.(*provider).domain.given = ""
	b.always(listDomains, ok(`{"domains":[{"id":"looked-up","name":"me"}]}`))
	b.always(rating, rated("5", 3, ""))
	for range 2 {
		q, err := b.quote(t, asIs)
		require.NoError(t, err)
		require.Equal(t, "5", q.Hourly.String())
	}
	require.Len(t, b.of(listDomains), 1)
	require.Equal(t, "looked-up", b.of(rating)[1].header.Get("X-Domain-Id"))

	b.p.(*provider).domain.found = ""
	b.always(listDomains, ok(`{"domains":[]}`))
	q, err := b.quote(t, asIs)
	require.NoError(t, err)
	require.Contains(t, q.Reason.EN, "domain_id")
	require.Len(t, b.of(rating), 2, "without a payer nobody is asked")
}
