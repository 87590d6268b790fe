package flow

import (
	"context"
	"errors"
	"slices"
	"time"
)

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
	d.posts.Pruned = nil
	d.posts.Prune = d.Clock.Now().Add(inDoubtPause) // a call that was still out is over by then
}

// prune deletes what stands in Slack and is not on record: what a frozen courier
// posted after its successor had looked for it in vain, and what a store that came
// back older had forgotten and the flow never comes to again. It goes one kind of
// message and channel after the other, each in its turn, and holds up no delivery:
// what can't be looked for now is looked for later.
func (d *delivery) prune(ctx context.Context) error {
	for _, m := range d.allKinds() {
		kind := m.EventType + "/" + m.Channel
		if slices.Contains(d.posts.Pruned, kind) {
			continue
		}
		again, err := d.may(ctx, Bid{Call: CallSearch, Who: d.f.ID + "/prune/" + kind})
		if err != nil {
			return err
		}
		if again.IsZero() {
			// Right before the call: by an old record the wrong one of two would go.
			if err := d.keepLease(ctx); err != nil {
				return err
			}
			again = d.pruneOne(ctx, m)
		}
		if !again.IsZero() {
			d.posts.Prune = again
			d.wait(again)
			return d.save(ctx)
		}
		d.posts.Pruned = append(d.posts.Pruned, kind)
	}
	d.posts.Prune, d.posts.Pruned = time.Time{}, nil
	return d.save(ctx)
}

// pruneOne deletes the stray messages of one kind, or says when to try again.
func (d *delivery) pruneOne(ctx context.Context, m Message) time.Time {
	ctx, cancel := context.WithTimeout(ctx, d.CallTimeout)
	defer cancel()
	err := d.Chat.Prune(ctx, m, d.f.CreatedAt.Add(-clockSkew), d.known())
	var limited *RateLimited
	switch {
	case err == nil:
		return time.Time{}
	case errors.As(err, &limited):
		d.rest(ctx, Bid{Call: CallSearch}, limited)
		return d.Clock.Now().Add(max(limited.After, leastPause))
	case errors.Is(err, ErrNoChannel), errors.Is(err, ErrChatRefused):
		d.log.Error("a message may stand twice", "kind", m.EventType, "channel", m.Channel, "error", err)
		return time.Time{}
	}
	d.log.Warn("whether a message stands twice can't be looked up yet", "kind", m.EventType, "channel", m.Channel, "error", err)
	return d.Clock.Now().Add(pruneAgain)
}

// pruneAgain is the wait after Slack could not be searched for copies.
const pruneAgain = 30 * time.Second

// settled reports whether all cards and notices that the flow wants are on record:
// only then is one that isn't a stray.
func (d *delivery) settled() bool {
	for n := range len(d.f.Plans) + 1 {
		if _, up := d.posts.Cards[n]; !up && d.due(n) && d.posts.Blocked[d.f.Request.Channel] == "" {
			return false
		}
	}
	for i, s := range d.f.Told {
		for _, channel := range d.told() {
			if _, done := d.posts.Notices[noticeKey(d.f.Told[:i], s, channel)]; !done {
				return false
			}
		}
	}
	return true
}

// allKinds are the kinds of messages that must stand once, each in each channel.
func (d *delivery) allKinds() []Message {
	of := map[string]any{"flow": d.f.ID}
	kinds := []Message{{EventType: EventFlow, Channel: d.f.Request.Channel, Payload: of}}
	for _, channel := range d.told() {
		kinds = append(kinds, Message{EventType: EventNotice, Channel: channel, Payload: of})
	}
	return kinds
}

// known are the cards and notices on record.
func (d *delivery) known() (all []MessageRef) {
	for _, p := range d.posts.Cards {
		all = append(all, p.MessageRef)
	}
	for _, p := range d.posts.Notices {
		all = append(all, p.MessageRef)
	}
	return all
}

// lookForStrays plans a look for what a store that came back older forgot, where
// the flow may now go another way than it had: its cards and notices of before
// would stand for ever. Found by flowsim, seed 300808.
func (d *delivery) lookForStrays(ctx context.Context) error {
	if !d.f.State.Ended() || len(d.posts.Cards) > 0 {
		return nil
	}
	at, err := d.reborn(ctx)
	if err != nil || !d.sweep(at) {
		return err
	}
	return d.save(ctx)
}

// sweep plans a look for strays of a time at which the store came back older, once;
// it reports whether it did.
func (d *delivery) sweep(at time.Time) bool {
	if !at.After(d.posts.Swept) {
		return false
	}
	d.posts.Swept, d.posts.Pruned, d.posts.Prune = at, nil, d.Clock.Now().Add(inDoubtPause)
	return true
}

func (d *delivery) reborn(ctx context.Context) (time.Time, error) {
	return d.forgot(ctx, d.f.CreatedAt)
}

// forgot is when the store came back as something that may have forgotten a message
// of what is on record since made; zero = it did not, or too long ago to matter.
func (o *Options) forgot(ctx context.Context, made time.Time) (time.Time, error) {
	at, err := o.restarted(ctx, made)
	if err != nil || o.Clock.Now().After(at.Add(forgetting)) {
		return time.Time{}, err
	}
	return at, nil
}

// restarted is when the store last came back older than what is on record since made;
// zero = it did not. The one time is of the clock that saw it, the other of the one that
// took the request: a flow that seems a moment younger may be older (found by flowsim,
// seed 610177).
func (o *Options) restarted(ctx context.Context, made time.Time) (time.Time, error) {
	if o.Restarted == nil {
		return time.Time{}, nil
	}
	at, err := o.Restarted(ctx)
	if err != nil || made.After(at.Add(clockSkew)) {
		return time.Time{}, err
	}
	return at, nil
}

