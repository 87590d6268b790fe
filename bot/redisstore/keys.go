package redisstore

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"scalebot/bot/flow"
)

// keys builds every key of one workspace. The braces put all of them into one
// hash slot, so that each move can be one script on Redis Cluster, and
// workspaces spread over its nodes.
type keys struct{ base string }

func newKeys(prefix, workspace string) keys { return keys{prefix + ":{" + workspace + "}:"} }

// flow is a hash: j the record, v its version, s its state, n its schema, q its
// place's score in the line, t the seat it wants; and per lane <lane>.f the
// fence of the lease, <lane>.u its end in ms, <lane>.w a wake that came in
// meanwhile, in ms; chat.v, the version of the posts; and chat.slips, how often a courier without its lease may
// have sent something.
func (k keys) flow(id string) string { return k.base + "flow:" + id }

// commitment is a hash: j the record, d the last decision about its renewal, dn how
// many there were, r what Slack shows of it, rv the version of that, term which term
// the index has, s that it is there, n schema; and the lease of the renewal lane as of
// a flow. Its id is that of the flow.
func (k keys) commitment(id string) string { return k.base + "commitment:" + id }

// commitments is a sorted set of their ids by the ms of their end.
func (k keys) commitments() string { return k.base + "commitments" }

// leased is the key of what a lane has leases on, and leasedStem what all of them
// begin with.
func (k keys) leased(l flow.Lane, id string) string { return k.leasedStem(l) + id }

func (k keys) leasedStem(l flow.Lane) string {
	if l == flow.LaneRenew {
		return k.commitment("")
	}
	return k.flow("")
}

// due is a sorted set of flow ids by the ms of their next look. A claimed flow
// stays in it at the end of its lease: that is how a dead replica's flows come
// back, and why no flow can fall out of the schedule.
func (k keys) due(l flow.Lane) string { return k.base + "due:" + string(l) }

// seat is a string: the id of the flow that holds the cluster. Beside it, at
// <seat>:beside (besides in scripts.go), may stand a set of flows that hold the
// cluster too, because the store had come back older.
func (k keys) seat(cluster string) string { return k.base + "seat:" + cluster }

// line is a sorted set of the flows that wait for the seat, by arrival.
func (k keys) line(cluster string) string { return k.base + "line:" + cluster }

// arrivals counts arrivals in all lines.
func (k keys) arrivals() string { return k.base + "arrivals" }

// signals is a list of what people did to the flow, oldest first.
func (k keys) signals(id string) string { return k.base + "signals:" + id }

// posts is a string: what Slack shows of the flow.
func (k keys) posts(id string) string { return k.base + "posts:" + id }

// card is a string: "<flow id> <plan number>" of the card that a message is.
func (k keys) card(channel, ts string) string { return k.base + "card:" + channel + ":" + ts }

// open and all are sorted sets of flow ids by the ms of their creation.
func (k keys) open() string { return k.base + "open" }
func (k keys) all() string  { return k.base + "all" }

// byUser and byCluster are what all is, of one person and of one cluster (its name in
// config): a person's few flows are read without everybody's. Each lives for twice the
// retention after its last entry (index.go).
func (k keys) byUser(user string) string       { return k.base + "by:user:" + user }
func (k keys) byCluster(cluster string) string { return k.base + "by:cluster:" + cluster }

// indexed is a sorted set like all, of the flows that are in byUser and byCluster. A
// replica of an earlier version records flows in all alone, before an upgrade and also
// beside a newer one. So no date says what is missing, but two counts do: the indexes
// are complete exactly if as many flows stand in indexed as in all (index.go).
func (k keys) indexed() string { return k.base + "indexed" }

// delivery is a string: the flow that a Slack delivery made. The name is
// hashed: trigger ids are long.
func (k keys) delivery(name string) string {
	sum := sha256.Sum256([]byte(name))
	return k.base + "delivery:" + hex.EncodeToString(sum[:12])
}

// seen is a string that exists while a delivery is remembered.
func (k keys) seen(name string) string {
	sum := sha256.Sum256([]byte(name))
	return k.base + "seen:" + hex.EncodeToString(sum[:12])
}

// count is a counter of commands in one minute.
func (k keys) count(of string, at time.Time) string {
	return k.base + "count:" + of + ":" + strconv.FormatInt(at.Unix()/60, 10)
}

// audit is the stream of every move.
func (k keys) audit() string { return k.base + "audit" }

// auditHead, which chain in scripts.go builds from the stream's key, is a hash: n
// and link of the last entry of the stream, and anchor
// and anchor_link, the same of the last one that was let go for its age.
func (k keys) auditHead() string { return k.audit() + ":head" }

// freezes is a hash of the freezes that people ordered, by the config's name of
// the cluster.
func (k keys) freezes() string { return k.base + "freezes" }

// book is a hash, one book of the ledger: v its version, counted up at every
// change, and per flow that holds something of it f:<id> with its place, a blank
// and the entry. Only the script of the flow's own move changes a field. The book
// of a mandate has it in m.
func (k keys) book(name string) string { return k.base + "book:" + name }

// mandates is a sorted set of the ids of mandates by the ms of their end.
func (k keys) mandates() string { return k.base + "mandates" }

// flags is a hash of small facts about the workspace.
func (k keys) flags() string { return k.base + "flags" }

// quota is a hash: what is left of one share of Slack's patience (tokens, as of at
// in ms), until when Slack asked for rest (rest, in ms), and the last turn given
// (last). Of the sorted sets
// beside it, waiting has the bids that wait by their turn, and promised the same by
// the ms at which they were told to ask again.
func (k keys) quota(share string) string    { return k.base + "quota:" + share }
func (k keys) waiting(share string) string  { return k.base + "quota:" + share + ":waiting" }
func (k keys) promised(share string) string { return k.base + "quota:" + share + ":promised" }

// lookup is a hash: what Slack said last to a question about people or groups (v), and
// when that was asked, in ms (at).
func (k keys) lookup(question string) string { return k.base + "lookup:" + question }

// workspaces is a set of the workspaces that a prefix holds; of no slot in
// particular, written once at start, read by the command line.
func workspaces(prefix string) string { return prefix + ":workspaces" }

// pace is the shared rate of calls to one API of one account.
func pace(prefix, name string) string { return prefix + ":pace:{" + name + "}" }
