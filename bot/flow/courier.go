package flow

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Courier makes Slack equal to the flows: cards, threads, notices and private
// messages. It works from the record alone and always sends only the newest
// state, so a crash, a rate limit or a dead Slack delays it and loses nothing.
//
// A post is recorded as being sent before it is sent. One whose answer was lost
// is looked for in Slack by its key before it is sent again.
//
// Every call is first asked of the Quota that all replicas share. What may not
// go yet waits in the schedule and not in a worker; what it says is written when
// it goes.
type Courier struct {
	Options
	nudge chan struct{}
}

// NewCourier makes a courier; Run starts it.
func NewCourier(o Options) *Courier { return &Courier{Options: o, nudge: make(chan struct{}, 1)} }

// Nudge makes the courier look for work at once.
func (c *Courier) Nudge() { nudge(c.nudge) }

// Run delivers until ctx ends, then finishes what is in hand and returns nil.
func (c *Courier) Run(ctx context.Context) error {
	return drive(ctx, c.Options, LaneChat, c.nudge, c.Step)
}

// The pace of deliveries. Slack takes about one edit of a message a second and
// 50 edits a minute in all; more news than that is folded into the next edit.
const (
	editGap      = 2 * time.Second // between two edits of one card while it only progresses
	inDoubtPause = 2 * time.Second // before looking for a post whose answer was lost
	clockSkew    = time.Minute     // Slack's clock may differ: look for a post from that much earlier
	mostSends    = 3               // of one message in one step: more is a renderer that never writes the same twice
	leastPause   = time.Second
	mostPause    = 2 * time.Minute
	noChannel    = 30 * time.Second // before trying a channel again that the bot is not in
	refusals     = 8                // of one message in a row, some minutes in all, before it is given up
	earlyCard    = 5 * time.Second  // a flow that has no plan by then gets a card all the same
	askAgain     = 5 * time.Minute  // after which a card that asks a person is edited even if nothing moved
)

// The values of Post.Hash that are no content.
const (
	postGone    = "gone"    // deleted by somebody: not posted again
	postBlocked = "blocked" // the bot can't write there
	postStuck   = "stuck"   // Slack takes no edit of it any more
)

// final reports whether a message is not written any more.
func (p Post) final() bool { return p.Hash == postGone || p.Hash == postStuck || p.Hash == postBlocked }

// plainCards is the flag that says that this workspace refuses plan blocks.
const plainCards = "plain_cards"

// Step delivers what one claimed flow needs, one Slack call after the other,
// saving in between, and releases the claim.
func (c *Courier) Step(ctx context.Context, claim Claim) error {
	f, _, err := c.Store.Get(ctx, claim.ID)
	if err != nil {
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrNewer) {
			return errors.Join(err, c.Store.Release(ctx, claim, c.Clock.Now().Add(c.Lease)))
		}
		return err
	}
	d := &delivery{Courier: c, claim: claim, f: f, log: c.Logger.With("flow", f.ID)}
	if d.posts, err = c.Store.Posts(ctx, f.ID); err != nil {
		return err
	}
	plain, err := c.Store.Flag(ctx, plainCards)
	if err != nil {
		return err
	}
	d.rich = plain == ""
	due, err := d.run(ctx)
	if err != nil {
		// What Slack shows may not be on record, so there is no telling what is still
		// to be delivered. The lease is left to run out: to release it without a next
		// look would leave Slack behind the flow for good.
		return err
	}
	save, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	return c.Store.Release(save, d.claim, due)
}

// delivery is the work on one flow.
type delivery struct {
	*Courier
	claim Claim
	f     Flow
	posts Posts
	rich  bool
	later time.Time            // when something that may not be sent yet may be
	off   map[string]time.Time // what is put off in this step, by message key and by call
	log   *slog.Logger
}

// job is one Slack call to make. did is told the message's place once Slack has
// it.
type job struct {
	message Message    // Key names it, also among those that Slack refused
	hash    string     // of its content
	edit    MessageRef // zero = a new message
	private bool
	to      string // of a private one: who; "" = the requester
	urgency Urgency
	upto    int
	did     func(ref MessageRef, hash string)
	giveUp  func() // forget it after too many refusals; nil = never
}

