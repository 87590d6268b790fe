package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scalebot/bot/slacksim/page/pagetest"
	"scalebot/providers/cloudsim"
)

const (
	composer = "#foot .composer textarea"
	approve  = " .pill[data-emoji=white_check_mark]"
)

// TestAVisitorsFirstTwoMinutes opens the demo in a browser and does what it
// offers, with the real bot on the other side.
func TestAVisitorsFirstTwoMinutes(t *testing.T) {
	b := openDemo(t)
	b.Shot("1-first-look")

	// A change that no rule stops: the private answer, the card, and it runs by itself.
	b.Press("[data-person=" + mei + "]")
	card := ask(b, 0, "/scale emr-m620 task +2")
	b.Until(`/F-[0-9A-Z]{4}/.test(document.querySelector('.message.private')?.innerText)`)
	b.Shows(card+" .b-header", "emr-m620 task +2 (3 → 5) · running")
	b.Shows(".cluster .op", "%")
	b.Shot("2-running")
	b.Shows(card+" .b-header", "succeeded")
	b.Until(unfinished(card) + ` === 0`)
	b.Shows(card, "Joined")
	stages := pagetest.JS[[]string](b, `[...seen]`)
	require.Contains(t, strings.Join(stages, "\n"), "Send to the cloud")
	require.Greater(t, len(stages), 6, "its stages were seen on their way: %q", stages)
	b.Shot("3-succeeded")

	// The team reads of it in its own channel.
	b.Until(`document.querySelector('[data-open=` + dataRoom + `] .unread')`)
	b.Press("[data-open=" + dataRoom + "]")
	b.Shows("#messages .message", "emr-m620 task +2 (3 → 5): succeeded")
	b.Shows("#messages .message", "2 of 2 nodes joined")
	b.Shot("4-notice")

	// Money asks for two people, and never for the one who wants it.
	card = ask(b, 1, "/scale emr-m620 task +2 prepaid 1m")
	b.Shows(card+" .b-header", "awaiting approval")
	b.Shows(card, "8,412.00 committed")
	b.Press(card + approve)
	b.Shows(card, "Votes that don't count")
	b.Shows(card, "asked for this change, and someone else must agree")
	b.Shot("5-own-vote")
	b.Press("[data-person=" + lin + "]")
	b.Press(card + approve)
	b.Shows(card, "finops: 1 of 1")
	b.Shot("6-half-approved")
	b.Press("[data-person=" + chen + "]")
	b.Press(card + approve)
	b.Shows(card+" .task", "@Lin (finance) (finops), @Chen (data lead) (leads)")
	b.Shows(card+" .b-header", "succeeded")
	b.Shot("7-approved-and-done")

	// A slip of the fingers is answered with the line to copy.
	b.Press("[data-scenario='3']")
	b.Until(typed("/scale emr-m620 tsak ＋2"))
	b.Type(composer, "\r")
	b.Shows(".message.private", "Did you mean")
	b.Shows(".message.private", "/scale emr-m620 task +2")
	b.Shot("8-a-slip")

	// The clouds panel breaks the next change, and the card says what to do about it.
	const cluster = `.cluster[data-cluster="emr-m620"]`
	if !pagetest.JS[bool](b, "document.querySelector('"+cluster+"').open") {
		b.Press(cluster + " summary")
	}
	b.Press(cluster + " [data-fault=sold-out]")
	b.Shows(cluster+" .armed", "the next request for nodes is refused")
	card = ask(b, 0, "/scale emr-m620 task +2")
	b.Shows(card+" .b-header", "failed")
	b.Until(unfinished(card) + ` === 0`)
	b.Until(`document.querySelector("` + card + ` .task.error")`)
	b.Shows(card, "sold out")
	b.Shot("9-sold-out")

	// What fails half-way leaves a broken cluster, which one press mends.
	b.Press(cluster + " [data-fault=flow-fails]")
	broken := ask(b, 0, "/scale emr-m620 task +2")
	b.Shows(broken+" .b-header", "failed")
	b.Press(cluster + " [data-repair]")
	b.Until(`!document.querySelector('` + cluster + ` [data-repair]') && document.querySelector('` + cluster + ` .state.good')`)
	b.Shot("9b-repaired")

	// The thread is the log.
	b.Press(card + " .replies")
	b.Shows("#thread .thread-list", "Sending the change to the cloud.")
	b.Shot("10-thread")

	b.Press("[data-open=home]")
	b.Shows("#messages.home", "emr-m620")
	b.Shows("#messages.home", "/scale")
	b.Shot("11-home")

	// The same in a narrow window, and in the dark.
	b.Press("[data-open=" + opsRoom + "]")
	b.Shows("#messages .message", "failed")
	for _, width := range []int64{1024, 1440} {
		b.Resize(width, 768)
		require.Empty(t, b.SticksOut(), "%d wide", width)
		b.Shot(fmt.Sprintf("12-window-%d", width))
	}
	for _, dark := range []bool{true, false} {
		b.Dark(dark)
		require.Empty(t, b.HardToRead(), "dark: %v", dark)
		b.Shot(fmt.Sprintf("13-dark-%v", dark))
	}
	b.Press("#language")
	b.Shows("#side", "当前身份")
	b.Shot("14-chinese")
	require.Empty(t, b.Complaints())
}

