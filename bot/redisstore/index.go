package redisstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"scalebot/bot/flow"
)

// indexTTL is how long the index of a person or a cluster lives after its last entry.
// A record is kept for the retention after its end, not after its beginning; one
// retention would take the index away before what it leads to.
const indexTTL = 2 * Retention

const (
	// catchUpLook and catchUpPut bound one script of a catch-up, which keeps Redis
	// from everybody else: flows looked at, and records read to be put in an index.
	catchUpLook = 2000
	catchUpPut  = 100
	// catchUpTries bounds how often a catch-up begins anew for flows that were recorded
	// meanwhile, and how often a walk has it try before it reads without an index.
	catchUpTries = 3
)

// lacking is for the scripts below: whether flows of all from a score on are not in
// the indexes. An earlier version trims all alone, so what stands in indexed from
// before the oldest of all does not count.
const lacking = `
local function oldest(all) return redis.call('ZRANGE', all, 0, 0, 'WITHSCORES')[2] end
local function lacking(all, indexed, from)
  return redis.call('ZCOUNT', all, from, '+inf') - redis.call('ZCOUNT', indexed, from, '+inf')
end
`

// The answers of shortest.
const (
	indexBehind = "behind"
	indexEmpty  = "empty"
)

var (
	// shortest chooses among indexes that all have what is looked for. Its start is the
	// oldest flow of all where that is later than what was asked for: an index of one
	// person is trimmed only when they ask for something.
	//
	// KEYS 1 all, 2 indexed, 3… the indexes. ARGV 1 since ms ("" = always).
	// Returns {"ok", place in 3… of the one with the fewest flows, from 1, its start
	// ms}, {"empty"} where there is no flow at all, or {"behind"} when flows are
	// missing in them.
	shortest = redis.NewScript(lacking + `
local from = oldest(KEYS[1])
if not from then return {'empty'} end
if ARGV[1] ~= '' and tonumber(ARGV[1]) > tonumber(from) then from = ARGV[1] end
if lacking(KEYS[1], KEYS[2], from) ~= 0 then return {'behind'} end
local best, fewest
for i = 3, #KEYS do
  local n = redis.call('ZCOUNT', KEYS[i], from, '+inf')
  if not best or n < fewest then best, fewest = i - 2, n end
end
return {'ok', tostring(best), from}
`)

	// catchUp puts flows of all in the indexes that are missing there, newest first,
	// until as many are in as there are. It reads whose a flow is in one breath with
	// putting it there: of a record that is gone nothing is put, and whoever brings it
	// back does (graft).
	//
	// KEYS 1 all, 2 indexed. ARGV 1 what the keys of flows begin with, 2 of by:user, 3
	// of by:cluster, 4 ttl s of these, 5 place in all, from 0, to go on at, 6 flows to
	// look at, 7 flows to put in at most.
	// Returns the place to go on at, or -1 when nothing is missing any more.
	catchUp = script(lacking + `
local low = oldest(KEYS[1])
if not low then return -1 end
local at, put = tonumber(ARGV[5]), 0
local flows = redis.call('ZREVRANGE', KEYS[1], at, at + tonumber(ARGV[6]) - 1, 'WITHSCORES')
for i = 1, #flows, 2 do
  local id, made = flows[i], flows[i + 1]
  if tonumber(redis.call('ZSCORE', KEYS[2], id) or '-1') ~= tonumber(made) then
    if put == tonumber(ARGV[7]) then return at end
    put = put + 1
    local record, keys = redis.call('HGET', ARGV[1] .. id, 'j'), {}
    if record then
      local request = cjson.decode(record).request or {}
      local change = (request.wish or {}).change or {}
      keys = {ARGV[2] .. (request.user or ''), ARGV[3] .. (change.cluster or '')}
    end
    index(KEYS[2], keys, id, made, ARGV[4])
  end
  at = at + 1
end
local n = lacking(KEYS[1], KEYS[2], low)
if n == 0 then return -1 end
if #flows > 0 then return at end
-- All of it was seen. Flows that came meanwhile are at its beginning. More in indexed
-- than there are: only anew can it be said which.
if n < 0 then redis.call('DEL', KEYS[2]) end
return 0
`)
)

// indexFor chooses the index that a walk reads, and the score it reads down to; "" if
// there is nothing to read.
//
// Who asks for open flows gets the index of these, also of one person or cluster: it
// is short, and the only one that keeps a flow which is open for longer than the
// retention.
func (s *Store) indexFor(ctx context.Context, q flow.Filter) (index, oldest string, err error) {
	since := ""
	if !q.Since.IsZero() {
		since = strconv.FormatInt(ms(q.Since), 10)
	}
	oldest = since
	if since == "" {
		oldest = "-inf"
	}
	var own []string
	if q.User != "" {
		own = append(own, s.keys.byUser(q.User))
	}
	if q.Cluster != "" {
		own = append(own, s.keys.byCluster(q.Cluster))
	}
	switch {
	case q.Open:
		return s.keys.open(), oldest, nil
	case own == nil:
		return s.keys.all(), oldest, nil
	}
	for range catchUpTries {
		got, err := shortest.Run(ctx, s.rdb, append([]string{s.keys.all(), s.keys.indexed()}, own...), since).StringSlice()
		switch {
		case err != nil:
			return "", "", answer("", err)
		case got[0] == indexEmpty:
			return "", "", nil
		case got[0] == indexBehind:
			if err := s.CatchUp(ctx); err != nil {
				return "", "", err
			}
			continue
		}
		best, err := strconv.Atoi(got[1])
		if err != nil || best < 1 || best > len(own) {
			return "", "", fmt.Errorf("redis: the choice of an index answered %q", got)
		}
		return own[best-1], got[2], nil
	}
	return s.keys.all(), oldest, nil // slow, and right
}

// CatchUp puts the flows that an earlier version recorded in the indexes of their
// person and cluster. Walk does it when it must; done before, at a start, nobody waits
// for it. What it did stays done when it is cut short.
func (s *Store) CatchUp(ctx context.Context) error {
	at := int64(0)
	for round := 0; round < catchUpTries; {
		var err error
		at, err = catchUp.Run(ctx, s.rdb, []string{s.keys.all(), s.keys.indexed()},
			s.keys.flow(""), s.keys.byUser(""), s.keys.byCluster(""), int(indexTTL.Seconds()), at, catchUpLook, catchUpPut).Int64()
		if err != nil {
			return answer("", err)
		}
		switch at {
		case -1:
			return nil
		case 0:
			round++
		}
	}
	return nil // flows come faster than they are put in; whoever reads looks again
}
