package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

const november = "budget/data/2026-11"

func entry(id string, amount int64) *flow.Entry {
	return &flow.Entry{Flow: id, User: "U1", Cluster: "emr", Group: "task", Nodes: 1, Amount: decimal.NewFromInt(amount), Currency: "CNY", Priced: true}
}

// post makes a move with postings under a claim of its own.
func (b *bench) post(id string, to flow.State, postings ...flow.Posting) error {
	b.t.Helper()
	c := b.claim(id)
	f, _, err := b.Get(b.t.Context(), id)
	require.NoError(b.t, err)
	from := f.State
	f.State = to
	_, err = b.Save(b.t.Context(), c, flow.Save{Flow: f, From: from, Due: b.now, Now: b.now, Postings: postings, Audit: flow.Audit{Actor: "scalebot", Action: "test"}})
	if err != nil {
		require.NoError(b.t, b.Release(b.t.Context(), c, b.now))
	}
	return err
}

func (b *bench) book(name string) flow.Book {
	b.t.Helper()
	got, err := b.Book(b.t.Context(), name)
	require.NoError(b.t, err)
	return got
}

func TestABookIsWrittenByTheMoveAlone(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	require.Equal(t, flow.Book{}, b.book(november))
	zero := int64(0)
	require.NoError(t, b.post("F-1", flow.Queued, flow.Posting{Book: november, Entry: entry("F-1", 7), Seen: &zero, Anew: true}))
	got := b.book(november)
	require.EqualValues(t, 1, got.Version)
	require.Equal(t, "7", got.Entries[0].Amount.String())

	// The same again, as every further save of the flow says it, is no news.
	require.NoError(t, b.post("F-1", flow.Queued, flow.Posting{Book: november, Entry: entry("F-1", 7)}))
	require.EqualValues(t, 1, b.book(november).Version)

	// One that was judged by an older version writes nothing at all.
	b.accept("F-2")
	moves := len(audit(b))
	require.ErrorIs(t, b.post("F-2", flow.Queued, flow.Posting{Book: november, Entry: entry("F-2", 1), Seen: &zero, Anew: true}), flow.ErrLedger)
	f, _, err := b.Get(t.Context(), "F-2")
	require.NoError(t, err)
	require.Equal(t, flow.Planning, f.State)
	require.EqualValues(t, 1, f.Version)
	require.Len(t, audit(b), moves)
	require.Len(t, b.book(november).Entries, 1)

	// Another illegal move does not touch the book either.
	require.ErrorIs(t, b.post("F-2", flow.Running, flow.Posting{Book: november, Entry: entry("F-2", 1)}), flow.ErrIllegal)
	require.EqualValues(t, 1, b.book(november).Version)

	used := entry("F-1", 7)
	used.Used = true
	require.NoError(t, b.post("F-1", flow.Queued, flow.Posting{Book: november, Entry: used}))
	require.True(t, b.book(november).Entries[0].Used)
	require.EqualValues(t, 1, b.book(november).Entries[0].Place, "it keeps its place")
	require.NoError(t, b.post("F-1", flow.Queued, flow.Posting{Book: november, Entry: entry("F-1", 9), Anew: true}))
	require.EqualValues(t, 3, b.book(november).Entries[0].Place, "more than before comes last")

	require.NoError(t, b.post("F-1", flow.Cancelled, flow.Posting{Book: november}))
	require.Empty(t, b.book(november).Entries)
	require.EqualValues(t, 4, b.book(november).Version)
}

func TestAnEntryThatCanNotBeReadIsAnError(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.rdb.HSet(t.Context(), "test:{T1}:book:"+november, "f:F-1", "1 {").Err())
	_, err := b.Book(t.Context(), november)
	require.ErrorContains(t, err, "F-1")
}

func TestABookOutlivesItsYear(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	require.NoError(t, b.post("F-1", flow.Queued, flow.Posting{Book: november, Entry: entry("F-1", 7)}))
	ttl, err := b.rdb.TTL(t.Context(), "test:{T1}:book:"+november).Result()
	require.NoError(t, err)
	require.Greater(t, ttl, 366*24*time.Hour)
}