// openDemo runs `scalebot demo` on a free port and opens its page.
func openDemo(t *testing.T) *pagetest.Browser {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var out, errs lockedBuffer
	done := make(chan error, 1)
	go func() { done <- serveDemo(ctx, "127.0.0.1:0", &out, &errs) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
		if t.Failed() {
			t.Logf("log of the bot:\n%s", errs.String())
		}
		require.NotContains(t, out.String()+errs.String(), cloudsim.DemoSecretKey)
	})
	address := regexp.MustCompile(`http://\S+`)
	require.Eventually(t, func() bool { return address.MatchString(out.String()) }, pagetest.Patience, pagetest.Pace)
	b := pagetest.Open(t, address.FindString(out.String()))
	b.Until(`!document.querySelector('#guide .problem')`) // the bot's sockets are open
	// Whatever the steps of cards said at any moment: a change that runs for six
	// seconds may be through before a slow machine looks again.
	pagetest.JS[bool](b, `(() => {
		window.seen = new Set();
		new MutationObserver(() => document.querySelectorAll('.card .task').forEach(x => seen.add(x.innerText))).observe(document.body, { subtree: true, childList: true });
		return true;
	})()`)
	return b
}

func typed(text string) string {
	return fmt.Sprintf(`document.querySelector(%q).value.startsWith(%q)`, composer, text)
}

// unfinished counts the steps of a card that wait or run.
func unfinished(card string) string {
	return fmt.Sprintf(`document.querySelectorAll("%[1]s .task.pending, %[1]s .task.in_progress").length`, card)
}

// ask plays a scenario, presses Enter and gives the selector of the card that comes.
func ask(b *pagetest.Browser, scenario int, command string) string {
	// A notice of an earlier change may come meanwhile; it has no header.
	const cards = `[...document.querySelectorAll('#messages .message.card')].filter(x => x.querySelector('.b-header')).map(x => x.dataset.ts).filter(Boolean)`
	b.Press(fmt.Sprintf("[data-scenario='%d']", scenario))
	b.Until(typed(command))
	before := map[string]bool{}
	for _, ts := range pagetest.JS[[]string](b, cards) {
		before[ts] = true
	}
	b.Type(composer, "\r")
	b.Until(fmt.Sprintf(`%s.length > %d`, cards, len(before)))
	for _, ts := range pagetest.JS[[]string](b, cards) {
		if !before[ts] {
			return fmt.Sprintf("#messages [data-ts='%s']", ts)
		}
	}
	return ""
}

// TestEveryScenarioOfTheDemo presses what the page offers, one after the other,
// and looks at what comes: each is answered, and the page can draw all of it.
func TestEveryScenarioOfTheDemo(t *testing.T) {
	b := openDemo(t)
	for i, s := range demoScenarios() {
		b.Press(fmt.Sprintf("[data-scenario='%d']", i))
		b.Until(typed(s.Command))
		before := pagetest.JS[int](b, `document.querySelectorAll('.message.private').length`)
		b.Type(composer, "\r")
		b.Until(fmt.Sprintf(`document.querySelectorAll('.message.private').length > %d`, before))
		b.Shot(fmt.Sprintf("%02d", i))
	}
	b.Until(`document.querySelectorAll('#messages .message.card').length >= 7`)
	require.Empty(t, pagetest.JS[[]string](b, `[...document.querySelectorAll('.b-unknown')].map(x => x.innerText)`))
	require.Empty(t, b.SticksOut())
	require.Empty(t, b.HardToRead())
	require.Empty(t, b.Complaints())
	b.Shot("all")
}
