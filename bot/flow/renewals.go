package flow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Renewals reminds people of prepaid terms that are about to end, and keeps the
// reminders equal to what was decided. It is a lane of its own with leases like
// those of flows, so that several replicas post a reminder once, and it works like
// the Courier: a post is recorded before it is sent, and one whose answer was lost
// is looked for in Slack before it is sent again.
//
// It renews nothing: that is done in the cloud's console, and the message says so.
type Renewals struct {
	Options
	nudge chan struct{}
	swept atomic.Int64 // when the store last came back older and all were woken for it, in Unix ns
}

// NewRenewals makes the lane; Run starts it.
func NewRenewals(o Options) *Renewals { return &Renewals{Options: o, nudge: make(chan struct{}, 1)} }

// Nudge makes it look for work at once: after a decision.
func (r *Renewals) Nudge() { nudge(r.nudge) }

// Run reminds until ctx ends, then finishes what is in hand and returns nil.
func (r *Renewals) Run(ctx context.Context) error {
	var reviving sync.WaitGroup
	defer reviving.Wait()
	reviving.Go(func() {
		hour, minute := time.NewTicker(reviveEvery), time.NewTicker(recheckEvery)
		defer hour.Stop()
		defer minute.Stop()
		r.Revive(ctx)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hour.C:
				r.Revive(ctx)
			case <-minute.C:
				r.Recheck(ctx)
			}
		}
	})
	return drive(ctx, r.Options, LaneRenew, r.nudge, r.Step)
}

// How often Revive and Recheck look.
const (
	reviveEvery  = time.Hour
	recheckEvery = time.Minute
)

// Recheck asks for a look at all terms that people were reminded of, once the store came
// back older: what Slack shows of them, and what was decided, may not be on record, and
// the next look by the calendar may be weeks away. Run calls it; a test may.
func (r *Renewals) Recheck(ctx context.Context) {
	at, err := r.restarted(ctx, time.Time{})
	if err != nil || at.IsZero() || at.UnixNano() <= r.swept.Load() {
		return // a store that is away is asked again
	}
	now := r.Clock.Now()
	all, err := r.Store.Commitments(ctx, now.Add(-commitmentsPast))
	for _, c := range all {
		if c = c.At(now); lastLead(c, r.RenewalReminders, now) > 0 {
			err = errors.Join(err, r.Store.Wake(ctx, LaneRenew, c.ID, now))
		}
	}
	if err != nil {
		r.Logger.Warn("reminders may not show what was decided", "error", err)
		return
	}
	r.swept.Store(at.UnixNano())
}

// Revive asks for a look at terms that went on. A version that knew of none let go
// of them at their first end, and nobody would be reminded of them again. Run calls
// it, again and again, since an old replica may let go of them next to this one; a
// test may.
func (r *Renewals) Revive(ctx context.Context) {
	now := r.Clock.Now()
	all, err := r.Store.Commitments(ctx, now.Add(-commitmentsPast))
	for _, c := range all {
		if c.At(now).Term > 1 {
			err = errors.Join(err, r.Store.Wake(ctx, LaneRenew, c.ID, now))
		}
	}
	if err != nil {
		r.Logger.Warn("terms that went on may not be looked at", "error", err)
	}
}

// renewalLook is how often a commitment is looked at when nothing is due: config
// may have got other reminders, and another replica may not know it yet.
const renewalLook = 24 * time.Hour

// Reminders is what Slack shows about one commitment.
type Reminders struct {
	Version   int64           `json:"version"`
	Term      int             `json:"term,omitempty"`     // that all of this is about; 0 = the first
	Lead      time.Duration   `json:"lead,omitempty"`     // before the end, of the last reminder that came due; 0 = none yet
	Messages  map[string]Post `json:"messages,omitempty"` // by key
	Sending   *Sending        `json:"sending,omitempty"`  // saved before a post, cleared after: else in doubt
	Tries     int             `json:"tries,omitempty"`    // failures in a row; paces the next try
	NotBefore time.Time       `json:"not_before,omitzero"`
	Held      map[string]Hold `json:"held,omitempty"`    // by key: messages that Slack refused, so that they hold up no other
	Swept     time.Time       `json:"swept_at,omitzero"` // when the store last came back older and that was seen to
}