// bid is what a job asks of the quota.
func (d *delivery) bid(j job) Bid {
	b := Bid{Call: CallPost, Channel: j.message.Channel, Who: d.f.ID + "/" + j.message.Key, Urgency: j.urgency}
	switch {
	case j.private:
		b.Call, b.Channel = CallWhisper, ""
	case j.edit.TS != "":
		b.Call, b.Channel = CallEdit, ""
	}
	return b
}

// lane names what Slack limits together: while one of it is put off, so are the
// others.
func (b Bid) lane() string { return string(b.Call) + " " + b.Channel }

// putOff leaves out one message until a time, in this step.
func (d *delivery) putOff(what string, until time.Time) {
	if d.off == nil {
		d.off = map[string]time.Time{}
	}
	d.off[what] = until
	d.wait(until)
}

// refresh reads the flow again between two calls, so that each says what is true
// now. News that comes later wakes the flow again.
func (d *delivery) refresh(ctx context.Context) error {
	f, _, err := d.Store.Get(ctx, d.f.ID)
	if err != nil {
		return err
	}
	d.f = f
	return nil
}

// run works until Slack shows the flow as it is. It returns when to look again;
// zero = when something changes.
func (d *delivery) run(ctx context.Context) (time.Time, error) {
	if d.Clock.Now().Before(d.posts.NotBefore) {
		return d.posts.NotBefore, nil
	}
	if d.posts.Slips != d.posts.Slipped {
		d.resend()
		if err := d.save(ctx); err != nil {
			return time.Time{}, err
		}
	}
	if at := d.posts.Prune; !at.IsZero() {
		if d.Clock.Now().Before(at) {
			d.wait(at)
		} else if err := d.prune(ctx); err != nil {
			return d.pause(ctx, err)
		}
	}
	if s := d.posts.Sending; s != nil {
		if wait := s.At.Add(inDoubtPause); d.Clock.Now().Before(wait) {
			return wait, nil
		}
		look := Bid{Call: CallSearch, Who: d.f.ID + "/" + s.Key}
		if again, err := d.may(ctx, look); err != nil || !again.IsZero() {
			return again, err
		}
		if err := d.settle(ctx, *s); err != nil {
			var limited *RateLimited
			if errors.As(err, &limited) {
				d.rest(ctx, look, limited)
			}
			return d.pause(ctx, err)
		}
	}
	for sent := map[string]int{}; ; {
		j, more := d.next()
		if !more {
			return d.later, nil
		}
		if sent[j.message.Key]++; sent[j.message.Key] > mostSends {
			d.putOff(j.message.Key, d.Clock.Now().Add(editGap))
			continue
		}
		select {
		case <-ctx.Done(): // stopping: another replica goes on
			return d.Clock.Now(), nil
		default:
		}
		again, err := d.may(ctx, d.bid(j))
		if err != nil {
			return time.Time{}, err
		}
		if !again.IsZero() {
			d.putOff(j.message.Key, again)
			continue
		}
		// Right before the call: a replica that slept while it asked for its share
		// would write what was true before over what another one wrote since.
		if err := d.keepLease(ctx); err != nil {
			return time.Time{}, err
		}
		if err := d.do(ctx, j); err != nil {
			if !d.hold(ctx, j, err) {
				return d.pause(ctx, err)
			}
		} else {
			d.posts.Tries = 0
			delete(d.posts.Held, j.message.Key)
		}
		if err := d.save(ctx); err != nil {
			return time.Time{}, err
		}
		if err := d.refresh(ctx); err != nil {
			return time.Time{}, err
		}
	}
}

func (d *delivery) keepLease(ctx context.Context) (err error) {
	now := d.Clock.Now()
	if d.claim.Until.Sub(now) < d.CallTimeout+d.Lease/6 {
		d.claim, err = d.Store.Extend(ctx, d.claim, now.Add(d.Lease))
	}
	return err
}

func (d *delivery) save(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	d.posts.Version++
	return d.Store.SavePosts(ctx, d.claim, d.posts)
}

// pause says when to try again after a failure, and keeps count of failures.
func (d *delivery) pause(ctx context.Context, err error) (time.Time, error) {
	var wait time.Duration
	var limited *RateLimited
	switch {
	case errors.Is(err, ErrLeaseLost):
		return time.Time{}, err
	case errors.As(err, &limited):
		d.Metrics.chatLimited()
		wait = max(limited.After, 100*time.Millisecond)
	default:
		d.posts.Tries++
		wait = min(leastPause<<min(d.posts.Tries-1, 10), mostPause)
		d.log.Warn("Slack is behind the flow", "error", err, "tries", d.posts.Tries, "next", wait)
	}
	d.posts.NotBefore = d.Clock.Now().Add(wait)
	return d.posts.NotBefore, d.save(ctx)
}

