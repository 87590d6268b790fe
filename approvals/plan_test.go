package approvals

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

func TestPlanKeepsWhatItWasMadeOf(t *testing.T) {
	p := basePlan()
	require.Equal(t, []any{3, 5, 7, "2"}, []any{p.Base, p.Target, p.Nodes, p.Status})
	require.Len(t, p.Hash, 64)
}

func TestEqualWorldsHashEqually(t *testing.T) {
	want := basePlan().Hash
	for name, edit := range map[string]func(*providers.Change, *providers.Snapshot, *providers.Quote){
		"looked at later": func(_ *providers.Change, s *providers.Snapshot, q *providers.Quote) {
			s.At, q.At = noon.Add(time.Hour), noon.Add(time.Hour)
		},
		"3.5 is 3.50": func(_ *providers.Change, _ *providers.Snapshot, q *providers.Quote) {
			q.Hourly = dec("3.50")
			q.Monthly = dec("2.555e3")
		},
		"no nodes is no nodes": func(c *providers.Change, _ *providers.Snapshot, _ *providers.Quote) {
			c.Nodes, c.Tags = []string{}, map[string]string{}
		},
		"another group moved":    func(_ *providers.Change, s *providers.Snapshot, _ *providers.Quote) { s.Groups[1].Count = 9 },
		"the cloud's own status": func(_ *providers.Change, s *providers.Snapshot, _ *providers.Quote) { s.Status = "8" },
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, want, basePlan(edit).Hash) })
	}
	t.Run("stored and read again", func(t *testing.T) {
		p := basePlan(prepaid)
		data, err := json.Marshal(p)
		require.NoError(t, err)
		var back Plan
		require.NoError(t, json.Unmarshal(data, &back))
		require.Equal(t, p.Hash, back.digest())
		require.True(t, Verdict{Status: Approved, Ballot: Ballot{PlanHash: p.Hash}}.Permits(back))
	})
}

// TestEveryFieldOfChangeIsHashed walks the struct, so that a field added to
// Change later, or one hidden from JSON, can't slip past a vote.
func TestEveryFieldOfChangeIsHashed(t *testing.T) {
	seen := map[string]string{basePlan().Hash: "the base"}
	typ := reflect.TypeFor[providers.Change]()
	for i := range typ.NumField() {
		name := typ.Field(i).Name
		p := basePlan(func(c *providers.Change, s *providers.Snapshot, _ *providers.Quote) {
			touch(t, reflect.ValueOf(c).Elem().Field(i))
			s.Groups[0].ID = c.GroupID
		})
		require.Empty(t, seen[p.Hash], "%s is not in the hash", name)
		seen[p.Hash] = name
		require.NotEmpty(t, Drift(basePlan(), p, 0), "%s does not void the votes", name)
		stale := basePlan()
		touch(t, reflect.ValueOf(&stale.Change).Elem().Field(i))
		require.False(t, Verdict{Status: Approved, Ballot: Ballot{PlanHash: stale.Hash}}.Permits(stale), name)
	}
}

func touch(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() { //nolint:exhaustive // the default fails the test
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem())) // nil and false are two wishes
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem())
	default:
		t.Fatalf("teach this test to change a %s", v.Kind())
	}
}

func TestEverythingElseThatIsHashed(t *testing.T) {
	seen := map[string]string{basePlan().Hash: "the base"}
	for name, edit := range map[string]func(*providers.Change, *providers.Snapshot, *providers.Quote){
		"base": func(_ *providers.Change, s *providers.Snapshot, _ *providers.Quote) { s.Groups[0].Count = 4 },
		"base and delta, one target": func(c *providers.Change, s *providers.Snapshot, _ *providers.Quote) {
			s.Groups[0].Count, c.Delta = 4, 1
		},
		"known":     func(_ *providers.Change, _ *providers.Snapshot, q *providers.Quote) { q.Known = false },
		"currency":  func(_ *providers.Change, _ *providers.Snapshot, q *providers.Quote) { q.Currency = "USD" },
		"hourly":    func(_ *providers.Change, _ *providers.Snapshot, q *providers.Quote) { q.Hourly = dec("3.51") },
		"monthly":   func(_ *providers.Change, _ *providers.Snapshot, q *providers.Quote) { q.Monthly = dec("2555.0001") },
		"committed": func(_ *providers.Change, _ *providers.Snapshot, q *providers.Quote) { q.Committed = dec("3.5") },
	} {
		h := basePlan(edit).Hash
		require.Empty(t, seen[h], name)
		seen[h] = name
	}
}