// NextRenewal is when a commitment is to be looked at next: the next reminder, its
// end, or a day from now, whichever comes first. leads are the reminders of
// config; said is the lead of the last one that was posted, 0 = none. Zero = never
// again.
func NextRenewal(c Commitment, leads []time.Duration, said time.Duration, now time.Time) time.Time {
	if !c.On(now) {
		return time.Time{}
	}
	next := earliest(c.Until, now.Add(renewalLook))
	if c.Decision != nil {
		return next
	}
	for _, lead := range leads {
		if at := c.Until.Add(-lead); at.After(now) && (said == 0 || lead < said) {
			next = earliest(next, at)
		}
	}
	return next
}

// dueLead is the lead of the reminder that is due: the last whose time has come,
// so that several that came due while nobody looked are one. 0 = none.
func dueLead(c Commitment, leads []time.Duration, said time.Duration, now time.Time) time.Duration {
	lead := lastLead(c, leads, now)
	if c.Decision != nil || !c.On(now) || said > 0 && lead >= said {
		return 0
	}
	return lead
}

// lastLead is the lead of the last reminder whose time has come in this term; 0 = none.
// One whose time was before the term never comes.
func lastLead(c Commitment, leads []time.Duration, now time.Time) time.Duration {
	var last time.Duration
	for _, lead := range leads {
		at := c.Until.Add(-lead)
		if lead > 0 && at.After(c.begun()) && !at.After(now) && (last == 0 || lead < last) {
			last = lead
		}
	}
	return last
}

func (c Commitment) begun() time.Time {
	if c.Began.IsZero() {
		return c.From
	}
	return c.Began
}

// Step does what one claimed commitment needs, one Slack call after the other,
// saving in between, and releases the claim. Run calls it; a test may.
func (r *Renewals) Step(ctx context.Context, claim Claim) error {
	c, err := r.Store.Commitment(ctx, claim.ID)
	if err != nil {
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrNewer) {
			return errors.Join(err, r.Store.Release(ctx, claim, r.Clock.Now().Add(r.Lease)))
		}
		return err
	}
	w := &renewal{Renewals: r, claim: claim, bought: c, log: r.Logger.With("commitment", c.ID)}
	if w.shown, err = r.Store.Reminders(ctx, c.ID); err != nil {
		return err
	}
	w.c = c.in(max(w.shown.Term, 1))
	due, err := w.run(ctx)
	if err != nil {
		return err // the lease is left to run out, as the Courier does
	}
	save, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	return r.Store.Release(save, w.claim, due)
}

// renewal is the work on one commitment.
type renewal struct {
	*Renewals
	claim  Claim
	bought Commitment // as it is on record
	c      Commitment // in the term that shown is about
	shown  Reminders
	log    *slog.Logger
}

// run works until Slack shows the commitment as it is, and returns when to look
// again; zero = when something changes.
func (w *renewal) run(ctx context.Context) (time.Time, error) {
	now := w.Clock.Now()
	if now.Before(w.shown.NotBefore) {
		return w.shown.NotBefore, nil
	}
	if s := w.shown.Sending; s != nil {
		if wait := s.At.Add(inDoubtPause); now.Before(wait) {
			return wait, nil
		}
		look := Bid{Call: CallSearch, Who: w.c.ID + "/" + s.Key, Urgency: UrgentProgress}
		if again, err := w.may(ctx, look); err != nil || !again.IsZero() {
			return again, err
		}
		if err := w.settle(ctx, *s); err != nil {
			return w.pause(ctx, look, err)
		}
	}
	if err := w.sweep(ctx); err != nil {
		return time.Time{}, err
	}
	if lead := dueLead(w.c, w.RenewalReminders, w.shown.Lead, now); lead > 0 {
		w.shown.Lead = lead
		if err := w.save(ctx); err != nil {
			return time.Time{}, err
		}
	}
	for {
		m, was, ok := w.next()
		if !ok {
			if on, err := w.goOn(ctx); err != nil || on {
				return now, err
			}
			return w.later(), nil
		}
		select {
		case <-ctx.Done(): // stopping: another replica goes on
			return w.Clock.Now(), nil
		default:
		}
		// Terms that end on one day end by the hundred: reminders take what running
		// flows leave.
		bid := Bid{Call: CallPost, Channel: m.Channel, Who: w.c.ID + "/" + m.Key, Urgency: UrgentProgress}
		switch {
		case was.TS != "":
			bid.Call, bid.Channel = CallEdit, ""
		case w.mayStand(m.Key):
			bid.Call, bid.Channel = CallSearch, ""
		}
		if again, err := w.may(ctx, bid); err != nil || !again.IsZero() {
			return again, err
		}
		if err := w.keepLease(ctx); err != nil {
			return time.Time{}, err
		}
		if err := w.send(ctx, m, was); err != nil && !w.hold(m, was, err) {
			return w.pause(ctx, bid, err)
		}
		w.shown.Tries = 0
		if err := w.save(ctx); err != nil {
			return time.Time{}, err
		}
	}
}

