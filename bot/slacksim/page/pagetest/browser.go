// Package pagetest opens the local Slack's page in a real Chromium and does what
// a visitor does: press, type, look. It knows the browser and nothing of the bot.
//
// Every wait is a poll with a generous end, so that a loaded machine makes a
// test slow and not red.
package pagetest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// Patience ends a wait for something that never comes.
const Patience = time.Minute

// Pace is the pause between two looks at the page.
const Pace = 25 * time.Millisecond

// Browser is one headless Chromium with one page open. It belongs to the test's
// goroutine.
type Browser struct {
	t   testing.TB
	ctx context.Context

	mu         sync.Mutex
	complaints []string
}

// Open opens the address in a window of 1440 by 900 and waits until it can be
// written into. The browser ends with the test. Without a Chromium the test is
// skipped, or fails if SCALEBOT_REQUIRE_CHROMIUM is set.
func Open(t testing.TB, address string) *Browser {
	t.Helper()
	path := chromium(t)
	// No data directory is named: then the browser has a fresh one, which is
	// removed when all of its processes are gone.
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.WindowSize(1440, 900),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", false), chromedp.Flag("lang", "en-US"))
	ctx, stop := chromedp.NewContext(alloc)
	b := &Browser{t: t, ctx: ctx}
	heard := make(chan struct{})
	t.Cleanup(func() {
		if t.Failed() {
			b.Shot("failed")
			for _, c := range b.Complaints() {
				t.Log("the page complained: " + c)
			}
		}
		stop()
		<-heard
		stopAlloc()
	})
	// The context of the first action is the life of the browser: no deadline.
	console := chromedp.Console(ctx)
	go func() {
		defer close(heard)
		for m, err := range console {
			switch {
			case err != nil:
				return
			case m.IsException(), m.Type == chromedp.ConsoleError, m.Type == chromedp.ConsoleWarning:
				b.mu.Lock()
				b.complaints = append(b.complaints, m.String()+" "+m.URL)
				b.mu.Unlock()
			}
		}
	}()
	b.Resize(1440, 900)
	b.do(chromedp.Navigate(address))
	b.Until(`document.querySelector('#foot .composer textarea')?.checkVisibility()`)
	return b
}

func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("SCALEBOT_REQUIRE_CHROMIUM") != "" {
		t.Fatal("SCALEBOT_REQUIRE_CHROMIUM is set and no Chromium was found")
	}
	t.Skip("NOT TESTED: no Chromium on this machine, so nothing has looked at the page; set SCALEBOT_REQUIRE_CHROMIUM=1 to make this a failure")
	return ""
}

// Complaints are the errors, warnings and exceptions of the page's console so far.
func (b *Browser) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.complaints...)
}

// run does one thing within Patience.
func run[T any](b *Browser, a chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	return chromedp.Run(ctx, a)
}

func (b *Browser) do(a chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	_, err := run(b, a)
	require.NoError(b.t, err)
}

// JS evaluates an expression. An expression that throws fails the test.
func JS[T any](b *Browser, expression string) T {
	b.t.Helper()
	out, err := run(b, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err, expression)
	return out
}