func TestDrift(t *testing.T) {
	type edit = func(*providers.Change, *providers.Snapshot, *providers.Quote)
	price := func(hourly, monthly, committed string) edit {
		return func(_ *providers.Change, _ *providers.Snapshot, q *providers.Quote) {
			*q = providers.Quote{Known: true, Currency: "CNY", Hourly: dec(hourly), Monthly: dec(monthly), Committed: dec(committed)}
		}
	}
	same := func(*providers.Change, *providers.Snapshot, *providers.Quote) {}
	for _, c := range []struct {
		name         string
		voted, fresh edit
		tolerance    float64
		want         []Difference
	}{
		{"nothing moved", same, same, 0, nil},
		{"a better price stands", price("10", "100", "1000"), price("9", "99", "1"), 0, nil},
		{"exactly the tolerance stands", price("10", "100", "1000"), price("10.5", "105", "1050"), 0.05, nil},
		{"a hair above does not", price("10", "100", "1000"), price("10.5", "105", "1050.0000000001"), 0.05,
			[]Difference{{PriceUp, "committed", "1000 CNY", "1050.0000000001 CNY"}}},
		{"exact where doubles are not", price("0.1", "0", "0"), price("0.110", "0", "0"), 0.1, nil},
		{"each amount by itself", price("10", "100", "1000"), price("11", "120", "1"), 0.15,
			[]Difference{{PriceUp, "monthly", "100 CNY", "120 CNY"}}},
		{"all of them, in one order", price("1", "1", "1"), price("2", "2", "2"), 0.5,
			[]Difference{{PriceUp, "committed", "1 CNY", "2 CNY"}, {PriceUp, "hourly", "1 CNY", "2 CNY"}, {PriceUp, "monthly", "1 CNY", "2 CNY"}}},
		{"from nothing to something", price("0", "0", "0"), price("0", "0", "0.01"), 1, []Difference{{PriceUp, "committed", "0 CNY", "0.01 CNY"}}},
		{"a tolerance that can't be is none", price("10", "1", "1"), price("10.1", "1", "1"), math.NaN(), []Difference{{PriceUp, "hourly", "10 CNY", "10.1 CNY"}}},
		{"nor is one above all prices", price("10", "1", "1"), price("10.1", "1", "1"), math.Inf(1), []Difference{{PriceUp, "hourly", "10 CNY", "10.1 CNY"}}},
		{"nor a negative one", price("10", "1", "1"), price("10", "1", "1"), -0.5, nil},
		{"another currency", same, func(_ *providers.Change, _ *providers.Snapshot, q *providers.Quote) { q.Currency = "USD" }, 1, []Difference{{PriceUp, "currency", "CNY", "USD"}}},
		{"free in any currency", removal, func(c *providers.Change, s *providers.Snapshot, q *providers.Quote) {
			removal(c, s, q)
			q.Currency = ""
		}, 0, nil},
		{"a price that got lost", same, unpriced, 1, []Difference{{PriceLost, "", "2555 CNY", ""}}},
		{"a price that got lost, of a term", prepaid, func(c *providers.Change, s *providers.Snapshot, q *providers.Quote) {
			prepaid(c, s, q)
			q.Known = false
		}, 1,
			[]Difference{{PriceLost, "", "8412 CNY", ""}}},
		{"a price that was found stands", unpriced, same, 0, nil},
		{"still unknown stands", unpriced, unpriced, 0, nil},
		{"the base moved", same, func(_ *providers.Change, s *providers.Snapshot, _ *providers.Quote) { s.Groups[0].Count = 4 }, 0, []Difference{{BaseMoved, "", "3", "4"}}},
		{"make it five, on another base", same, func(c *providers.Change, s *providers.Snapshot, _ *providers.Quote) {
			s.Groups[0].Count, c.Delta = 4, 1
		}, 0,
			[]Difference{{BaseMoved, "", "3", "4"}}},
		{"another delta on the same base", same, func(c *providers.Change, _ *providers.Snapshot, _ *providers.Quote) { c.Delta = 3 }, 0, []Difference{{ChangeMoved, "delta", "2", "3"}}},
		{"other nodes chosen", removal, func(c *providers.Change, s *providers.Snapshot, q *providers.Quote) {
			removal(c, s, q)
			c.Nodes = []string{"ins-2"}
		}, 0,
			[]Difference{{ChangeMoved, "nodes", `["ins-1"]`, `["ins-2"]`}}},
		{"config changed", same, func(c *providers.Change, _ *providers.Snapshot, _ *providers.Quote) { c.Profile = "p2" }, 0, []Difference{{ChangeMoved, "profile", "p1", "p2"}}},
		{"a field that wasn't there", same, func(c *providers.Change, _ *providers.Snapshot, _ *providers.Quote) { c.Zone = "z-1" }, 0, []Difference{{ChangeMoved, "zone", "", "z-1"}}},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, Drift(basePlan(c.voted), basePlan(c.fresh), c.tolerance)) })
	}
	t.Run("a target that does not follow", func(t *testing.T) {
		p := basePlan()
		p.Target = 50
		require.Equal(t, []Difference{{ChangeMoved, "target", "5", "50"}}, Drift(basePlan(), p, 0))
	})
}
