package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"scalebot/bot/flow"
)

// graft writes a record over one that knows less, or where there is none
// (promises 4 and 5): the store came back older than what one replica did. It is
// no move of the table: what happened has happened. The lease is ended, so that a
// step which began on the older record saves nothing and sends nothing.
//
// A flow whose cluster's seat is another's meanwhile holds the cluster beside it:
// it is written down in the seat's set of those, nobody new gets the seat before
// all of them let go, and each of them may still be saved.
//
// KEYS 1 flow, 2 due:step, 3 seat, 4 line, 5 arrivals, 6 open, 7 audit, 8 all,
// 9 signals, 10 indexed, 11 by:user, 12 by:cluster, 13… the books of the postings.
// ARGV 1 base, 2 id, 3 version read (0 = there was no record), 4 state to be,
// 5 record, 6 schema, 7 version to be, 8 due ms (0 = none), 9 now ms, 10 seat,
// 11 created ms, 12 retention s, 13 hold beside ("1"),
// 14 ttl s of 11 and 12, 15 number of postings, then of each as in save; then audit
// fields.
// Returns "ok", "missing", "stale", "seat" or "nodue".
var graft = script(`
local base, id, to = ARGV[1], ARGV[2], ARGV[4]
local now, due = tonumber(ARGV[9]), tonumber(ARGV[8])
local f = redis.call('HMGET', KEYS[1], 's', 'v', 'n')
if ARGV[3] == '0' then
  if f[1] then return 'stale' end
else
  if not f[1] then return 'missing' end
  if f[2] ~= ARGV[3] or tonumber(f[3]) > tonumber(ARGV[6]) then return 'stale' end
end
local ended = not legal[to]
if not ended and due == 0 then return 'nodue' end
local holder = redis.call('GET', KEYS[3])
if holder and holder ~= id and not held(base, holder) then holder = false end
local other = holder and holder ~= id
if holds[to] and other and ARGV[13] ~= '1' then return 'seat' end

redis.call('HSET', KEYS[1], 'j', ARGV[5], 'v', ARGV[7], 's', to, 'n', ARGV[6], 't', ARGV[10])
redis.call('HDEL', KEYS[1], 'step.f', 'step.u', 'step.w')
redis.call('ZADD', KEYS[8], ARGV[11], id)
index(KEYS[10], {KEYS[11], KEYS[12]}, id, ARGV[11], ARGV[14])
if to == 'queued' then
  local place = redis.call('HGET', KEYS[1], 'q')
  if not place then
    place = redis.call('INCR', KEYS[5])
    redis.call('HSET', KEYS[1], 'q', place)
  end
  redis.call('ZADD', KEYS[4], place, id)
else
  redis.call('ZREM', KEYS[4], id)
end
if holds[to] and other then
  redis.call('SADD', besides(KEYS[3]), id)
elseif holds[to] then
  redis.call('SET', KEYS[3], id)
else
  redis.call('SREM', besides(KEYS[3]), id)
  if holder == id then redis.call('DEL', KEYS[3]) end
end
if ended then
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZREM', KEYS[6], id)
  redis.call('DEL', KEYS[9])
  redis.call('EXPIRE', KEYS[1], ARGV[12])
else
  redis.call('PERSIST', KEYS[1])
  redis.call('ZADD', KEYS[2], due, id)
  redis.call('ZADD', KEYS[6], ARGV[11], id)
end
for _, next in ipairs(redis.call('ZRANGE', KEYS[4], 0, 31)) do
  if next ~= id then wake(base, 'step', next, now) end
end
post(tonumber(ARGV[15]), 13, 16, id)
wake(base, 'chat', id, now)
chain(KEYS[7], 16 + 4 * tonumber(ARGV[15]))
return 'ok'
`)

// Graft writes what one replica knows over what the store has; see flow.Store. The
// version never falls back behind the one that is known, so that no save of an
// older step fits by chance.
func (s *Store) Graft(ctx context.Context, g flow.Graft) (flow.Flow, error) {
	f := g.Flow
	f.Schema, f.Version, f.UpdatedAt = flow.Schema, max(f.Version, g.Read)+1, g.Now
	record, err := json.Marshal(f)
	if err != nil {
		return flow.Flow{}, fmt.Errorf("flow %s: %w", f.ID, err)
	}
	fields, err := s.auditFields(f.ID, g.From, f.State, f.Version, g.Now, g.Audit)
	if err != nil {
		return flow.Flow{}, err
	}
	cluster := flow.SeatKey(f.Request.Wish.Change)
	keys := []string{
		s.keys.flow(f.ID), s.keys.due(flow.LaneStep), s.keys.seat(cluster), s.keys.line(cluster), s.keys.arrivals(),
		s.keys.open(), s.keys.audit(), s.keys.all(), s.keys.signals(f.ID),
		s.keys.indexed(), s.keys.byUser(f.Request.User), s.keys.byCluster(f.Request.Wish.Change.Cluster),
	}
	beside := "0"
	if g.Beside {
		beside = "1"
	}
	args := []any{
		s.keys.base, f.ID, g.Read, string(f.State), record, f.Schema, f.Version, ms(g.Due), ms(g.Now), cluster,
		ms(f.CreatedAt), int(Retention.Seconds()), beside, int(indexTTL.Seconds()),
	}
	books, posted, err := s.posted(g.Postings)
	if err != nil {
		return flow.Flow{}, fmt.Errorf("flow %s: %w", f.ID, err)
	}
	keys, args = append(keys, books...), slices.Concat(args, posted, fields)
	if err := answer(graft.Run(ctx, s.rdb, keys, args...).Text()); err != nil {
		return flow.Flow{}, err
	}
	return f, nil
}