// Until waits for an expression to be true. One that throws is not true yet.
func (b *Browser) Until(expression string) {
	b.t.Helper()
	if !patient(func() bool {
		ok, err := run(b, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		return err == nil && ok
	}) {
		require.FailNow(b.t, "waited for "+expression)
	}
}

// patient looks until something is seen; false if that takes too long.
func patient(seen func() bool) bool {
	end := time.Now().Add(Patience)
	tick := time.NewTicker(Pace)
	defer tick.Stop()
	for !seen() {
		if time.Now().After(end) {
			return false
		}
		<-tick.C
	}
	return true
}

// quoted is a text as JavaScript writes it.
func quoted(s string) string {
	out, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return string(out)
}

// Text is what can be read in the first element that matches, "" without one.
func (b *Browser) Text(selector string) string {
	b.t.Helper()
	return JS[string](b, `document.querySelector(`+quoted(selector)+`)?.innerText ?? ''`)
}

// Shows waits for a text in any element that matches, and tells what was there
// instead if it does not come.
func (b *Browser) Shows(selector, text string) {
	b.t.Helper()
	all := `[...document.querySelectorAll(` + quoted(selector) + `)]`
	want := `.some(x => x.innerText.replaceAll('\u00a0', ' ').includes(` + quoted(text) + `))`
	if !patient(func() bool {
		ok, err := run(b, chromedp.Evaluate[bool](all+want))
		return err == nil && ok
	}) {
		there, err := run(b, chromedp.Evaluate[[]string](all+`.map(x => x.innerText)`))
		require.FailNow(b.t, fmt.Sprintf("waited for %q in %s", text, selector), "there is %q %v", there, err)
	}
}

// press finds an element, brings it into view and clicks it, all in one go: the
// page may draw it anew at any moment. It refuses what a visitor couldn't hit.
const press = `(selector => {
  const el = document.querySelector(selector);
  if (!el) return 'is not there';
  if (el.disabled) return 'is disabled';
  el.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'instant' });
  const r = el.getBoundingClientRect();
  if (r.width === 0 || r.height === 0) return 'has no size';
  const hit = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
  if (!hit || !el.contains(hit)) return 'is covered by ' + (hit?.outerHTML.slice(0, 120) ?? 'nothing at all');
  if (el.tagName === 'TEXTAREA' || el.tagName === 'BUTTON') el.focus();
  el.click();
  return '';
})`

// Press clicks an element once it is there and nothing covers its middle.
func (b *Browser) Press(selector string) {
	b.t.Helper()
	var why string
	if !patient(func() bool {
		found, err := run(b, chromedp.Evaluate[string](press+`(`+quoted(selector)+`)`))
		if err != nil {
			found = err.Error()
		}
		why = found
		return why == ""
	}) {
		require.FailNow(b.t, selector+" can't be pressed", why)
	}
}

// Point moves the mouse over an element.
func (b *Browser) Point(selector string) {
	b.t.Helper()
	at := JS[[]float64](b, `(el => { el.scrollIntoView({ block: 'nearest', behavior: 'instant' }); const r = el.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })(document.querySelector(`+quoted(selector)+`))`)
	b.do(chromedp.MouseEvent(chromedp.MouseMoved, at[0], at[1]))
}

// Type presses keys in a field; "\r" is Enter. Enter goes out without the
// character that chromedp would send along: the page takes the key for itself,
// and no keyboard then writes a line break.
func (b *Browser) Type(selector, keys string) {
	b.t.Helper()
	if !patient(func() bool {
		ok, err := run(b, chromedp.Evaluate[bool](`(el => { el?.focus(); return Boolean(el) && document.activeElement === el; })(document.querySelector(`+quoted(selector)+`))`))
		return err == nil && ok
	}) {
		require.FailNow(b.t, selector+" takes no focus")
	}
	for i, text := range strings.Split(keys, "\r") {
		if i > 0 {
			b.do(enter)
		}
		if text != "" {
			b.do(chromedp.SendKeys(chromedp.CSS(selector), text))
		}
	}
}

func enter(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeKeyUp} {
		if _, err = cdp.Call(ctx, t, input.DispatchKeyEvent, input.DispatchKeyEventParams{
			Type: kind, Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13, NativeVirtualKeyCode: 13,
		}); err != nil {
			return none, err
		}
	}
	return none, nil
}

// Clear empties a field.
func (b *Browser) Clear(selector string) {
	b.t.Helper()
	JS[bool](b, `(el => { el.value = ''; return el.dispatchEvent(new Event('input')); })(document.querySelector(`+quoted(selector)+`))`)
}

// Resize changes the size of the window.
func (b *Browser) Resize(width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
}

// Shot keeps a picture where SCALEBOT_SCREENSHOTS says, for people to look at.
func (b *Browser) Shot(name string) {
	dir := os.Getenv("SCALEBOT_SCREENSHOTS")
	if dir == "" {
		return
	}
	// Things at rest are what people look at.
	patient(func() bool {
		rest, err := run(b, chromedp.Evaluate[bool](`document.getAnimations().every(x => !(x instanceof CSSAnimation) || x.playState !== "running" || x.effect.getTiming().iterations === Infinity)`))
		return err != nil || rest
	})
	png, err := run(b, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, strings.ReplaceAll(b.t.Name(), "/", "-")+"-"+name+".png"), png, 0o600)
	}
	if err != nil {
		b.t.Logf("no picture of %s: %v", name, err)
	}
}