// goOn turns to the term that runs now, once Slack shows the end of the one before:
// its reminders come anew, in messages of their own.
func (w *renewal) goOn(ctx context.Context) (bool, error) {
	now := w.Clock.Now()
	c := w.bought.At(now)
	if c.Term <= w.c.Term || w.holding() {
		return false, nil
	}
	err := w.Store.GoOn(ctx, w.claim, c, now, Audit{Actor: "scalebot", Action: "term_goes_on", Detail: map[string]any{
		"cluster": c.Cluster, "group": c.Group, "bought": c.From, "term": c.Term, "from": c.Began, "until": c.Until, "renew": c.Renew, "decision": w.c.Decision,
	}})
	if err != nil {
		return false, err
	}
	w.c = c
	w.shown = Reminders{Version: w.shown.Version, Term: c.Term, Swept: w.shown.Swept}
	return true, w.save(ctx)
}

// holding reports whether a message that Slack refused is to be tried again.
func (w *renewal) holding() bool {
	for key := range w.shown.Held {
		if !w.free(key) {
			return true
		}
	}
	return false
}

// rooms are where reminders go: the cluster's channels, or where it was asked for.
func (w *renewal) rooms() []string {
	if channels := w.Catalog[w.c.Cluster].Channels; len(channels) > 0 {
		return channels
	}
	return []string{w.c.Channel}
}

func renewalKey(term int, lead time.Duration, channel string) string {
	key := "renewal/" + lead.String() + "/" + channel
	if term > 1 {
		key += "#" + strconv.Itoa(term)
	}
	return key
}

// next finds a message that is not as it should be: first new ones, then those
// that are up. Nothing new is posted once somebody decided or the term is over.
func (w *renewal) next() (Message, Post, bool) {
	view := Renewal{Commitment: w.c, Over: !w.c.On(w.Clock.Now()), Latest: true}
	for _, key := range slices.Sorted(maps.Keys(w.shown.Held)) {
		if w.mayStand(key) && w.free(key) {
			m := w.Renderer.Renewal(view)
			m.Key, m.Channel = key, roomOf(key)
			return m, Post{}, true
		}
	}
	if lead := w.shown.Lead; lead > 0 && w.c.Decision == nil && !view.Over {
		for _, room := range w.rooms() {
			key := renewalKey(w.c.Term, lead, room)
			if _, up := w.shown.Messages[key]; up || !w.free(key) {
				continue
			}
			m := w.Renderer.Renewal(view)
			m.Key, m.Channel = key, room
			return m, Post{}, true
		}
	}
	for _, key := range sortedPosts(w.shown.Messages) {
		was := w.shown.Messages[key]
		if was.final() || was.TS == "" || !w.free(key) {
			continue
		}
		view.Latest = key == renewalKey(w.c.Term, w.shown.Lead, was.Channel)
		m := w.Renderer.Renewal(view)
		m.Key, m.Channel = key, was.Channel
		if was.Hash != digest(m) {
			return m, was, true
		}
	}
	return Message{}, Post{}, false
}