// Many flows race for a rest that holds four of them: each reads what is left,
// and reserves only if its share still fits.
func TestFlowsThatRaceForTheSameRestNeverTakeMoreThanThereIs(t *testing.T) {
	b := newBench(t)
	const flows, room = 24, 4
	for i := range flows {
		b.accept(fmt.Sprintf("F-%02d", i))
	}
	claims, err := b.Claim(t.Context(), flow.LaneStep, b.now, time.Minute, flows)
	require.NoError(t, err)
	require.Len(t, claims, flows)
	var wg sync.WaitGroup
	var mu sync.Mutex
	took, again := 0, 0
	for _, c := range claims {
		wg.Go(func() {
			ctx := context.Background()
			for {
				book, err := b.Book(ctx, november)
				if err != nil || len(book.Entries) >= room {
					return
				}
				f, _, err := b.Get(ctx, c.ID)
				if err != nil {
					return
				}
				f.State = flow.Queued
				_, err = b.Save(ctx, c, flow.Save{
					Flow: f, From: flow.Planning, Due: b.now, Now: b.now, Audit: flow.Audit{Actor: "scalebot", Action: "test"},
					Postings: []flow.Posting{{Book: november, Entry: entry(c.ID, 1), Seen: &book.Version, Anew: true}},
				})
				mu.Lock()
				switch {
				case err == nil:
					took++
				case errors.Is(err, flow.ErrLedger):
					again++
				}
				mu.Unlock()
				if !errors.Is(err, flow.ErrLedger) {
					return
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, room, took)
	require.Len(t, b.book(november).Entries, room)
	t.Logf("%d were judged again", again)
}

func mandate(id string) approvals.Mandate {
	return approvals.Mandate{ID: id, By: "U1", Cluster: "emr", Group: "task", Nodes: 3, Max: decimal.NewFromInt(5), Currency: "CNY", At: noon, Until: noon.Add(time.Hour), Groups: []string{"leads"}}
}

func TestAMandateIsSignedOnceAndRevokedOnce(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	m := mandate("M-1")
	note := flow.Audit{Actor: "U1", Action: "sign_mandate"}
	b.sign(m)
	_, err := b.SignMandate(ctx, m, "", note)
	require.ErrorIs(t, err, flow.ErrIDTaken)
	got := b.book("mandate/M-1")
	require.Equal(t, m, *got.Mandate)
	require.EqualValues(t, 1, got.Version)
	require.Len(t, audit(b), 1)

	gone := m
	gone.Revoked = &approvals.Revocation{By: "U2", At: noon.Add(time.Minute)}
	require.NoError(t, b.RevokeMandate(ctx, m, gone, flow.Audit{Actor: "U2", Action: "revoke_mandate"}))
	require.ErrorIs(t, b.RevokeMandate(ctx, m, gone, note), flow.ErrStale, "it was read before somebody else revoked it")
	require.ErrorIs(t, b.RevokeMandate(ctx, mandate("M-2"), gone, note), flow.ErrNotFound)
	require.EqualValues(t, 2, b.book("mandate/M-1").Version)
	require.Len(t, audit(b), 2)

	// A move that was judged before writes nothing.
	b.accept("F-1")
	seen := int64(1)
	require.ErrorIs(t, b.post("F-1", flow.Queued, flow.Posting{Book: "mandate/M-1", Entry: entry("F-1", 1), Seen: &seen}), flow.ErrLedger)
}

func TestWhichMandatesAreRead(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	b.sign(mandate("M-1"))
	later := mandate("M-2")
	later.Until = noon.Add(3 * time.Hour)
	b.sign(later)
	ids := func(since time.Time) (ids []string) {
		books, err := b.Mandates(ctx, since)
		require.NoError(t, err)
		for _, x := range books {
			ids = append(ids, x.Mandate.ID)
		}
		return ids
	}
	require.Equal(t, []string{"M-1", "M-2"}, ids(noon))
	require.Equal(t, []string{"M-2"}, ids(noon.Add(time.Hour)))
	require.Empty(t, ids(noon.Add(4*time.Hour)))

	// The index does not grow for ever.
	much := mandate("M-3")
	much.At, much.Until = noon.Add(200*24*time.Hour), noon.Add(201*24*time.Hour)
	b.sign(much)
	require.Equal(t, []string{"M-3"}, ids(time.Time{}))

	require.NoError(t, b.rdb.HSet(ctx, "test:{T1}:book:mandate/M-3", "m", "{").Err())
	_, err := b.Mandates(ctx, noon)
	require.ErrorContains(t, err, "M-3", "what was taken of it must not be forgotten")
}

// Many flows race for the last three nodes of a mandate, and somebody revokes it in
// the midst of it: no more than three get through, and none of them is lost.
func TestARaceForTheLastNodesOfAMandate(t *testing.T) {
	b := newBench(t)
	m := mandate("M-1")
	b.sign(m)
	const flows = 16
	for i := range flows {
		b.accept(fmt.Sprintf("F-%02d", i))
	}
	claims, err := b.Claim(t.Context(), flow.LaneStep, b.now, time.Minute, flows)
	require.NoError(t, err)
	var wg sync.WaitGroup
	var mu sync.Mutex
	took := 0
	for i, c := range claims {
		wg.Go(func() {
			ctx := context.Background()
			if i == flows/2 {
				gone := m
				gone.Revoked = &approvals.Revocation{By: "U2", At: noon}
				_ = b.RevokeMandate(ctx, m, gone, flow.Audit{Actor: "U2", Action: "revoke_mandate"})
			}
			for {
				book, err := b.Book(ctx, "mandate/M-1")
				if err != nil || len(book.Entries) >= m.Nodes || book.Mandate.Revoked != nil {
					return
				}
				f, _, err := b.Get(ctx, c.ID)
				if err != nil {
					return
				}
				f.State = flow.Queued
				_, err = b.Save(ctx, c, flow.Save{
					Flow: f, From: flow.Planning, Due: b.now, Now: b.now, Audit: flow.Audit{Actor: "scalebot", Action: "test"},
					Postings: []flow.Posting{{Book: "mandate/M-1", Entry: entry(c.ID, 1), Seen: &book.Version, Anew: true}},
				})
				if err == nil {
					mu.Lock()
					took++
					mu.Unlock()
				}
				if !errors.Is(err, flow.ErrLedger) {
					return
				}
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, took, m.Nodes)
	book := b.book("mandate/M-1")
	require.Len(t, book.Entries, took)
	require.NotNil(t, book.Mandate.Revoked)
}

func (b *bench) sign(m approvals.Mandate) {
	b.t.Helper()
	id, err := b.SignMandate(b.t.Context(), m, "", flow.Audit{Actor: m.By, Action: "sign_mandate"})
	require.NoError(b.t, err)
	require.Equal(b.t, m.ID, id)
}

// Slack delivers a mention again whose ack it did not see: one mandate, not two.
func TestAMandateIsSignedOnceHoweverOftenItIsDelivered(t *testing.T) {
	b := newBench(t)
	note := flow.Audit{Actor: "U1", Action: "sign_mandate"}
	m := mandate("M-1")
	id, err := b.SignMandate(t.Context(), m, "delivery", note)
	require.NoError(t, err)
	require.Equal(t, "M-1", id)
	m.ID = "M-2"
	id, err = b.SignMandate(t.Context(), m, "delivery", note)
	require.NoError(t, err)
	require.Equal(t, "M-1", id)
	all, err := b.Mandates(t.Context(), m.At)
	require.NoError(t, err)
	require.Len(t, all, 1)
}

// A commitment outlives its flow by up to a term: its id is not given again.
func TestAnIDOfACommitmentIsTaken(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.rdb.HSet(t.Context(), "test:{T1}:commitment:F-1", "j", "{}").Err())
	_, _, err := b.Accept(t.Context(), newFlow("F-1"), "one", flow.Limits{})
	require.ErrorIs(t, err, flow.ErrIDTaken)
}
