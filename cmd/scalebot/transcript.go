package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"scalebot/bot/slacksim"
)

// onceSpeed lets an operation of six minutes take three seconds.
const onceSpeed = 120

// actTime bounds how long the play waits for one thing to be seen.
const actTime = 25 * time.Second

// playOnce plays the main job with people who type and react, and prints what
// they see. It fails if anything that should be seen is not.
func playOnce(ctx context.Context, stdout, stderr io.Writer) error {
	s, err := newStage(ctx, onceSpeed)
	if err != nil {
		return err
	}
	defer s.close() //nolint:errcheck // the process ends
	botCtx, stop := context.WithCancel(ctx)
	defer stop()
	bot := make(chan error, 1)
	go func() { bot <- runConfig(botCtx, s.cfg, newLogger(stderr, slog.LevelWarn)) }()
	p := &play{w: stdout, slack: s.slack, ctx: ctx, shown: map[string]string{}, replies: map[string]int{}, seen: map[string]int{}}
	failed := p.all()
	stop()
	return errors.Join(failed, <-bot)
}

// play is the demo's people at work. A step that does not happen in time ends it.
type play struct {
	w       io.Writer
	slack   *slacksim.Server
	ctx     context.Context
	shown   map[string]string // the last state printed of each card
	replies map[string]int    // thread replies printed of each card
	seen    map[string]int    // private messages printed of each person
}

func (p *play) all() error {
	p.title("scalebot demo: the real bot on a local Slack, three local clouds and an embedded Redis")
	if err := p.until("the bot's two sockets", func() bool { return p.slack.Connections() >= 2 }); err != nil {
		return err
	}
	for _, scene := range []func() error{p.cheap, p.prepaid, p.denied, p.mistyped, p.otherClouds} {
		if err := scene(); err != nil {
			return err
		}
	}
	p.title("Done: every line above came through the same code that `scalebot run` uses")
	return nil
}

func (p *play) cheap() error {
	p.title("1. A cheap change runs by itself")
	ts, err := p.command(mei, "emr-m620 task +2")
	if err != nil {
		return err
	}
	if err := p.follow(ts, "succeeded"); err != nil {
		return err
	}
	return p.notice("succeeded", 1)
}

func (p *play) prepaid() error {
	p.title("2. A prepaid change needs finance and a lead")
	ts, err := p.command(mei, `emr-m620 task +2 prepaid 1m reason="quarter-end backfill"`)
	if err != nil {
		return err
	}
	if err := p.follow(ts, "awaiting approval"); err != nil {
		return err
	}
	p.say("mei reacts ✅ to her own request, and sam of another company does too")
	if err := p.react(ts, "white_check_mark", mei, stranger); err != nil {
		return err
	}
	if err := p.until("two reactions shown as not counted", func() bool {
		text := strings.Join(p.card(ts), "\n")
		return strings.Contains(text, "@mei") && strings.Contains(text, "@sam") && strings.Contains(text, "Votes that don't count")
	}); err != nil {
		return err
	}
	p.show(ts)
	p.say("lin of finance reacts ✅")
	if err := p.react(ts, "white_check_mark", lin); err != nil {
		return err
	}
	if err := p.until("lin in her seat", func() bool { return strings.Contains(strings.Join(p.card(ts), "\n"), "1 of 1") }); err != nil {
		return err
	}
	p.show(ts)
	p.say("chen, a data lead, reacts ✅")
	if err := p.react(ts, "white_check_mark", chen); err != nil {
		return err
	}
	if err := p.follow(ts, "succeeded"); err != nil {
		return err
	}
	return p.notice("succeeded", 2)
}

func (p *play) denied() error {
	p.title("3. A removal is denied")
	ts, err := p.command(mei, "emr-m620 task -2")
	if err != nil {
		return err
	}
	if err := p.follow(ts, "awaiting approval"); err != nil {
		return err
	}
	p.say("chen reacts ❌")
	if err := p.react(ts, "x", chen); err != nil {
		return err
	}
	if err := p.follow(ts, "denied"); err != nil {
		return err
	}
	return p.direct(mei)
}