func sortedPosts(m map[string]Post) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// send makes one call to Slack. A new message is on record as being sent before.
func (w *renewal) send(ctx context.Context, m Message, was Post) error {
	ctx, cancel := context.WithTimeout(ctx, w.CallTimeout)
	defer cancel()
	hash := digest(m)
	m = w.named(m)
	if was.TS != "" {
		err := w.Chat.Update(ctx, was.MessageRef, m)
		if errors.Is(err, ErrMessageGone) {
			w.log.Warn("a reminder was deleted", "channel", was.Channel, "ts", was.TS)
			hash, err = postGone, nil
		}
		if err == nil {
			w.did(m.Key, was.MessageRef, hash)
		}
		return err
	}
	if w.mayStand(m.Key) {
		return w.look(ctx, m, w.shown.Held[m.Key].Since)
	}
	w.shown.Sending = &Sending{Key: m.Key, At: w.Clock.Now()}
	if err := w.save(ctx); err != nil {
		return err
	}
	if !w.Clock.Now().Add(w.CallTimeout).Before(w.claim.Until) {
		// A process that was frozen until here may find that another one looked for this
		// reminder in vain and posts it itself.
		return fmt.Errorf("%s: paused before the post: %w", m.Key, ErrLeaseLost)
	}
	ref, err := w.Chat.Post(ctx, m)
	if errors.Is(err, ErrChatInDoubt) || err != nil && ctx.Err() != nil {
		return err // Sending stays: it is looked for first
	}
	w.shown.Sending = nil
	if err == nil {
		w.did(m.Key, ref, hash)
	}
	return err
}

// named adds what a message is found again by. The version is another one at
// each edit, as Slack asks.
func (w *renewal) named(m Message) Message {
	m.Payload = map[string]any{"flow": w.c.ID, "version": w.shown.Version}
	return m
}

func (w *renewal) did(key string, ref MessageRef, hash string) {
	if w.shown.Messages == nil {
		w.shown.Messages = map[string]Post{}
	}
	w.shown.Messages[key] = Post{MessageRef: ref, Hash: hash, At: w.Clock.Now()}
	delete(w.shown.Held, key)
}

// settle finds out whether a post whose answer was lost is there.
func (w *renewal) settle(ctx context.Context, s Sending) error {
	m := w.Renderer.Renewal(Renewal{Commitment: w.c, Latest: true})
	m.Key, m.Channel = s.Key, roomOf(s.Key)
	since := s.At
	if held := w.shown.Held[s.Key].Since; !held.IsZero() {
		since = earliest(since, held)
	}
	if err := w.look(ctx, m, since); errors.Is(err, ErrNoChannel) {
		// To post another one later would leave two, and not to would leave one that
		// nobody puts right. Found by flowsim, seed 821125.
		w.log.Error("whether a reminder was posted can't be looked up before the bot is invited again", "message", s.Key, "error", err)
		w.keep(s.Key, Hold{Until: w.Clock.Now().Add(noChannel), Since: since})
	} else if err != nil {
		return err
	}
	w.shown.Sending = nil
	return w.save(ctx)
}

// sweep sees to what a store that came back older forgot, once: the reminder that came
// due last may stand in each channel, whatever was decided since, and would stand beside
// the next one for ever (found by flowsim, seed 911537); and what is on record may show
// a decision that is not.
func (w *renewal) sweep(ctx context.Context) error {
	at, err := w.restarted(ctx, w.c.From)
	if err != nil || !at.After(w.shown.Swept) {
		return err
	}
	w.shown.Swept = at
	if lead := lastLead(w.c, w.RenewalReminders, at.Add(clockSkew)); lead > 0 {
		for _, room := range w.rooms() {
			key := renewalKey(w.c.Term, lead, room)
			if _, up := w.shown.Messages[key]; up || w.mayStand(key) {
				continue
			}
			h := w.shown.Held[key]
			h.Since = sentBefore(at)
			if over := at.Add(w.CallTimeout + inDoubtPause); h.Until.Before(over) {
				h.Until = over // a post that was still out has arrived by then
			}
			w.keep(key, h)
		}
	}
	for key, p := range w.shown.Messages {
		if !p.final() {
			p.Hash = ""
			w.shown.Messages[key] = p
		}
	}
	return w.save(ctx)
}

// mayStand reports whether a reminder may be up whose post has no answer and could not
// be looked up.
func (w *renewal) mayStand(key string) bool { return !w.shown.Held[key].Since.IsZero() }