// hold keeps a message that Slack refused for itself, so that the others go on.
// It reports false for a failure that says nothing about this message.
func (d *delivery) hold(ctx context.Context, j job, err error) bool {
	var wait time.Duration
	var limited *RateLimited
	h := d.posts.Held[j.message.Key]
	switch {
	case errors.As(err, &limited):
		// Slack limits each kind of call on its own: a notice does not wait for the
		// edits, nor one channel for another.
		d.Metrics.chatLimited()
		b := d.bid(j)
		d.rest(ctx, b, limited)
		h.Until = d.Clock.Now().Add(max(limited.After, 100*time.Millisecond))
		d.keep(j.message.Key, h)
		d.putOff(b.lane(), h.Until)
		return true
	case errors.Is(err, ErrNoChannel):
		wait = noChannel
		if j.edit.TS != "" { // a new card waits for an invitation as long as the flow is open
			h.Tries++
		}
	case errors.Is(err, ErrChatRefused), errors.Is(err, ErrBlocksRefused):
		h.Tries++
		wait = min(leastPause<<min(h.Tries-1, 10), mostPause)
	default:
		return false
	}
	d.log.Error("Slack refuses a message", "message", j.message.Key, "channel", j.message.Channel, "tries", h.Tries, "error", err)
	if h.Tries >= refusals && j.giveUp != nil {
		delete(d.posts.Held, j.message.Key)
		j.giveUp()
		return true
	}
	h.Until = d.Clock.Now().Add(wait)
	d.keep(j.message.Key, h)
	return true
}

func (d *delivery) keep(key string, h Hold) {
	if d.posts.Held == nil {
		d.posts.Held = map[string]Hold{}
	}
	d.posts.Held[key] = h
}

// free reports whether a job may be tried now.
func (d *delivery) free(j job) bool {
	if h, held := d.posts.Held[j.message.Key]; held && d.Clock.Now().Before(h.Until) {
		d.wait(h.Until)
		return false
	}
	_, message := d.off[j.message.Key]
	_, lane := d.off[d.bid(j).lane()]
	return !message && !lane
}

// resend forgets what the cards show: a courier that was frozen in the middle of a
// call may have put an older state over a newer one.
func (d *delivery) resend() {
	for n, p := range d.posts.Cards {
		if !p.final() {
			p.Hash = ""
			d.posts.Cards[n] = p
		}
	}
	d.posts.Slips = d.posts.Slipped
	d.posts.Prune = d.Clock.Now().Add(inDoubtPause) // a call that was still out is over by then
}

// prune deletes what a frozen courier posted after its successor had looked for it
// in vain and posted it anew.
func (d *delivery) prune(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.CallTimeout)
	defer cancel()
	one := func(m Message, p Post) error {
		if p.final() || p.TS == "" {
			return nil
		}
		m.Channel = p.Channel
		err := d.Chat.Prune(ctx, m, p.MessageRef)
		if errors.Is(err, ErrNoChannel) || errors.Is(err, ErrChatRefused) {
			d.log.Error("a message may stand twice", "message", m.Key, "channel", m.Channel, "error", err)
			return nil
		}
		return err
	}
	for n, p := range d.posts.Cards {
		if n > len(d.f.Plans) {
			continue
		}
		m := d.Renderer.Card(d.f, n, d.rich)
		m.Key = cardKey(n)
		if err := one(m, p); err != nil {
			return err
		}
	}
	for i, s := range d.f.Told {
		for _, channel := range d.told() {
			m := d.Renderer.Notice(d.f, s)
			m.Key = noticeKey(d.f.Told[:i], s, channel)
			if err := one(m, d.posts.Notices[m.Key]); err != nil {
				return err
			}
		}
	}
	d.posts.Prune = time.Time{}
	return d.save(ctx)
}

func cardKey(n int) string { return "card/" + strconv.Itoa(n) }

// noticeKey is the key of the notice of a state behind those told before.
func noticeKey(before []State, s State, channel string) string {
	key := "notice/" + string(s)
	if n := len(slices.DeleteFunc(slices.Clone(before), func(t State) bool { return t != s })); n > 0 {
		key += "#" + strconv.Itoa(n+1)
	}
	return key + "/" + channel
}