func (p *play) mistyped() error {
	p.title("4. A mistyped command is answered privately with the line to copy")
	p.typed(mei, "emr-m620 tsak ＋2")
	d := p.slack.Slash(mei, opsRoom, "/scale", "emr-m620 tsak ＋2")
	if d.Err != nil {
		return d.Err
	}
	return p.private(mei)
}

// otherClouds are the same road on Alibaba Cloud and Huawei Cloud, all at once:
// clusters don't wait for each other.
func (p *play) otherClouds() error {
	p.title("5. The same on Alibaba Cloud ACK and Huawei Cloud MRS, side by side")
	var cards []string
	for _, line := range []string{"web workers +3", "web-edge edge +1", "analytics task -1"} {
		ts, err := p.command(mei, line)
		if err != nil {
			return err
		}
		cards = append(cards, ts)
	}
	for _, ts := range cards[1:] {
		if err := p.until("a ballot", func() bool { return strings.Contains(strings.Join(p.card(ts), "\n"), "awaiting approval") }); err != nil {
			return err
		}
		p.show(ts)
	}
	p.say("lin of finance and chen, a data lead, react ✅ to both")
	for _, ts := range cards[1:] {
		if err := p.react(ts, "white_check_mark", lin, chen); err != nil {
			return err
		}
	}
	for _, ts := range cards {
		if err := p.until("the end", func() bool {
			m, ok := p.slack.Message(opsRoom, ts)
			return ok && m.Metadata != nil && m.Metadata.EventPayload["state"] == "succeeded"
		}); err != nil {
			return err
		}
		p.show(ts)
	}
	return nil
}

// command types a slash command and returns the ts of the card that comes.
func (p *play) command(user, text string) (string, error) {
	p.typed(user, text)
	before := len(p.cards())
	d := p.slack.Slash(user, opsRoom, "/scale", text)
	if d.Err != nil {
		return "", d.Err
	}
	if err := p.private(user); err != nil {
		return "", err
	}
	fmt.Fprintf(p.w, "      (acknowledged in %s)\n", d.AckAfter.Round(100*time.Microsecond))
	if err := p.until("the card", func() bool { return len(p.cards()) > before }); err != nil {
		return "", err
	}
	return p.cards()[before].TS, nil
}

func (p *play) react(ts, emoji string, users ...string) error {
	for _, u := range users {
		if err := p.slack.React(u, opsRoom, ts, emoji); err != nil {
			return err
		}
	}
	return nil
}

// cards are the bot's cards in the room where commands are typed.
func (p *play) cards() []slacksim.Message { return p.posted(opsRoom, "scalebot_flow") }

func (p *play) posted(channel, event string) []slacksim.Message {
	var found []slacksim.Message
	for _, m := range p.slack.Messages(channel) {
		if m.Metadata != nil && m.Metadata.EventType == event {
			found = append(found, m)
		}
	}
	return found
}

// follow prints the card's news until it is in a state.
func (p *play) follow(ts, state string) error {
	return p.until("the card in state "+state, func() bool {
		m, ok := p.slack.Message(opsRoom, ts)
		if !ok {
			return false
		}
		head, _, _ := strings.Cut(m.Text, " — ")
		if head != p.shown[ts] {
			p.shown[ts] = head
			p.show(ts)
		}
		thread := p.slack.Thread(opsRoom, ts)
		for ; p.replies[ts] < len(thread); p.replies[ts]++ {
			if r := thread[p.replies[ts]]; r.TS != ts {
				for _, l := range p.lines(r) {
					fmt.Fprintf(p.w, "      ↳ %s\n", l)
				}
			}
		}
		return strings.HasSuffix(head, ": "+state)
	})
}

