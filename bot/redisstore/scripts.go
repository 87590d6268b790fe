package redisstore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"scalebot/bot/flow"
)

// Every script checks everything before its first write: Lua has no rollback.
// Times are ms from the caller's clock; only the look-ups (lookups.go) read the server's.
//
// A script gets the keys it always touches as KEYS. Other flows of the same
// line are reached through ARGV[1], the key base: all keys of a workspace share
// one hash slot, so Redis Cluster runs this on the node that has them.

// The codes that scripts answer with instead of a result.
const (
	codeMissing = "missing"
	codeLost    = "lost"
	codeStale   = "stale"
	codeIllegal = "illegal"
	codeSeat    = "seat"
	codeTaken   = "taken"
	codeLimited = "limited"
	codeSeen    = "seen"
	codeNoDue   = "nodue"
	codeLedger  = "ledger"
	codeOK      = "ok"
)

// prelude defines what several scripts need: the table of legal moves, printed
// from flow.Moves so that there is one table, and wake.
var prelude = func() string {
	var b strings.Builder
	b.WriteString("local legal = {\n")
	table := flow.Moves()
	for _, from := range flow.States {
		if to, open := table[from]; open {
			slices.Sort(to)
			fmt.Fprintf(&b, "  [%q] = {", from)
			for _, s := range to {
				fmt.Fprintf(&b, "[%q]=true,", s)
			}
			b.WriteString("},\n")
		}
	}
	b.WriteString("}\nlocal holds = {")
	for _, s := range flow.States {
		if s.HoldsSeat() {
			fmt.Fprintf(&b, "[%q]=true,", s)
		}
	}
	b.WriteString(`}
-- held says whether a flow really has its cluster's seat: one whose record is gone
-- or whose state holds none must not block the cluster for ever.
local function held(base, id)
  local s = redis.call('HGET', base .. 'flow:' .. id, 's')
  return s and holds[s]
end
-- besides names the set of the flows that hold a cluster beside the seat's holder
-- (graft), and beside is one of them other than id, or false.
local function besides(seat) return seat .. ':beside' end
local function beside(base, seat, id)
  for _, other in ipairs(redis.call('SMEMBERS', besides(seat))) do
    if other ~= id and held(base, other) then return other end
  end
  return false
end
-- post makes books equal to what a flow's record says: KEYS from key on, and of
-- each ARGV from arg on the version it was judged by, "1" for the last place, the
-- entry ("" = none), and the ttl in s of the book.
local function post(books, key, arg, id)
  for i = 0, books - 1 do
    local book, last, entry, field = KEYS[key + i], ARGV[arg + 4 * i + 1], ARGV[arg + 4 * i + 2], 'f:' .. id
    local was = redis.call('HGET', book, field)
    local place, text = string.match(was or '', '^(%d+) (.*)$')
    if entry == '' then
      if was then
        redis.call('HDEL', book, field)
        redis.call('HINCRBY', book, 'v', 1)
      end
    elseif text ~= entry or last == '1' then
      local v = redis.call('HINCRBY', book, 'v', 1)
      if last == '1' or not place then place = v end
      redis.call('HSET', book, field, place .. ' ' .. entry)
      redis.call('EXPIRE', book, ARGV[arg + 4 * i + 3])
    end
  end
end
-- head is the first flow of a line that really waits, and those before it that
-- don't.
local function head(base, line)
  local gone = {}
  for _, id in ipairs(redis.call('ZRANGE', line, 0, 99)) do
    if redis.call('HGET', base .. 'flow:' .. id, 's') == 'queued' then return id, gone end
    gone[#gone + 1] = id
  end
  return false, gone
end
-- wake asks for a look at a flow, or at a commitment in its lane, no later than at.
-- One under a live lease
-- gets a note instead of an earlier score: its score is the end of the lease.
local function wake(base, lane, id, at)
  local key = base .. (lane == 'renew' and 'commitment:' or 'flow:') .. id
  local f = redis.call('HMGET', key, 's', lane .. '.f', lane .. '.w')
  if not f[1] then return false end
  if lane == 'step' and not legal[f[1]] then return true end
  if f[2] then
    if not f[3] or tonumber(f[3]) > at then redis.call('HSET', key, lane .. '.w', at) end
    return true
  end
  local due = base .. 'due:' .. lane
  local score = redis.call('ZSCORE', due, id)
  if not score or tonumber(score) > at then redis.call('ZADD', due, at, id) end
  return true
end
-- index puts a flow, by the ms of its creation, in the indexes it belongs in, and notes
-- in indexed that it is there.
local function index(indexed, keys, id, at, ttl)
  for _, key in ipairs(keys) do
    redis.call('ZADD', key, at, id)
    redis.call('EXPIRE', key, ttl)
  end
  redis.call('ZADD', indexed, at, id)
end
-- chain appends the audit entry whose fields begin at ARGV[first] (auditFields:
-- digest and cut come first), linked to the one before, and lets go of a few
-- entries that are past their time, remembering the last of them. Nothing else
-- may write the stream.
local function chain(stream, first)
  local head = stream .. ':head'
  local h = redis.call('HMGET', head, 'n', 'link')
  local n = tonumber(h[1] or '0') + 1
  local digest, cut = ARGV[first + 1], ARGV[first + 3]
  local link = redis.sha1hex((h[2] or '') .. ' ' .. n .. ' ' .. digest)
  redis.call('XADD', stream, '*', 'n', n, 'link', link, 'digest', digest, unpack(ARGV, first + 4))
  redis.call('HSET', head, 'n', n, 'link', link)
  for _ = 1, 8 do
    local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
    local e = {}
    for i = 1, #oldest[2], 2 do e[oldest[2][i]] = oldest[2][i + 1] end
    if e.n == tostring(n) or (e.at or '') >= cut then break end
    redis.call('XDEL', stream, oldest[1])
    if e.n then redis.call('HSET', head, 'anchor', e.n, 'anchor_link', e.link or '') end
  end
end
`)
	return b.String()
}()

