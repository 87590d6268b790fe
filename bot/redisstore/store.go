// Package redisstore keeps flows in Redis: the only place of its client. Every
// key is built in keys.go, every move is one documented Lua script in
// scripts.go, and the scripts carry the table of legal moves that bot/flow
// prints. It holds no policy.
//
// The flows of one person and of one cluster have indexes of their own. Flows that an
// earlier version recorded, before an upgrade or beside this one, are not in them:
// Walk sees that by a count, and puts them in before it reads (index.go), so that
// nobody is ever shown too little.
package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"scalebot/bot/flow"
)

// Retention is how long ended flows stay (design.md section 9).
const Retention = 90 * 24 * time.Hour

// deliveryTTL outlives every documented redelivery: Slack's "Delayed Events"
// repeat for 24 hours.
const deliveryTTL = 25 * time.Hour

// Store is flow.Store on Redis.
type Store struct {
	rdb       redis.UniversalClient
	workspace string
	keys      keys
	auditKept time.Duration
}

var _ flow.Store = (*Store)(nil)

// New makes the store of one workspace. prefix is redis.key_prefix of config.
func New(rdb redis.UniversalClient, prefix, workspace string, options ...Option) *Store {
	s := &Store{rdb: rdb, workspace: workspace, keys: newKeys(prefix, workspace), auditKept: AuditRetention}
	for _, o := range options {
		o(s)
	}
	return s
}

// Workspace is the Slack team id that the store is of.
func (s *Store) Workspace() string { return s.workspace }

// Option changes what a Store does by itself.
type Option func(*Store)

// KeepAudit sets how long audit entries stay: redis.audit_retention of config;
// zero or less is AuditRetention.
func KeepAudit(d time.Duration) Option {
	return func(s *Store) {
		if d > 0 {
			s.auditKept = d
		}
	}
}

// Register makes the workspace known to Workspaces.
func Register(ctx context.Context, rdb redis.UniversalClient, prefix, workspace string) error {
	return rdb.SAdd(ctx, workspaces(prefix), workspace).Err()
}

// Workspaces lists the workspaces that flows were kept for under a prefix.
func Workspaces(ctx context.Context, rdb redis.UniversalClient, prefix string) ([]string, error) {
	return rdb.SMembers(ctx, workspaces(prefix)).Result()
}

func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// answer turns a script's code into the error that callers switch on.
func answer(code string, err error) error {
	if err != nil {
		return failed(err)
	}
	switch code {
	case codeOK:
		return nil
	case codeMissing:
		return flow.ErrNotFound
	case codeLost:
		return flow.ErrLeaseLost
	case codeStale:
		return flow.ErrStale
	case codeIllegal:
		return flow.ErrIllegal
	case codeLedger:
		return flow.ErrLedger
	case codeSeat:
		return flow.ErrSeatTaken
	case codeTaken:
		return flow.ErrIDTaken
	case codeLimited:
		return flow.ErrLimited
	case codeNoDue:
		return fmt.Errorf("%w: no next look was given", flow.ErrIllegal)
	}
	return fmt.Errorf("redis: a script answered %q", code)
}

// failed tells a call that certainly did nothing from one that may have run: a
// server that was never reached, and one that answered with a refusal (full,
// read only, still loading), wrote nothing. All else is in doubt, because a
// frozen server still runs what it had received.
func failed(err error) error {
	var refused redis.Error
	var op *net.OpError
	switch {
	case errors.As(err, &refused), errors.As(err, &op) && op.Op == "dial", errors.Is(err, redis.ErrPoolTimeout),
		errors.Is(err, redis.ErrClosed):
		return fmt.Errorf("redis: %w", err)
	}
	return fmt.Errorf("%w: redis: %w", flow.ErrInDoubt, err)
}