// sentBefore is since when a store that forgot it may have had a message sent. A search
// goes ten minutes on from there: to a moment after the store came back, by whatever
// clock.
func sentBefore(reborn time.Time) time.Time { return reborn.Add(-forgetting + 2*clockSkew) }

// forgetting is how long after the store came to life a card or a notice is looked
// for before it is posted, and how long before that it may have been posted: all
// that a restart and its discovery take.
const forgetting = 10 * time.Minute

// forgotten looks for a card or a notice that may have been posted: by a send whose
// answer was lost, or by one that a store forgot that came back older. What may stand
// is on record until a search was answered, however long Slack can't be asked. A log is
// not looked for: nobody could say how much of it was told, and to tell it twice does
// no harm.
func (d *delivery) forgotten(ctx context.Context, m Message) (MessageRef, bool, error) {
	if m.Thread != "" {
		return MessageRef{}, false, nil
	}
	at, err := d.reborn(ctx)
	if err != nil {
		return MessageRef{}, false, err
	}
	lost := sentBefore(at)
	if !d.mayStand(m.Key) && !at.IsZero() {
		d.since(m.Key, lost)
	}
	for d.mayStand(m.Key) {
		since := d.posts.Held[m.Key].Since
		again, err := d.may(ctx, Bid{Call: CallSearch, Who: d.f.ID + "/" + m.Key})
		if err != nil {
			return MessageRef{}, false, err
		}
		if !again.IsZero() {
			return MessageRef{}, false, &RateLimited{After: again.Sub(d.Clock.Now())}
		}
		ref, there, err := d.Chat.Find(ctx, m, since.Add(-clockSkew))
		switch {
		case errors.Is(err, ErrChatRefused), d.searchedEnough(err): // the post will say so
			d.since(m.Key, time.Time{})
		case err != nil:
			return ref, false, err
		case there:
			d.log.Warn("a message that was posted and is not on record was found", "message", m.Key, "ts", ref.TS)
			return ref, true, nil
		default:
			d.sweep(at) // another one may stand in its place: a card of the plan that was forgotten
			if at.IsZero() || since.Equal(lost) {
				lost = time.Time{}
			}
			d.since(m.Key, lost)
		}
		// That it never arrived is on record before the next one is sent, which is looked
		// for by its own time. Found by flowsim, seeds 811978 and 821789.
		if err := d.save(ctx); err != nil {
			return MessageRef{}, false, err
		}
	}
	return MessageRef{}, false, nil
}

// since notes when a message may have been posted; zero = it wasn't. How often it was
// refused stays.
func (d *delivery) since(key string, t time.Time) {
	h := d.posts.Held[key]
	if h.Since = t; h == (Hold{}) {
		delete(d.posts.Held, key)
		return
	}
	d.keep(key, h)
}

// mayStand reports whether a message may be up whose post has no answer and could not
// be looked up.
func (d *delivery) mayStand(key string) bool { return !d.posts.Held[key].Since.IsZero() }

// mostSearches is how often a search is begun that Slack shows too much for. The span
// it looks through does not shrink, so each further one would end like the first and
// the flow would tell nothing any more.
const mostSearches = 4

// searchedEnough gives up a search that was cut short time and again. What it looked
// for may then stand twice, and is deleted where it can be found.
func (d *delivery) searchedEnough(err error) bool {
	if !errors.Is(err, ErrSearchCut) || d.posts.Tries < mostSearches-1 {
		return false
	}
	d.log.Error("a message is posted that may stand already", "error", err)
	d.posts.Pruned, d.posts.Prune = nil, d.Clock.Now().Add(inDoubtPause)
	return true
}

// settle finds out whether a post whose answer was lost is there. It is looked for
// where it was sent, whatever the flow wants meanwhile: a card that nobody wants
// any more must still be closed, and a log that went into another card's thread
// was told.
func (d *delivery) settle(ctx context.Context, s Sending) error {
	j, ok := d.byKey(s.Key, s.Upto)
	if s.Channel != "" {
		j.message.Channel, j.message.Thread = s.Channel, s.Thread
	}
	since := s.At
	if held := d.posts.Held[s.Key].Since; !held.IsZero() {
		// The first send is what may have arrived: since then nothing was sent that was not
		// looked for before. Found by flowsim, seed 710739.
		since = earliest(since, held)
	}
	if ok {
		ctx, cancel := context.WithTimeout(ctx, d.CallTimeout)
		defer cancel()
		ref, found, err := d.Chat.Find(ctx, j.message, since.Add(-clockSkew))
		switch {
		case errors.Is(err, ErrMessageGone):
			d.threadGone(j.message.Thread)
		case errors.Is(err, ErrNoChannel) && s.Upto == 0:
			// Another one beside it would be a card that nobody closes. A log that is told
			// twice does no harm.
			d.log.Error("whether a message was posted can't be looked up before the bot is invited again", "message", s.Key, "error", err)
			d.keep(s.Key, Hold{Until: d.Clock.Now().Add(noChannel), Since: since})
		case errors.Is(err, ErrNoChannel), errors.Is(err, ErrChatRefused):
			d.log.Error("whether a message was posted can't be looked up; it is posted again", "message", s.Key, "error", err)
		case d.searchedEnough(err):
		case err != nil:
			return err
		default:
			delete(d.posts.Held, s.Key)
		}
		switch {
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
