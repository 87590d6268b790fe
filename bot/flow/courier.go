package flow

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
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
			err := d.tidy(ctx)
			return d.later, err
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

// tidy deletes strays once everything that the flow wants is up.
func (d *delivery) tidy(ctx context.Context) error {
	if err := d.lookForStrays(ctx); err != nil {
		return err
	}
	switch at := d.posts.Prune; {
	case at.IsZero() || !d.settled():
	case d.Clock.Now().Before(at):
		d.wait(at)
	default:
		return d.prune(ctx)
	}
	return nil
}

func (d *delivery) keepLease(ctx context.Context) (err error) {
	d.claim, err = d.outlive(ctx, d.claim)
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
		// As long as the flow is open it waits for an invitation: somebody may have to
		// answer on the card. After that ever longer, so that a card is put right by
		// whoever invites the bot again within the hour.
		wait = noChannel
		if d.f.State.Ended() {
			h.Tries++
			wait = noChannel << min(h.Tries-1, 7)
		}
	case errors.Is(err, ErrChatRefused), errors.Is(err, ErrBlocksRefused), errors.Is(err, ErrMessageGone):
		// What a private message was to answer in is gone, and comes back no more.
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
			d.log.Error("somebody can't be told privately", "user", cmp.Or(j.to, d.f.Request.User), "error", err)
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
			return d.goPlain(ctx, j, err)
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
	case j.stray:
		hash = postGone // it never stood, and nobody wants it any more
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
		return d.goPlain(ctx, j, err)
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

// goPlain remembers for the whole workspace that it refuses plan blocks. Plain
// blocks that are refused too are a bug, and stay an error: a log that Slack does not
// take says nothing of the cards.
func (d *delivery) goPlain(ctx context.Context, j job, refused error) error {
	if !d.rich || j.plain == nil || bytes.Equal(j.plain().Blocks, j.message.Blocks) {
		return refused
	}
	d.log.Warn("this workspace refuses plan blocks: cards fall back to plain ones", "error", refused)
	d.rich = false
	return d.Store.SetFlag(ctx, plainCards, "1")
}

// noteOf is what to tell about a channel that the bot can't write in: who is told to
// invite it where it is a member already is no wiser.
func noteOf(err error) NoteCode {
	switch {
	case errors.Is(err, ErrArchived):
		return NoteArchived
	case errors.Is(err, ErrRestricted):
		return NoteRestricted
	}
	return NoteNoChannel
}

// noChannel deals with a channel that the bot can't write in. Where it was asked all
// is tried again while the flow is open, and the requester is told how to help; what
// is to be said elsewhere, or of an end, is given up, unless it may be there already.
func (d *delivery) noChannel(ctx context.Context, j job, err error) error {
	m := j.message
	d.log.Error("the bot can't write in a channel", "channel", m.Channel, "message", m.Key, "error", err)
	open := m.Channel == d.f.Request.Channel && !d.f.State.Ended()
	if open && d.posts.Blocked[m.Channel] == "" {
		w := d.Renderer.Whisper(d.f, Note{Code: noteOf(err), At: d.Clock.Now(), Args: map[string]string{"channel": m.Channel}})
		w.Channel = m.Channel
		if werr := d.Chat.Whisper(ctx, d.f.Request.User, w); werr != nil {
			d.log.Error("the requester can't be told that the bot is missing in the channel", "error", werr)
			if !errors.Is(werr, ErrNoChannel) && !errors.Is(werr, ErrChatRefused) {
				return err // told with the next try of the card: nobody else knows what to do
			}
		}
	}
	if d.posts.Blocked == nil {
		d.posts.Blocked = map[string]string{}
	}
	d.posts.Blocked[m.Channel] = err.Error()
	if !open && !d.mayStand(m.Key) {
		j.did(MessageRef{Channel: m.Channel}, postBlocked)
		return nil
	}
	return errors.Join(err, d.save(ctx))
}