// Accept records a new flow; see flow.Store.
func (s *Store) Accept(ctx context.Context, f flow.Flow, dedupe string, lim flow.Limits) (string, bool, error) {
	f.Schema, f.Version = flow.Schema, 1
	if dedupe == "" { // a delivery without a name is like no other
		dedupe = "flow/" + f.ID
	}
	record, err := json.Marshal(f)
	if err != nil {
		return "", false, fmt.Errorf("flow %s: %w", f.ID, err)
	}
	fields, err := s.auditFields(f.ID, "", f.State, 1, f.CreatedAt, flow.Audit{
		Actor: f.Request.User, Action: "request",
		Detail: map[string]any{"raw": f.Request.Raw, "channel": f.Request.Channel, "wish": f.Request.Wish, "reason": f.Request.Reason},
	})
	if err != nil {
		return "", false, err
	}
	keys := []string{
		s.keys.flow(f.ID), s.keys.delivery(dedupe), s.keys.due(flow.LaneStep), s.keys.open(), s.keys.all(), s.keys.audit(),
		s.keys.count("user:"+f.Request.User, f.CreatedAt), s.keys.count("channel:"+f.Request.Channel, f.CreatedAt), s.keys.commitment(f.ID),
		s.keys.indexed(), s.keys.byUser(f.Request.User), s.keys.byCluster(f.Request.Wish.Change.Cluster),
	}
	args := append([]any{
		f.ID, record, string(f.State), f.Schema, ms(f.CreatedAt), flow.SeatKey(f.Request.Wish.Change), int(deliveryTTL.Seconds()),
		lim.PerUserMinute, lim.PerChannelMinute, ms(f.CreatedAt.Add(-Retention)), int(indexTTL.Seconds()),
	}, fields...)
	got, err := accept.Run(ctx, s.rdb, keys, args...).StringSlice()
	if err != nil {
		return "", false, answer("", err)
	}
	if got[0] == codeSeen {
		return got[1], false, nil
	}
	return f.ID, true, answer(got[0], nil)
}

// Delivered finds the flow of a delivery; see flow.Store.
func (s *Store) Delivered(ctx context.Context, dedupe string) (string, error) {
	id, err := s.rdb.Get(ctx, s.keys.delivery(dedupe)).Result()
	if errors.Is(err, redis.Nil) {
		return "", flow.ErrNotFound
	}
	if err != nil {
		return "", answer("", err)
	}
	return id, nil
}

// Get reads a flow and its waiting signals; see flow.Store.
func (s *Store) Get(ctx context.Context, id string) (flow.Flow, []flow.Signal, error) {
	pipe := s.rdb.Pipeline()
	record := pipe.HMGet(ctx, s.keys.flow(id), "j", "n")
	queue := pipe.LRange(ctx, s.keys.signals(id), 0, -1)
	if _, err := pipe.Exec(ctx); err != nil {
		return flow.Flow{}, nil, answer("", err)
	}
	f, err := decode(id, record.Val())
	if err != nil {
		return flow.Flow{}, nil, err
	}
	signals := make([]flow.Signal, 0, len(queue.Val()))
	for _, text := range queue.Val() {
		var sig flow.Signal
		if err := json.Unmarshal([]byte(text), &sig); err != nil {
			return flow.Flow{}, nil, fmt.Errorf("signals of %s: %w", id, err)
		}
		signals = append(signals, sig)
	}
	return f, signals, nil
}

// decode reads HMGET j n.
func decode(id string, fields []any) (flow.Flow, error) {
	record, _ := fields[0].(string)
	schema, _ := fields[1].(string)
	if record == "" {
		return flow.Flow{}, fmt.Errorf("%w: %s", flow.ErrNotFound, id)
	}
	if n, err := strconv.Atoi(schema); err != nil || n > flow.Schema {
		return flow.Flow{}, fmt.Errorf("%w: %s has schema %s, this version knows %d", flow.ErrNewer, id, schema, flow.Schema)
	}
	var f flow.Flow
	if err := json.Unmarshal([]byte(record), &f); err != nil {
		return flow.Flow{}, fmt.Errorf("record of %s: %w", id, err)
	}
	return f, nil
}

// listPage is how many records one round trip of List reads.
const listPage = 100