// next finds the most urgent thing that Slack doesn't show yet: cards, notices,
// private messages, then the thread.
func (d *delivery) next() (job, bool) {
	for n := len(d.f.Plans); n >= 0; n-- {
		if j, ok := d.card(n); ok {
			return j, true
		}
	}
	for i, s := range d.f.Told {
		for _, channel := range d.told() {
			if j, ok := d.notice(i, s, channel); ok {
				return j, true
			}
		}
	}
	if j, ok := d.whisper(); ok {
		return j, true
	}
	return d.logJob()
}

func (d *delivery) whisper() (job, bool) {
	n := d.posts.Whispered
	if n >= len(d.f.Whispers) {
		return job{}, false
	}
	m := d.Renderer.Whisper(d.f, d.f.Whispers[n])
	to := d.f.Whispers[n].To
	m.Key, m.Channel, m.Thread = "whisper/"+strconv.Itoa(n), d.f.Request.Channel, d.f.Request.Thread
	if to != "" { // somebody who may not be in the channel: what vanishes with it would not be read
		m.Channel, m.Thread = "", ""
	}
	told := func() { d.posts.Whispered = n + 1 }
	j := job{message: m, private: true, to: to, did: func(MessageRef, string) { told() }, giveUp: told}
	return j, d.free(j)
}

// due reports whether card n is wanted at all. Plan cards are: the last one, and
// earlier ones that are up, to close them. Card 0 stands for a flow without a
// plan, when that is how it ended or when planning takes long.
func (d *delivery) due(n int) bool {
	was, up := d.posts.Cards[n]
	switch {
	case was.Hash == postGone && d.asks(n):
		return true
	case was.final():
		return false
	case up:
		return true
	case n > 0:
		return n == len(d.f.Plans)
	case len(d.f.Plans) > 0:
		return false
	case d.f.State.Ended():
		return d.f.End == nil || !d.f.End.Code.Private()
	case d.f.Wait == nil:
		return false
	}
	if at := d.f.CreatedAt.Add(earlyCard); d.Clock.Now().Before(at) {
		d.wait(at)
		return false
	}
	return true
}

// asks reports whether card n is what a person must answer on for the flow to go
// on. No event need come when somebody deletes it and the flow itself stands
// still, so only an edit shows that it is gone; it is then posted again. An open
// ballot is not among them: the engine reads its card, and a deleted one takes the
// reactions with it, so that the plan is void and people are asked anew.
func (d *delivery) asks(n int) bool { return d.f.State == Unknown && n == len(d.f.Plans) }

func (d *delivery) card(n int) (job, bool) {
	if !d.due(n) {
		return job{}, false
	}
	was, up := d.posts.Cards[n]
	if was.Hash == postGone {
		was, up = Post{}, false // it asks: whoever deleted it did not answer
	}
	if why := d.posts.Blocked[d.f.Request.Channel]; !up && why != "" && d.f.State.Ended() {
		return job{}, false
	}
	j := d.cardJob(n)
	now := d.Clock.Now()
	if up && was.Hash == j.hash {
		again := was.At.Add(askAgain)
		if !d.asks(n) {
			return job{}, false
		}
		if now.Before(again) {
			d.wait(again)
			return job{}, false
		}
	}
	if may := was.At.Add(editGap); up && d.f.State == Running && now.Before(may) {
		d.wait(may)
		return job{}, false
	}
	j.edit = was.MessageRef
	if up {
		j.giveUp = func() { j.did(was.MessageRef, postStuck) }
	} else if d.f.State.Ended() {
		j.giveUp = func() { j.did(MessageRef{Channel: j.message.Channel}, postStuck) }
	}
	switch {
	case up && was.Hash == j.hash:
		j.urgency = UrgentProgress // only to see whether it is still there
	case n > 0 && (!up || n < len(d.f.Plans)):
		j.urgency = UrgentEnd // a ballot opens, or one that is void closes
	case n == 0 && !d.f.State.Ended():
		j.urgency = UrgentStage
	default:
		j.urgency = d.f.urgency(was.State)
	}
	return j, d.free(j)
}

