package flow

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

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
	plain   func() Message // of a card: it without plan blocks
	stray   bool           // it is wanted only where it stands already
	did     func(ref MessageRef, hash string)
	giveUp  func() // forget it after too many refusals; nil = never
}

// bid is what a job asks of the quota.
func (d *delivery) bid(j job) Bid {
	b := Bid{Call: CallPost, Channel: j.message.Channel, Who: d.f.ID + "/" + j.message.Key, Urgency: j.urgency}
	switch {
	case j.private && j.message.Channel == "":
		// A direct message is a post, and Slack takes one a second in each room: six
		// denials at once must not go out together because six flows tell of them.
		b.Channel = cmp.Or(j.to, d.f.Request.User)
	case j.private:
		b.Call, b.Channel = CallWhisper, ""
	case j.edit.TS != "":
		b.Call, b.Channel = CallEdit, ""
	}
	return b
}

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
	if to != "" || d.f.decides(d.f.Whispers[n]) {
		// Somebody who may not be in the channel, or who left it hours ago: Slack shows what
		// is for one person in a channel to who is there now, if at all.
		m.Channel, m.Thread = "", ""
	}
	told := func() { d.posts.Whispered = n + 1 }
	// Behind the answers to those who ask right now, which would be given up long before
	// hundreds of these are told.
	j := job{message: m, private: true, to: to, urgency: UrgentStage, did: func(MessageRef, string) { told() }, giveUp: told}
	return j, d.free(j)
}

// due reports whether card n is to be shown: it is wanted, or it is up, or may be (its
// post has no answer and could not be looked up), and must be closed.
func (d *delivery) due(n int) bool {
	was, up := d.posts.Cards[n]
	switch {
	case was.Hash == postGone && d.asks(n):
		return true
	case was.final():
		return false
	}
	return up || d.mayStand(d.cardKey(n)) || d.wanted(n)
}

// wanted reports whether a card has to be. Of the plans the last one has. Card 0 is of
// a flow without a plan, when that is how it ended or when planning takes long.
func (d *delivery) wanted(n int) bool {
	switch {
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
	// What may stand there already is put right once the bot is invited again. Found by
	// flowsim, seed 400748.
	if why := d.posts.Blocked[d.f.Request.Channel]; !up && why != "" && d.f.State.Ended() && !d.mayStand(d.cardKey(n)) {
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
	j.edit, j.stray = was.MessageRef, !up && d.mayStand(d.cardKey(n)) && !d.wanted(n)
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
	plain := func() Message { return d.Renderer.Card(d.f, n, false) }
	return job{message: m, hash: hash, plain: plain, did: func(ref MessageRef, sent string) {
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

// The metadata event types of cards and notices, a contract (design.md section 9).
const (
	EventFlow   = "scalebot_flow"
	EventNotice = "scalebot_notice"
)

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