// look finds out whether a reminder that may stand does, and notes it: what stands is
// edited next, what doesn't is posted next if it is still wanted.
func (w *renewal) look(ctx context.Context, m Message, since time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, w.CallTimeout)
	defer cancel()
	ref, there, err := w.Chat.Find(ctx, w.named(m), since.Add(-clockSkew))
	switch {
	case errors.Is(err, ErrChatRefused), errors.Is(err, ErrSearchCut) && w.shown.Tries >= mostSearches-1:
		w.log.Error("whether a reminder was posted can't be looked up; it is posted again", "message", m.Key, "error", err)
	case err != nil:
		return err
	case there:
		w.did(m.Key, ref, "") // with unknown content
	}
	delete(w.shown.Held, m.Key)
	return nil
}

// roomOf is the channel that a reminder's key names.
func roomOf(key string) string {
	key, _, _ = strings.Cut(key, "#")
	return key[strings.LastIndexByte(key, '/')+1:]
}

func (w *renewal) keep(key string, h Hold) {
	if w.shown.Held == nil {
		w.shown.Held = map[string]Hold{}
	}
	w.shown.Held[key] = h
}

// hold keeps a message that Slack refused for itself, so that the other channels go
// on, and gives it up after some refusals. It reports false for a failure that says
// nothing about this message.
func (w *renewal) hold(m Message, was Post, err error) bool {
	if !errors.Is(err, ErrNoChannel) && !errors.Is(err, ErrChatRefused) && !errors.Is(err, ErrBlocksRefused) && !errors.Is(err, ErrMessageGone) {
		return false
	}
	h := w.shown.Held[m.Key]
	h.Tries++
	waits := errors.Is(err, ErrNoChannel) && w.c.On(w.Clock.Now()) // for an invitation: a term is long
	w.log.Error("Slack refuses a reminder", "message", m.Key, "channel", m.Channel, "tries", h.Tries, "error", err)
	if h.Tries >= refusals && !waits {
		ref := was.MessageRef
		ref.Channel = m.Channel
		w.did(m.Key, ref, postStuck)
		return true
	}
	pause := min(leastPause<<min(h.Tries-1, 10), mostPause)
	if waits {
		pause = min(noChannel<<min(h.Tries-1, 12), renewalLook)
	}
	h.Until = w.Clock.Now().Add(pause)
	w.keep(m.Key, h)
	return true
}

// free reports whether a message may be tried now.
func (w *renewal) free(key string) bool { return !w.Clock.Now().Before(w.shown.Held[key].Until) }

// later is when there is something to do next: by the calendar, or with a message
// that Slack refused.
func (w *renewal) later() time.Time {
	due := NextRenewal(w.c, w.RenewalReminders, w.shown.Lead, w.Clock.Now())
	for _, h := range w.shown.Held {
		// One whose time has come and that next passed over is not wanted any more.
		if h.Until.After(w.Clock.Now()) && (due.IsZero() || h.Until.Before(due)) {
			due = h.Until
		}
	}
	return due
}

func (w *renewal) keepLease(ctx context.Context) (err error) {
	w.claim, err = w.outlive(ctx, w.claim)
	return err
}

func (w *renewal) save(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	w.shown.Version++
	return w.Store.SaveReminders(ctx, w.claim, w.shown)
}

// pause says when to try again after a call failed.
func (w *renewal) pause(ctx context.Context, b Bid, err error) (time.Time, error) {
	var limited *RateLimited
	var wait time.Duration
	switch {
	case errors.Is(err, ErrLeaseLost):
		return time.Time{}, err
	case errors.As(err, &limited):
		w.Metrics.chatLimited()
		w.rest(ctx, b, limited)
		wait = max(limited.After, 100*time.Millisecond)
	default:
		w.shown.Tries++
		wait = min(leastPause<<min(w.shown.Tries-1, 10), mostPause)
		w.log.Warn("a reminder can't be told yet", "error", err, "tries", w.shown.Tries, "next", wait)
	}
	w.shown.NotBefore = w.Clock.Now().Add(wait)
	return w.shown.NotBefore, w.save(ctx)
}