// cardJob is card n as it should be.
func (d *delivery) cardJob(n int) job {
	m := d.Renderer.Card(d.f, n, d.rich)
	m.Key, m.Channel = d.cardKey(n), d.f.Request.Channel
	hash := digest(m)
	if n < len(d.f.Plans) {
		hash = digest(Message{Text: m.Text, Blocks: m.Blocks}) // a closed card is not edited at every move of the flow
	}
	return job{message: m, hash: hash, did: func(ref MessageRef, sent string) {
		p := Post{MessageRef: ref, Hash: sent, At: d.Clock.Now(), State: d.f.State}
		if sent == "" {
			p.State = "" // found again: what it says is not known
		}
		if n > 0 {
			p.Plan = d.f.Plans[n-1].Plan.Hash
		}
		if d.posts.Cards == nil {
			d.posts.Cards = map[int]Post{}
		}
		d.posts.Cards[n] = p
	}}
}

// cardKey names a card by its plan, and not by the number alone: a store that came
// back older may give the number to another plan, and the reactions on the card of
// the first must never be found as votes on that one.
func (d *delivery) cardKey(n int) string {
	key := "card/" + strconv.Itoa(n)
	if n > 0 {
		key += fmt.Sprintf("/%.8s", d.f.Plans[n-1].Plan.Hash)
	}
	return key
}

// told are the channels of notices: where it was asked, and the cluster's own.
func (d *delivery) told() []string {
	channels := []string{d.f.Request.Channel}
	for _, c := range d.Catalog[d.f.Request.Wish.Change.Cluster].Channels {
		if !slices.Contains(channels, c) {
			channels = append(channels, c)
		}
	}
	return channels
}

// notice announces the i-th arrival in a state of State.Told. One state may be come
// to twice, as unknown is when what a person settled turns out otherwise: each time
// somebody is needed.
func (d *delivery) notice(i int, s State, channel string) (job, bool) {
	key := noticeKey(d.f.Told[:i], s, channel)
	if _, done := d.posts.Notices[key]; done {
		return job{}, false
	}
	m := d.Renderer.Notice(d.f, s)
	m.Key, m.Channel = key, channel
	did := func(ref MessageRef, hash string) {
		if d.posts.Notices == nil {
			d.posts.Notices = map[string]Post{}
		}
		d.posts.Notices[key] = Post{MessageRef: ref, Hash: hash, At: d.Clock.Now()}
	}
	j := job{message: m, hash: digest(m), did: did, giveUp: func() { did(MessageRef{Channel: channel}, postBlocked) }}
	return j, d.free(j)
}

// logJob tells the notes that the thread lacks: all of one plan in one reply.
func (d *delivery) logJob() (job, bool) {
	for from := d.posts.Logged; from < len(d.f.Log); {
		plan := max(d.f.Log[from].Plan, 1)
		upto := from + 1
		for upto < len(d.f.Log) && max(d.f.Log[upto].Plan, 1) == plan {
			upto++
		}
		if len(d.f.Plans) == 0 {
			plan = 0 // it never got further
		}
		card, up := d.posts.Cards[plan]
		if !up || card.TS == "" || card.Hash == postGone {
			if plan >= len(d.f.Plans) && !d.f.State.Ended() {
				return job{}, false // its card is still to come
			}
			d.posts.Logged, from = upto, upto // a thread that will never be
			continue
		}
		m := d.Renderer.Log(d.f, d.f.Log[from:upto])
		m.Key, m.Channel, m.Thread = "log/"+strconv.Itoa(from), card.Channel, card.TS
		told := func() { d.posts.Logged = upto }
		j := job{message: m, hash: digest(m), upto: upto, did: func(MessageRef, string) { told() }, giveUp: told, urgency: UrgentProgress}
		if d.f.State.Ended() || d.f.State == Unknown {
			j.urgency = UrgentStage
		}
		return j, d.free(j)
	}
	return job{}, false
}

func (d *delivery) wait(until time.Time) {
	if d.later.IsZero() || until.Before(d.later) {
		d.later = until
	}
}