func (p *play) card(ts string) []string {
	m, _ := p.slack.Message(opsRoom, ts)
	return p.lines(m)
}

// show prints the card as it is.
func (p *play) show(ts string) {
	lines := p.card(ts)
	if len(lines) == 0 {
		return
	}
	width := 0
	for _, l := range lines {
		width = max(width, len([]rune(l)))
	}
	fmt.Fprintf(p.w, "    ┌─ #data-ops · scalebot %s\n", strings.Repeat("─", max(4, width-22)))
	for _, l := range lines {
		fmt.Fprintf(p.w, "    │ %s\n", l)
	}
	fmt.Fprintln(p.w, "    └"+strings.Repeat("─", max(26, width+1)))
}

// notice waits for the n-th notice of a state in the team's channel and prints it.
func (p *play) notice(state string, n int) error {
	count := func() (all []slacksim.Message) {
		for _, m := range p.posted(dataRoom, "scalebot_notice") {
			if m.Metadata.EventPayload["state"] == state {
				all = append(all, m)
			}
		}
		return all
	}
	if err := p.until("the notice in #data-platform", func() bool { return len(count()) >= n }); err != nil {
		return err
	}
	fmt.Fprintln(p.w, "    #data-platform · scalebot:")
	for _, l := range p.lines(count()[n-1]) {
		fmt.Fprintf(p.w, "      %s\n", l)
	}
	return nil
}

// private waits for a message that only the person sees, and prints all new ones.
func (p *play) private(user string) error {
	if err := p.until("a private answer to "+p.name(user), func() bool { return len(p.slack.Ephemerals(user)) > p.seen[user] }); err != nil {
		return err
	}
	for all := p.slack.Ephemerals(user); p.seen[user] < len(all); p.seen[user]++ {
		e := all[p.seen[user]]
		for _, l := range p.text(e.Text, e.Blocks) {
			fmt.Fprintf(p.w, "      only %s sees: %s\n", p.name(user), l)
		}
	}
	return nil
}

// direct waits for a direct message to the person, and prints the last one.
func (p *play) direct(user string) error {
	if err := p.until("a direct message to "+p.name(user), func() bool { return len(p.slack.DMs(user)) > 0 }); err != nil {
		return err
	}
	all := p.slack.DMs(user)
	fmt.Fprintf(p.w, "    scalebot to %s, directly:\n", p.name(user))
	for _, l := range p.lines(all[len(all)-1]) {
		fmt.Fprintf(p.w, "      %s\n", l)
	}
	return nil
}

func (p *play) title(text string) {
	fmt.Fprintf(p.w, "\n%s\n%s\n", text, strings.Repeat("=", len([]rune(text))))
}

func (p *play) typed(user, text string) {
	fmt.Fprintf(p.w, "\n  #data-ops · %s types:  /scale %s\n", p.name(user), text)
}

func (p *play) say(text string) { fmt.Fprintf(p.w, "\n  %s\n", text) }

// until waits for something to be seen in Slack.
func (p *play) until(what string, seen func() bool) error {
	ctx, cancel := context.WithTimeout(p.ctx, actTime)
	defer cancel()
	changes, done := p.slack.Subscribe()
	defer done()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !seen() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the demo waited for %s and it did not come within %s", what, actTime)
		case <-changes:
		case <-tick.C:
		}
	}
	return nil
}

func (p *play) name(user string) string {
	for _, u := range p.slack.Users() {
		if u.ID == user {
			return u.Name
		}
	}
	return user
}

func (p *play) lines(m slacksim.Message) []string { return p.text(m.Text, m.Blocks) }

// text is a message as a person reads it: its blocks, or its text without any.
func (p *play) text(text string, blocks json.RawMessage) []string {
	var all []map[string]any
	if err := json.Unmarshal(blocks, &all); err != nil || len(all) == 0 {
		return p.plain(text)
	}
	var lines []string
	for _, b := range all {
		lines = append(lines, p.block(b)...)
	}
	return lines
}