// List reads flows, newest first; see flow.Store. It walks an index (Walk), never the
// keyspace. Records of a newer version are passed over.
func (s *Store) List(ctx context.Context, q flow.Filter) ([]flow.Flow, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	var found []flow.Flow
	err := s.Walk(ctx, q, func(f flow.Flow) error {
		if found = append(found, f); len(found) == limit {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return found, nil
}

// errEnough ends a walk that has found what it looked for.
var errEnough = errors.New("enough")

// Walk reads flows one after the other, from the index of the open ones, of the person
// or the cluster, or of all; see flow.Store. One that is recorded or ends meanwhile may
// be given twice or not at all.
func (s *Store) Walk(ctx context.Context, q flow.Filter, each func(flow.Flow) error) error {
	index, oldest, err := s.indexFor(ctx, q)
	if err != nil || index == "" {
		return err
	}
	for offset := int64(0); ; offset += listPage {
		ids, err := s.rdb.ZRevRangeByScore(ctx, index, &redis.ZRangeBy{
			Min: oldest, Max: "+inf", Offset: offset, Count: listPage,
		}).Result()
		if err != nil {
			return answer("", err)
		}
		pipe := s.rdb.Pipeline()
		records := make([]*redis.SliceCmd, len(ids))
		for i, id := range ids {
			records[i] = pipe.HMGet(ctx, s.keys.flow(id), "j", "n")
		}
		if len(ids) > 0 {
			if _, err := pipe.Exec(ctx); err != nil {
				return answer("", err)
			}
		}
		for i, id := range ids {
			f, err := decode(id, records[i].Val())
			switch {
			case errors.Is(err, flow.ErrNotFound), errors.Is(err, flow.ErrNewer):
				continue
			case err != nil:
				return err
			case q.Cluster != "" && f.Request.Wish.Change.Cluster != q.Cluster, q.User != "" && f.Request.User != q.User:
				continue
			}
			if err := each(f); err != nil {
				return err
			}
		}
		if len(ids) < listPage {
			return nil
		}
	}
}

// nonce makes a fence that no claim before or after has.
func nonce() string {
	var b [12]byte
	rand.Read(b[:]) //nolint:errcheck // crypto/rand.Read never fails (it aborts the process)
	return hex.EncodeToString(b[:])
}

// Claim leases due flows; see flow.Store.
func (s *Store) Claim(ctx context.Context, lane flow.Lane, now time.Time, lease time.Duration, most int) ([]flow.Claim, error) {
	stem, until := nonce(), now.Add(lease)
	ids, err := claim.Run(ctx, s.rdb, []string{s.keys.due(lane)},
		s.keys.leasedStem(lane), string(lane), ms(now), ms(until), stem, schemaOf(lane), most).StringSlice()
	if err != nil {
		return nil, answer("", err)
	}
	claims := make([]flow.Claim, len(ids))
	for i, id := range ids {
		claims[i] = flow.Claim{Lane: lane, ID: id, Fence: stem + "." + strconv.Itoa(i+1), Until: until}
	}
	return claims, nil
}

// schemaOf is the newest form that this version knows of a lane's records.
func schemaOf(l flow.Lane) int {
	if l == flow.LaneRenew {
		return flow.CommitmentSchema
	}
	return flow.Schema
}

// Reclaim takes one lease back; see flow.Store.
func (s *Store) Reclaim(ctx context.Context, c flow.Claim, now time.Time, lease time.Duration) (flow.Claim, error) {
	again := flow.Claim{Lane: c.Lane, ID: c.ID, Fence: nonce(), Until: now.Add(lease)}
	err := answer(reclaim.Run(ctx, s.rdb, []string{s.keys.leased(c.Lane, c.ID), s.keys.due(c.Lane)},
		c.ID, string(c.Lane), ms(now), ms(again.Until), again.Fence, c.Fence).Text())
	return again, err
}

// Extend moves the end of a lease; see flow.Store.
func (s *Store) Extend(ctx context.Context, c flow.Claim, until time.Time) (flow.Claim, error) {
	err := answer(extend.Run(ctx, s.rdb, []string{s.keys.leased(c.Lane, c.ID), s.keys.due(c.Lane)},
		c.ID, string(c.Lane), c.Fence, ms(until)).Text())
	if err == nil {
		c.Until = until
	}
	return c, err
}

// Release ends a lease without a move; see flow.Store.
func (s *Store) Release(ctx context.Context, c flow.Claim, due time.Time) error {
	return answer(release.Run(ctx, s.rdb, []string{s.keys.leased(c.Lane, c.ID), s.keys.due(c.Lane)},
		c.ID, string(c.Lane), c.Fence, ms(due)).Text())
}

// Wake asks for a look; see flow.Store.
func (s *Store) Wake(ctx context.Context, lane flow.Lane, id string, at time.Time) error {
	return answer(wakeUp.Run(ctx, s.rdb, []string{s.keys.leased(lane, id)}, s.keys.base, string(lane), id, ms(at)).Text())
}

// Save makes one move; see flow.Store.
func (s *Store) Save(ctx context.Context, c flow.Claim, sv flow.Save) (flow.Flow, error) {
	f := sv.Flow
	read := f.Version
	f.Schema, f.Version, f.UpdatedAt = flow.Schema, read+1, sv.Now
	record, err := json.Marshal(f)
	if err != nil {
		return flow.Flow{}, fmt.Errorf("flow %s: %w", f.ID, err)
	}
	fields, err := s.auditFields(f.ID, sv.From, f.State, f.Version, sv.Now, sv.Audit)
	if err != nil {
		return flow.Flow{}, err
	}
	cluster := flow.SeatKey(f.Request.Wish.Change)
	keys := []string{
		s.keys.flow(f.ID), s.keys.due(flow.LaneStep), s.keys.seat(cluster), s.keys.line(cluster), s.keys.arrivals(),
		s.keys.open(), s.keys.audit(), s.keys.signals(f.ID),
		s.keys.commitment(f.ID), s.keys.commitments(), s.keys.due(flow.LaneRenew), s.keys.freezes(),
	}
	commit, err := commitArgs(sv)
	if err != nil {
		return flow.Flow{}, err
	}
	tell := "0"
	if sv.TellNow {
		tell = "1"
	}
	books, posted, err := s.posted(sv.Postings)
	if err != nil {
		return flow.Flow{}, fmt.Errorf("flow %s: %w", f.ID, err)
	}
	keys = append(keys, books...)
	args := slices.Concat([]any{
		s.keys.base, f.ID, c.Fence, read, string(sv.From), string(f.State), record, f.Schema,
		ms(sv.Due), ms(sv.Now), ms(sv.Keep), sv.Signals, tell, int(Retention.Seconds()),
	}, commit, []any{f.Request.Wish.Change.Cluster, seenFreeze(sv.Seen)}, posted, fields)
	if err := answer(save.Run(ctx, s.rdb, keys, args...).Text()); err != nil {
		return flow.Flow{}, err
	}
	return f, nil
}

// Place reads the cluster's line; see flow.Store.
func (s *Store) Place(ctx context.Context, cluster, id string) (int, string, error) {
	got, err := place.Run(ctx, s.rdb, []string{s.keys.line(cluster), s.keys.seat(cluster)}, s.keys.base, id).StringSlice()
	if err != nil {
		return 0, "", answer("", err)
	}
	at, err := strconv.Atoi(got[0])
	return at, got[1], err
}

// durableWait is how long Redis may take to bring a write to disk.
const durableWait = 1500 * time.Millisecond

// Durable waits until the append-only file has what was saved (WAITAOF, Redis
// 7.2). An older Redis, or one without such a file, can't tell: a change is then
// protected by the cloud's token or by what the cloud shows, and `scalebot check`
// says so. See flow.Store.
func (s *Store) Durable(ctx context.Context, id string) error {
	// WAITAOF speaks of the writes of its own connection, and a write after all
	// others is on disk after all others.
	node, err := s.node(ctx)
	if err != nil {
		return answer("", err)
	}
	pipe := node.Pipeline()
	write := pipe.HSet(ctx, s.keys.flags(), "durable", id)
	wait := pipe.Do(ctx, "WAITAOF", 1, 0, durableWait.Milliseconds())
	_, err = pipe.Exec(ctx)
	if refused := write.Err(); refused != nil {
		// It takes no writes (full, read only): the one before may not be on disk either.
		return answer("", refused)
	}
	if canNotTell(err) {
		return nil
	}
	if err != nil {
		// Also what is no trouble of the way there: the user may not ask (NOPERM), or the
		// server stopped being the master while it was asked (UNBLOCKED). What was written
		// may be gone, and a change that was sent would be sent again.
		return answer("", err)
	}
	if n, err := wait.Int64Slice(); err != nil || len(n) == 0 || n[0] < 1 {
		return fmt.Errorf("redis: not on disk within %s", durableWait)
	}
	return nil
}

// node is the client of the server that has the workspace. A command that names no key
// would be asked of just any node of a cluster.
func (s *Store) node(ctx context.Context) (redis.UniversalClient, error) {
	if c, ok := s.rdb.(*redis.ClusterClient); ok {
		return c.MasterForKey(ctx, s.keys.flags())
	}
	return s.rdb, nil
}

// canNotTell reports whether an answer to WAITAOF means that this server never says
// whether a write is on disk: it is older than 7.2, or has no append-only file.
func canNotTell(err error) bool {
	var refused redis.Error
	return errors.As(err, &refused) && (strings.Contains(strings.ToLower(refused.Error()), "unknown command") ||
		strings.Contains(refused.Error(), "appendonly is disabled"))
}

// Signal records what a person did; see flow.Store.
func (s *Store) Signal(ctx context.Context, id string, sig flow.Signal, a flow.Audit) error {
	text, err := json.Marshal(sig)
	if err != nil {
		return fmt.Errorf("signal to %s: %w", id, err)
	}
	fields, err := s.auditFields(id, "", "", 0, sig.At, a)
	if err != nil {
		return err
	}
	args := append([]any{s.keys.base, id, text, ms(sig.At)}, fields...)
	return answer(signal.Run(ctx, s.rdb, []string{s.keys.flow(id), s.keys.signals(id), s.keys.audit()}, args...).Text())
}

// amendTries bounds how often a record that moves under Amend is read again.
const amendTries = 8

// Amend adds to the record of an ended flow; see flow.Store.
func (s *Store) Amend(ctx context.Context, id string, n flow.Note, a flow.Audit) (flow.Flow, error) {
	var err error
	for range amendTries {
		var f flow.Flow
		if f, _, err = s.Get(ctx, id); err != nil {
			return flow.Flow{}, err
		}
		read := f.Version
		f.Schema, f.Version, f.UpdatedAt = flow.Schema, read+1, n.At
		f.After = append(f.After, n)
		record, merr := json.Marshal(f)
		if merr != nil {
			return flow.Flow{}, fmt.Errorf("flow %s: %w", id, merr)
		}
		fields, ferr := s.auditFields(id, f.State, f.State, f.Version, n.At, a)
		if ferr != nil {
			return flow.Flow{}, ferr
		}
		args := append([]any{s.keys.base, id, read, record, f.Schema, ms(n.At)}, fields...)
		err = answer(amend.Run(ctx, s.rdb, []string{s.keys.flow(id), s.keys.audit()}, args...).Text())
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, flow.ErrStale) {
			return flow.Flow{}, err
		}
	}
	return flow.Flow{}, err
}

// Posts reads what Slack shows of a flow; see flow.Store.
func (s *Store) Posts(ctx context.Context, id string) (flow.Posts, error) {
	var p flow.Posts
	// The count first: a slip after it is seen at the next look.
	var head struct {
		Slips   int64 `redis:"chat.slips"`
		Version int64 `redis:"chat.v"`
	}
	if err := s.rdb.HMGet(ctx, s.keys.flow(id), "chat.slips", "chat.v").Scan(&head); err != nil {
		return p, answer("", err)
	}
	text, err := s.rdb.Get(ctx, s.keys.posts(id)).Bytes()
	if err != nil && !errors.Is(err, redis.Nil) {
		return p, answer("", err)
	}
	if err == nil {
		if err := json.Unmarshal(text, &p); err != nil {
			return p, fmt.Errorf("posts of %s: %w", id, err)
		}
	}
	// Of posts that are gone the count goes on, or none would ever be taken again.
	p.Slipped, p.Version = head.Slips, max(p.Version, head.Version)
	return p, nil
}

// SavePosts writes what Slack shows of a flow; see flow.Store.
func (s *Store) SavePosts(ctx context.Context, c flow.Claim, p flow.Posts) error {
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("posts of %s: %w", c.ID, err)
	}
	keys := []string{s.keys.flow(c.ID), s.keys.posts(c.ID)}
	args := []any{s.keys.base, c.ID, c.Fence, text, int(Retention.Seconds()), p.Version}
	for n, card := range p.Cards {
		if card.TS != "" {
			keys = append(keys, s.keys.card(card.Channel, card.TS))
			args = append(args, c.ID+" "+strconv.Itoa(n))
		}
	}
	return answer(savePosts.Run(ctx, s.rdb, keys, args...).Text())
}

// ByCard finds the flow of a card; see flow.Store.
func (s *Store) ByCard(ctx context.Context, channel, ts string) (string, int, error) {
	text, err := s.rdb.Get(ctx, s.keys.card(channel, ts)).Result()
	if errors.Is(err, redis.Nil) {
		return "", 0, flow.ErrNotFound
	}
	if err != nil {
		return "", 0, answer("", err)
	}
	id, number, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		return "", 0, fmt.Errorf("card %s/%s: %w", channel, ts, err)
	}
	return id, n, nil
}

// Once remembers a delivery; see flow.Store.
func (s *Store) Once(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	_, err := s.rdb.SetArgs(ctx, s.keys.seen(key), 1, redis.SetArgs{Mode: "NX", TTL: ttl}).Result()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	if err != nil {
		return false, answer("", err)
	}
	return true, nil
}

// Flag reads a small fact; "" if it was never set. See flow.Store.
func (s *Store) Flag(ctx context.Context, name string) (string, error) {
	v, err := s.rdb.HGet(ctx, s.keys.flags(), name).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", answer("", err)
	}
	return v, nil
}

// SetFlag keeps a small fact for all replicas; see flow.Store.
func (s *Store) SetFlag(ctx context.Context, name, value string) error {
	if err := s.rdb.HSet(ctx, s.keys.flags(), name, value).Err(); err != nil {
		return answer("", err)
	}
	return nil
}

// Ping says whether the store answers; see flow.Store.
func (s *Store) Ping(ctx context.Context) error {
	// A server whose disk or memory is full answers a ping and takes no writes.
	if err := s.rdb.HSet(ctx, s.keys.flags(), "ping", 1).Err(); err != nil {
		return answer("", err)
	}
	return nil
}