// do makes one call to Slack.
func (d *delivery) do(ctx context.Context, j job) error {
	ctx, cancel := context.WithTimeout(ctx, d.CallTimeout)
	defer cancel()
	m, hash := j.message, j.hash
	switch {
	case j.private:
		m.Key = "" // nobody looks for a private message
		err := d.Chat.Whisper(ctx, cmp.Or(j.to, d.f.Request.User), m)
		if errors.Is(err, ErrNoChannel) {
			d.log.Error("the requester can't be told privately", "error", err)
			err = nil
		}
		if err == nil {
			j.did(MessageRef{}, hash)
		}
		return err
	case j.edit.TS != "":
		err := d.Chat.Update(ctx, j.edit, m)
		switch {
		case errors.Is(err, ErrBlocksRefused):
			return d.goPlain(ctx, err)
		case errors.Is(err, ErrMessageGone):
			d.log.Warn("a card was deleted", "channel", j.edit.Channel, "ts", j.edit.TS)
			hash = postGone
		case err != nil:
			return err
		}
		j.did(j.edit, hash)
		return nil
	}
	d.posts.Sending = &Sending{Key: m.Key, At: d.Clock.Now(), Upto: j.upto, Channel: m.Channel, Thread: m.Thread}
	if err := d.save(ctx); err != nil {
		return err
	}
	ref, there, err := d.forgotten(ctx, m)
	switch {
	case err != nil:
	case there:
		hash = "" // with unknown content: a card is edited next
	case !d.Clock.Now().Add(d.CallTimeout).Before(d.claim.Until):
		// A process that was frozen until here may find that another one looked for this
		// post in vain and posts it itself.
		return fmt.Errorf("%s: paused before the post: %w", m.Key, ErrLeaseLost)
	default:
		ref, err = d.Chat.Post(ctx, m)
	}
	switch {
	case err == nil:
	case errors.Is(err, ErrChatInDoubt), ctx.Err() != nil:
		return fmt.Errorf("%s: %w", m.Key, err) // Sending stays: it is looked for first
	case errors.Is(err, ErrBlocksRefused):
		d.posts.Sending = nil
		return d.goPlain(ctx, err)
	case errors.Is(err, ErrNoChannel):
		d.posts.Sending = nil
		return d.noChannel(ctx, j, err)
	case errors.Is(err, ErrMessageGone) && m.Thread != "":
		d.posts.Sending = nil
		d.threadGone(m.Thread)
		return nil
	default:
		d.posts.Sending = nil
		return errors.Join(err, d.save(ctx))
	}
	d.posts.Sending = nil
	delete(d.posts.Blocked, m.Channel)
	j.did(ref, hash)
	if m.Thread == "" {
		// The ballot waits for its card. The card must be on record first.
		if err := d.save(ctx); err != nil {
			return err
		}
		return d.Store.Wake(ctx, LaneStep, d.f.ID, d.Clock.Now())
	}
	return nil
}

// forgetting is how long after the store came to life a card or a notice is looked
// for before it is posted, and how long before that it may have been posted: all
// that a restart and its discovery take.
const forgetting = 10 * time.Minute

// forgotten looks for a card or a notice that was posted, and forgotten by a store
// that came back older. A log is not looked for: nobody could say how much of it
// was told, and to tell it twice does no harm.
func (d *delivery) forgotten(ctx context.Context, m Message) (MessageRef, bool, error) {
	if d.Restarted == nil || m.Thread != "" {
		return MessageRef{}, false, nil
	}
	at, err := d.Restarted(ctx)
	if err != nil || at.IsZero() || d.f.CreatedAt.After(at) || d.Clock.Now().After(at.Add(forgetting)) {
		return MessageRef{}, false, err
	}
	if again, err := d.may(ctx, Bid{Call: CallSearch, Who: d.f.ID + "/" + m.Key}); err != nil {
		return MessageRef{}, false, err
	} else if !again.IsZero() {
		return MessageRef{}, false, &RateLimited{After: again.Sub(d.Clock.Now())}
	}
	ref, there, err := d.Chat.Find(ctx, m, at.Add(-forgetting+clockSkew))
	switch {
	case errors.Is(err, ErrNoChannel), errors.Is(err, ErrChatRefused):
		return ref, false, nil // the post will say so
	case there:
		d.log.Warn("the store came back older: a message that it forgot was found", "message", m.Key, "ts", ref.TS)
	}
	return ref, there, err
}

// goPlain remembers for the whole workspace that it refuses plan blocks. Plain
// blocks that are refused too are a bug, and stay an error.
func (d *delivery) goPlain(ctx context.Context, refused error) error {
	if !d.rich {
		return refused
	}
	d.log.Warn("this workspace refuses plan blocks: cards fall back to plain ones", "error", refused)
	d.rich = false
	return d.Store.SetFlag(ctx, plainCards, "1")
}