func script(body string) *redis.Script { return redis.NewScript(prelude + body) }

var (
	// accept records a new flow in planning (promise 1).
	//
	// KEYS 1 flow, 2 delivery, 3 due:step, 4 open, 5 all, 6 audit,
	// 7 count of the user, 8 count of the channel, 9 commitment of that id, which
	// outlives its flow, 10 indexed, 11 by:user, 12 by:cluster.
	// ARGV 1 id, 2 record, 3 state, 4 schema, 5 now ms, 6 seat, 7 delivery ttl s,
	// 8 user cap, 9 channel cap (0 = none), 10 oldest ms to keep in all and in 10 to
	// 12, 11 ttl s of 11 and 12, 12… audit fields.
	// Returns {"seen", id of the earlier flow}, {"taken"}, {"limited"} or {"ok"}.
	accept = script(`
local earlier = redis.call('GET', KEYS[2])
if earlier then return {'seen', earlier} end
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('EXISTS', KEYS[9]) == 1 then return {'taken'} end
local function over(key, cap)
  return tonumber(cap) > 0 and tonumber(redis.call('GET', key) or '0') >= tonumber(cap)
end
if over(KEYS[7], ARGV[8]) or over(KEYS[8], ARGV[9]) then return {'limited'} end
for i = 7, 8 do
  redis.call('INCR', KEYS[i])
  redis.call('EXPIRE', KEYS[i], 120)
end
redis.call('HSET', KEYS[1], 'j', ARGV[2], 'v', 1, 's', ARGV[3], 'n', ARGV[4], 't', ARGV[6])
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[7])
redis.call('ZADD', KEYS[3], ARGV[5], ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[5], ARGV[1])
redis.call('ZADD', KEYS[5], ARGV[5], ARGV[1])
index(KEYS[10], {KEYS[11], KEYS[12]}, ARGV[1], ARGV[5], ARGV[11])
for _, i in ipairs({5, 10, 11, 12}) do redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', '(' .. ARGV[10]) end
chain(KEYS[6], 12)
return {'ok'}
`)

	// claim leases up to ARGV[7] due flows of a lane. Those that a newer version wrote
	// are passed over, however many are due before the first that can be stepped.
	//
	// KEYS 1 due.
	// ARGV 1 what the keys of the lane's records begin with, 2 lane, 3 now ms, 4 lease
	// end ms, 5 fence stem, 6 own schema, 7 max.
	// Returns ids; the fence of the i-th is stem .. "." .. i.
	claim = script(`
local got, passed, most = {}, 0, tonumber(ARGV[7])
while #got < most and passed < 5000 do
  local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[3], 'LIMIT', passed, most - #got)
  if #ids == 0 then break end
  for _, id in ipairs(ids) do
    local key = ARGV[1] .. id
    local f = redis.call('HMGET', key, 's', 'n')
    if not f[1] then
      redis.call('ZREM', KEYS[1], id)
    elseif tonumber(f[2]) <= tonumber(ARGV[6]) then
      got[#got + 1] = id
      redis.call('HSET', key, ARGV[2] .. '.f', ARGV[5] .. '.' .. #got, ARGV[2] .. '.u', ARGV[4])
      redis.call('HDEL', key, ARGV[2] .. '.w')
      redis.call('ZADD', KEYS[1], ARGV[4], id)
    else
      passed = passed + 1
    end
  end
end
return got
`)

	// reclaim takes the lease of one flow if it is free, over, or the caller's.
	//
	// KEYS 1 flow, 2 due. ARGV 1 id, 2 lane, 3 now ms, 4 lease end ms, 5 new
	// fence, 6 old fence. Returns "ok", "lost" or "missing".
	reclaim = script(`
local f = redis.call('HMGET', KEYS[1], 's', ARGV[2] .. '.f', ARGV[2] .. '.u')
if not f[1] then return 'missing' end
if f[2] and f[2] ~= ARGV[6] and tonumber(f[3]) > tonumber(ARGV[3]) then return 'lost' end
redis.call('HSET', KEYS[1], ARGV[2] .. '.f', ARGV[5], ARGV[2] .. '.u', ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
return 'ok'
`)

	// extend moves the end of a lease.
	//
	// KEYS 1 flow, 2 due. ARGV 1 id, 2 lane, 3 fence, 4 lease end ms.
	// Returns "ok" or "lost".
	extend = script(`
if redis.call('HGET', KEYS[1], ARGV[2] .. '.f') ~= ARGV[3] then return 'lost' end
redis.call('HSET', KEYS[1], ARGV[2] .. '.u', ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
return 'ok'
`)

	// release ends a lease without a move. A wake that came in meanwhile counts.
	//
	// KEYS 1 flow, 2 due. ARGV 1 id, 2 lane, 3 fence, 4 next look ms (0 = none).
	// Returns "ok" or "lost".
	release = script(`
local f = redis.call('HMGET', KEYS[1], ARGV[2] .. '.f', ARGV[2] .. '.w', 's')
if f[1] ~= ARGV[3] then return 'lost' end
local due = tonumber(ARGV[4])
if due == 0 and ARGV[2] == 'step' and legal[f[3]] then return 'nodue' end
if f[2] and (due == 0 or tonumber(f[2]) < due) then due = tonumber(f[2]) end
redis.call('HDEL', KEYS[1], ARGV[2] .. '.f', ARGV[2] .. '.u', ARGV[2] .. '.w')
if due == 0 or (ARGV[2] == 'step' and not legal[f[3]]) then
  redis.call('ZREM', KEYS[2], ARGV[1])
else
  redis.call('ZADD', KEYS[2], due, ARGV[1])
end
return 'ok'
`)

	// wakeUp is wake from outside. ARGV 1 base, 2 lane, 3 id, 4 at ms. KEYS 1 flow
	// (routes the call). Returns "ok" or "missing".
	wakeUp = script(`
if wake(ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])) then return 'ok' end
return 'missing'
`)

	// save makes one move (promises 2, 3, 7's state half, 9).
	//
	// KEYS 1 flow, 2 due:step, 3 seat, 4 line, 5 arrivals, 6 open, 7 audit,
	// 8 signals, 9 commitment, 10 commitments, 11 due:renew, 12 freezes, 13… the
	// books of the postings.
	// ARGV 1 base, 2 id, 3 fence, 4 version read, 5 state read, 6 state to be,
	// 7 record, 8 schema, 9 due ms (0 = none), 10 now ms, 11 keep the lease until
	// ms (0 = release), 12 signals taken up, 13 tell ("1"), 14 retention s,
	// 15 commitment ("" = none; one on record stays), 16 its end ms, 17 its first look
	// ms, 18 its ttl s, 19 its schema, 20 the end ms of those to forget,
	// 21 cluster by its name in config, 22 since when the freeze of it that was seen
	// ("" = there was none, "-" = not looked at),
	// 23 number of postings, then of each: version it was judged by ("" = any), "1"
	// for the last place, entry ("" = none), ttl s of the book; then audit fields.
	// Returns "ok", "missing", "lost", "stale", "illegal", "seat", "nodue" or
	// "ledger".
	save = script(`
local base, id, from, to = ARGV[1], ARGV[2], ARGV[5], ARGV[6]
local now = tonumber(ARGV[10])
local f = redis.call('HMGET', KEYS[1], 's', 'v', 'step.f', 'step.w', 'q')
if not f[1] then return 'missing' end
if f[3] ~= ARGV[3] then return 'lost' end
if f[2] ~= ARGV[4] or f[1] ~= from then return 'stale' end
if not legal[from] or (from ~= to and not legal[from][to]) then return 'illegal' end
local ended = not legal[to]
local due = tonumber(ARGV[9])
if not ended and due == 0 then return 'nodue' end
if (to == 'submitting' or from == 'unknown') and from ~= to and redis.call('LLEN', KEYS[8]) > tonumber(ARGV[12]) then return 'stale' end
if ARGV[22] ~= '-' then
  local frozen = redis.call('HGET', KEYS[12], ARGV[21])
  if (frozen and cjson.decode(frozen).since or '') ~= ARGV[22] then return 'stale' end
end
local books = tonumber(ARGV[23])
for i = 1, books do
  local seen = ARGV[20 + 4 * i]
  if seen ~= '' and (redis.call('HGET', KEYS[12 + i], 'v') or '0') ~= seen then return 'ledger' end
end
local holder = redis.call('GET', KEYS[3])
if holder and holder ~= id and not held(base, holder) then holder = false end
local gone = {}
if holds[to] then
  if holder and holder ~= id and redis.call('SISMEMBER', besides(KEYS[3]), id) == 0 then return 'seat' end
  if not holds[from] then
    if beside(base, KEYS[3], id) then return 'seat' end
    local first
    first, gone = head(base, KEYS[4])
    if first ~= id then return 'seat' end
  end
end
for _, other in ipairs(gone) do redis.call('ZREM', KEYS[4], other) end

redis.call('HSET', KEYS[1], 'j', ARGV[7], 'v', tonumber(ARGV[4]) + 1, 's', to, 'n', ARGV[8])
local moved = false
if to == 'queued' and from ~= 'queued' then
  local place = f[5]
  if not place then
    place = redis.call('INCR', KEYS[5])
    redis.call('HSET', KEYS[1], 'q', place)
  end
  redis.call('ZADD', KEYS[4], place, id)
elseif from == 'queued' and to ~= 'queued' then
  redis.call('ZREM', KEYS[4], id)
  moved = true
end
if holds[to] then
  if not holder or holder == id then redis.call('SET', KEYS[3], id) end
elseif holds[from] or holder == id then
  redis.call('SREM', besides(KEYS[3]), id)
  if holder == id then redis.call('DEL', KEYS[3]) end
  moved = true
end
local kept = tonumber(ARGV[11])
if ended then
  redis.call('HDEL', KEYS[1], 'step.f', 'step.u', 'step.w')
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZREM', KEYS[6], id)
  redis.call('DEL', KEYS[8])
  redis.call('EXPIRE', KEYS[1], ARGV[14])
else
  if tonumber(ARGV[12]) > 0 then redis.call('LTRIM', KEYS[8], ARGV[12], -1) end
  if kept > 0 then
    redis.call('HSET', KEYS[1], 'step.u', kept)
    redis.call('ZADD', KEYS[2], kept, id)
  else
    if f[4] and tonumber(f[4]) < due then due = tonumber(f[4]) end
    if redis.call('LLEN', KEYS[8]) > 0 then due = now end
    redis.call('HDEL', KEYS[1], 'step.f', 'step.u', 'step.w')
    redis.call('ZADD', KEYS[2], due, id)
  end
end
if moved then
  for _, other in ipairs(redis.call('ZRANGE', KEYS[4], 0, 31)) do
    if other ~= id then wake(base, 'step', other, now) end
  end
end
post(books, 13, 24, id)
if ARGV[13] == '1' then wake(base, 'chat', id, now) end
if ended and ARGV[15] ~= '' and redis.call('EXISTS', KEYS[9]) == 0 then
  redis.call('HSET', KEYS[9], 'j', ARGV[15], 's', 'bought', 'n', ARGV[19])
  redis.call('EXPIRE', KEYS[9], ARGV[18])
  redis.call('ZADD', KEYS[10], ARGV[16], id)
  redis.call('ZADD', KEYS[11], ARGV[17], id)
  redis.call('ZREMRANGEBYSCORE', KEYS[10], '-inf', '(' .. ARGV[20])
end
chain(KEYS[7], 24 + 4 * books)
return 'ok'
`)

	// place tells where a flow waits and who has the seat, leaving out who doesn't
	// really. KEYS 1 line, 2 seat. ARGV 1 base, 2 id. Returns {place (0 = not in
	// line), holder or ""}.
	place = script(`
local n, at = 0, 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if redis.call('HGET', ARGV[1] .. 'flow:' .. id, 's') == 'queued' then
    n = n + 1
    if id == ARGV[2] then
      at = n
      break
    end
  end
end
local holder = redis.call('GET', KEYS[2])
if not holder or not held(ARGV[1], holder) then holder = beside(ARGV[1], KEYS[2], ARGV[2]) or '' end
return {tostring(at), holder}
`)

	// signal records what a person did and wakes the flow.
	//
	// KEYS 1 flow, 2 signals, 3 audit. ARGV 1 base, 2 id, 3 signal, 4 now ms,
	// 5… audit fields. Returns "ok", "missing" or "illegal" (the flow has ended).
	signal = script(`
local s = redis.call('HGET', KEYS[1], 's')
if not s then return 'missing' end
if not legal[s] then return 'illegal' end
redis.call('RPUSH', KEYS[2], ARGV[3])
chain(KEYS[3], 5)
wake(ARGV[1], 'step', ARGV[2], tonumber(ARGV[4]))
return 'ok'
`)

	// amend rewrites the record of a flow that has ended; nothing of its state or
	// schedule moves.
	//
	// KEYS 1 flow, 2 audit. ARGV 1 base, 2 id, 3 version read, 4 record, 5 schema,
	// 6 now ms, 7… audit fields. Returns "ok", "missing", "stale" or "illegal".
	amend = script(`
local f = redis.call('HMGET', KEYS[1], 's', 'v')
if not f[1] then return 'missing' end
if legal[f[1]] then return 'illegal' end
if f[2] ~= ARGV[3] then return 'stale' end
redis.call('HSET', KEYS[1], 'j', ARGV[4], 'v', tonumber(ARGV[3]) + 1, 'n', ARGV[5])
chain(KEYS[2], 7)
wake(ARGV[1], 'chat', ARGV[2], tonumber(ARGV[6]))
return 'ok'
`)

	// setFreeze records a freeze of a cluster, in place of an earlier one.
	//
	// KEYS 1 freezes, 2 audit. ARGV 1 cluster, 2 the freeze, 3… audit fields.
	// Returns "ok".
	setFreeze = script(`
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
chain(KEYS[2], 3)
return 'ok'
`)

	// endFreeze forgets the freeze of a cluster.
	//
	// KEYS 1 freezes, 2 audit. ARGV 1 cluster, 2… audit fields. Returns "ok" or
	// "missing".
	endFreeze = script(`
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 'missing' end
chain(KEYS[2], 2)
return 'ok'
`)

	// signMandate records a mandate, and forgets those that ended long ago.
	//
	// KEYS 1 book, 2 mandates, 3 audit, 4 delivery. ARGV 1 id, 2 mandate, 3 its end
	// ms, 4 ttl s of the book, 5 oldest end ms to keep, 6 delivery ttl s (0 = it has no
	// name), 7… audit fields. Returns {"ok"}, {"taken"} or {"seen", id of the earlier}.
	signMandate = script(`
local earlier = ARGV[6] ~= '0' and redis.call('GET', KEYS[4])
if earlier then return {'seen', earlier} end
if redis.call('EXISTS', KEYS[1]) == 1 then return {'taken'} end
redis.call('HSET', KEYS[1], 'v', 1, 'm', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[5])
if ARGV[6] ~= '0' then redis.call('SET', KEYS[4], ARGV[1], 'EX', ARGV[6]) end
chain(KEYS[3], 7)
return {'ok'}
`)

	// revokeMandate puts a mandate in the place of itself as it was read. The version
	// moves on, so that no move that was judged before goes through.
	//
	// KEYS 1 book, 2 audit. ARGV 1 as read, 2 as it is to be, 3… audit fields.
	// Returns "ok", "missing" or "stale".
	revokeMandate = script(`
local was = redis.call('HGET', KEYS[1], 'm')
if not was then return 'missing' end
if was ~= ARGV[1] then return 'stale' end
redis.call('HSET', KEYS[1], 'm', ARGV[2])
redis.call('HINCRBY', KEYS[1], 'v', 1)
chain(KEYS[2], 3)
return 'ok'
`)

	// decide records a decision about the renewal of a commitment.
	//
	// KEYS 1 commitment, 2 audit. ARGV 1 base, 2 id, 3 decision, 4 its number, 5 now
	// ms, 6… audit fields. Returns "ok", "missing", or "stale" when there are not as
	// many before it.
	decide = script(`
local c = redis.call('HMGET', KEYS[1], 's', 'dn')
if not c[1] then return 'missing' end
if tonumber(c[2] or '0') + 1 ~= tonumber(ARGV[4]) then return 'stale' end
redis.call('HSET', KEYS[1], 'd', ARGV[3], 'dn', ARGV[4])
chain(KEYS[2], 6)
wake(ARGV[1], 'renew', ARGV[2], tonumber(ARGV[5]))
return 'ok'
`)

	// goOn puts a commitment in the index by the end of its n-th term, and lets it
	// live on. Its record stays as it was bought. A term that was put on is left alone.
	//
	// KEYS 1 commitment, 2 commitments, 3 audit. ARGV 1 fence, 2 id, 3 n, 4 end ms,
	// 5 ttl s, 6… audit fields. Returns "ok", "missing" or "lost".
	goOn = script(`
local c = redis.call('HMGET', KEYS[1], 's', 'renew.f', 'term')
if not c[1] then return 'missing' end
if c[2] ~= ARGV[1] then return 'lost' end
if tonumber(c[3] or '1') >= tonumber(ARGV[3]) then return 'ok' end
redis.call('HSET', KEYS[1], 'term', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[2])
chain(KEYS[3], 6)
return 'ok'
`)

	// saveReminders writes what Slack shows of a commitment, under a lease; see
	// savePosts for the version.
	//
	// KEYS 1 commitment. ARGV 1 fence, 2 reminders, 3 their version. Returns "ok",
	// "lost" or "stale".
	saveReminders = script(`
if redis.call('HGET', KEYS[1], 'renew.f') ~= ARGV[1] then return 'lost' end
if tonumber(redis.call('HGET', KEYS[1], 'rv') or '0') > tonumber(ARGV[3]) then return 'stale' end
redis.call('HSET', KEYS[1], 'r', ARGV[2], 'rv', ARGV[3])
return 'ok'
`)

	// savePosts writes what Slack shows, under a chat lease. A courier that lost its
	// lease may have sent something after its successor did: that is counted in
	// chat.slips, for the successor to send all of it again. One lease writes many
	// times: a write whose answer was lost may run behind the next, and would forget
	// what that one had posted (found by flowsim, seed 300561).
	//
	// KEYS 1 flow, 2 posts, 3… cards. ARGV 1 base, 2 id, 3 fence, 4 posts, 5 ttl s
	// of all, 6 version of the posts, 7… the value of each card. Returns "ok", "lost"
	// or "stale".
	savePosts = script(`
if redis.call('HGET', KEYS[1], 'chat.f') ~= ARGV[3] then
  if wake(ARGV[1], 'chat', ARGV[2], 1) then redis.call('HINCRBY', KEYS[1], 'chat.slips', 1) end
  return 'lost'
end
if tonumber(redis.call('HGET', KEYS[1], 'chat.v') or '0') > tonumber(ARGV[6]) then return 'stale' end
redis.call('HSET', KEYS[1], 'chat.v', ARGV[6])
redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[5])
for i = 3, #KEYS do redis.call('SET', KEYS[i], ARGV[i + 4], 'EX', ARGV[5]) end
return 'ok'
`)
)