// noChannel deals with a channel that the bot can't write in. A notice there is
// given up; a card is tried again while the flow is open, and the requester is
// told how to help.
func (d *delivery) noChannel(ctx context.Context, j job, err error) error {
	m := j.message
	d.log.Error("the bot can't write in a channel", "channel", m.Channel, "message", m.Key, "error", err)
	first := d.posts.Blocked[m.Channel] == ""
	if d.posts.Blocked == nil {
		d.posts.Blocked = map[string]string{}
	}
	d.posts.Blocked[m.Channel] = err.Error()
	if m.EventType != eventCard || d.f.State.Ended() {
		j.did(MessageRef{Channel: m.Channel}, postBlocked)
		return nil
	}
	if first {
		w := d.Renderer.Whisper(d.f, Note{Code: NoteNoChannel, At: d.Clock.Now(), Args: map[string]string{"channel": m.Channel}})
		w.Channel = m.Channel
		if werr := d.Chat.Whisper(ctx, d.f.Request.User, w); werr != nil {
			d.log.Error("the requester can't be told that the bot is missing in the channel", "error", werr)
		}
	}
	return errors.Join(err, d.save(ctx))
}

// eventCard is the metadata event type of cards, a contract (design.md section 9).
const eventCard = "scalebot_flow"

// settle finds out whether a post whose answer was lost is there. It is looked for
// where it was sent, whatever the flow wants meanwhile: a card that nobody wants
// any more must still be closed, and a log that went into another card's thread
// was told.
func (d *delivery) settle(ctx context.Context, s Sending) error {
	j, ok := d.byKey(s.Key, s.Upto)
	if s.Channel != "" {
		j.message.Channel, j.message.Thread = s.Channel, s.Thread
	}
	if ok {
		ctx, cancel := context.WithTimeout(ctx, d.CallTimeout)
		defer cancel()
		ref, found, err := d.Chat.Find(ctx, j.message, s.At.Add(-clockSkew))
		switch {
		case errors.Is(err, ErrMessageGone):
			d.threadGone(j.message.Thread)
		case errors.Is(err, ErrNoChannel), errors.Is(err, ErrChatRefused):
			d.log.Error("whether a message was posted can't be looked up; it is posted again", "message", s.Key, "error", err)
		case err != nil:
			return err
		case found && s.Upto > 0:
			d.posts.Logged = s.Upto
		case found:
			j.did(ref, "") // with unknown content: a card is edited next
		}
	}
	d.posts.Sending = nil
	if err := d.save(ctx); err != nil {
		return err
	}
	return d.Store.Wake(ctx, LaneStep, d.f.ID, d.Clock.Now())
}

// threadGone notes that the card of a thread was deleted. Nothing can be told
// there any more, and what is still to be told elsewhere must not wait for it.
func (d *delivery) threadGone(ts string) {
	for n, post := range d.posts.Cards {
		if ts != "" && post.TS == ts {
			d.log.Warn("a card was deleted, and its thread with it", "channel", post.Channel, "ts", ts)
			post.Hash = postGone
			d.posts.Cards[n] = post
		}
	}
}

// byKey makes the job of a message anew from its key.
func (d *delivery) byKey(key string, upto int) (job, bool) {
	if rest, ok := strings.CutPrefix(key, "card/"); ok {
		number, _, _ := strings.Cut(rest, "/")
		n, err := strconv.Atoi(number)
		if err != nil || n > len(d.f.Plans) {
			return job{}, false
		}
		j := d.cardJob(n)
		j.message.Key = key // a version that named cards by their number alone may have sent it
		return j, true
	}
	for i, s := range d.f.Told {
		for _, channel := range d.told() {
			if j, ok := d.notice(i, s, channel); ok && j.message.Key == key {
				return j, true
			}
		}
	}
	from, err := strconv.Atoi(strings.TrimPrefix(key, "log/"))
	if err != nil || from >= upto || upto > len(d.f.Log) {
		return job{}, false
	}
	m := d.Renderer.Log(d.f, d.f.Log[from:upto])
	m.Key = key
	if card, up := d.posts.Cards[max(d.f.Log[from].Plan, 1)]; up {
		m.Channel, m.Thread = card.Channel, card.TS
	}
	return job{message: m}, true
}

// digest names the content of a message. The record's version in the metadata is
// no content: it changes with every save.
func digest(m Message) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00%v", m.Text, m.Blocks, m.Payload["state"])
	return hex.EncodeToString(h.Sum(nil)[:16])
}
