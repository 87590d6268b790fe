package slackapp

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"scalebot/bot/flow"
)

// The methods of flow.Chat.
const (
	methodPost      = "chat.postMessage"
	methodUpdate    = "chat.update"
	methodDelete    = "chat.delete"
	methodEphemeral = "chat.postEphemeral"
	methodHistory   = "conversations.history"
	methodReplies   = "conversations.replies"
)

const (
	// findMost bounds a search: so many messages since the attempt, which is seconds
	// to minutes ago. findPages is only against a cursor without end: a page may
	// have far fewer than findLimit, 15 for some apps (slack.md 6.3).
	findMost  = 1000
	findPages = 100
	findLimit = 200
	// clockSkew is how far our clock may run ahead of Slack's and a search still
	// begin before the message.
	clockSkew = 2 * time.Minute
)

// raw is a Slack block passed on as card wrote it. Decoding it into slack-go's
// types and back would drop every field that this version doesn't know.
type raw struct {
	head struct {
		Type    slack.MessageBlockType `json:"type"`
		BlockID string                 `json:"block_id"`
	}
	body json.RawMessage
}

func (b raw) BlockType() slack.MessageBlockType { return b.head.Type }
func (b raw) ID() string                        { return b.head.BlockID }

// MarshalJSON gives the block as it was.
func (b raw) MarshalJSON() ([]byte, error) { return b.body, nil }

// named is a block with another block_id.
func (b raw) named(id string) (raw, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(b.body, &fields); err != nil {
		return b, err
	}
	var err error
	if fields["block_id"], err = json.Marshal(id); err != nil {
		return b, err
	}
	if b.body, err = json.Marshal(fields); err != nil {
		return b, err
	}
	b.head.BlockID = id
	return b, nil
}

func rawBlocks(array json.RawMessage) ([]slack.Block, error) {
	if len(array) == 0 {
		return nil, nil
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(array, &parts); err != nil {
		return nil, fmt.Errorf("blocks are no JSON array: %w", err)
	}
	blocks := make([]slack.Block, len(parts))
	for i, p := range parts {
		b := raw{body: p}
		if err := json.Unmarshal(p, &b.head); err != nil {
			return nil, fmt.Errorf("block %d: %w", i, err)
		}
		blocks[i] = b
	}
	return blocks, nil
}

// blockName names a message, as the block_id of its first block. Slack gives it
// back with the message and shows it to nobody, so a search can tell our messages
// apart; the metadata is for other programs and has the fields that they were
// promised, no more (design.md section 9). Slack asks for a new block_id at each
// edit: the record's version stands behind "#". "" = not to be found again.
func blockName(m flow.Message) string {
	if m.Key == "" {
		return ""
	}
	name := m.Key
	if id, ok := m.Payload["flow"].(string); ok {
		name = id + "/" + name
	}
	if v, ok := m.Payload["version"]; ok {
		name += fmt.Sprintf("#%v", v)
	}
	return name
}

// sameMessage reports whether two block names are of one message, whatever its
// version.
func sameMessage(a, b string) bool {
	a, b = unversioned(a), unversioned(b)
	return a == b && a != ""
}

// unversioned takes the version off a block name. A "#" within the key is no
// version: the second notice of a state is notice/unknown#2/C0DATA, and the third
// must not be taken for it.
func unversioned(name string) string {
	i := strings.LastIndexByte(name, '#')
	if i < 0 {
		return name
	}
	if _, err := strconv.ParseUint(name[i+1:], 10, 64); err != nil {
		return name
	}
	return name[:i]
}

// form are the arguments common to chat.postMessage, chat.update and
// chat.postEphemeral. Text arrives escaped from card. Unfurling would make Slack
// fetch what people linked, and link_names or parse would turn words into pings
// (slack.md 6.5).
func form(m flow.Message) (url.Values, error) {
	blocks, err := rawBlocks(m.Blocks)
	if err != nil {
		return nil, err
	}
	if name := blockName(m); name != "" {
		if len(blocks) == 0 { // something has to carry the name
			text := slack.NewTextBlockObject(slack.MarkdownType, m.Text, false, true)
			blocks = []slack.Block{slack.NewSectionBlock(text, nil, nil, slack.SectionBlockOptionBlockID(name))}
		} else if first, ok := blocks[0].(raw); ok {
			if blocks[0], err = first.named(name); err != nil {
				return nil, fmt.Errorf("the first block: %w", err)
			}
		}
	}
	args := url.Values{"channel": {m.Channel}, "text": {m.Text}, "parse": {"none"}, "link_names": {"false"}}
	if len(blocks) > 0 {
		if err := set(args, "blocks", blocks); err != nil {
			return nil, err
		}
	}
	if m.EventType != "" {
		if err := set(args, "metadata", slack.SlackMetadata{EventType: m.EventType, EventPayload: m.Payload}); err != nil {
			return nil, err
		}
	}
	return args, nil
}

// set adds an argument that is JSON inside the form.
func set(args url.Values, name string, v any) error {
	body, err := json.Marshal(v)
	args.Set(name, string(body))
	return err
}

// placed is what is read of the answer to a message. The message itself comes back
// in Slack's own form, block by block: one in a form unknown here would make a post
// that stands count as lost.
type placed struct {
	Channel string          `json:"channel"`
	TS      string          `json:"ts"`
	Message json.RawMessage `json:"message"`
}

// loose reports whether what was meant as a reply came back as no part of a thread.
func (p placed) loose() bool {
	var m struct {
		TS     string `json:"ts"`
		Thread string `json:"thread_ts"`
	}
	return json.Unmarshal(p.Message, &m) == nil && m.TS != "" && m.Thread == ""
}

// place makes a call that gives a message back.
func (a *App) place(ctx context.Context, method string, args url.Values) (placed, error) {
	var p placed
	err := a.read(ctx, method, args, &p)
	if err == nil && p.TS == "" {
		err = fmt.Errorf("%w: %s: the answer names no message", flow.ErrChatInDoubt, method)
	}
	return p, err
}

// Post posts a message once (chat.postMessage). It doesn't wait for the channel's
// pace: that is a *flow.RateLimited too.
func (a *App) Post(ctx context.Context, m flow.Message) (flow.MessageRef, error) {
	args, err := form(m)
	if err != nil {
		return flow.MessageRef{}, err
	}
	args.Set("unfurl_links", "false")
	args.Set("unfurl_media", "false")
	if m.Thread != "" {
		args.Set("thread_ts", m.Thread)
	}
	if wait := a.rates.wait(methodPost); wait > 0 {
		return flow.MessageRef{}, &flow.RateLimited{After: wait}
	}
	if wait := a.pace.take(m.Channel); wait > 0 {
		return flow.MessageRef{}, &flow.RateLimited{After: wait}
	}
	p, err := a.place(ctx, methodPost, args)
	if err != nil {
		return flow.MessageRef{}, err
	}
	ref := flow.MessageRef{Channel: cmp.Or(p.Channel, m.Channel), TS: p.TS}
	if m.Thread != "" && p.loose() && a.isGone(ctx, flow.MessageRef{Channel: ref.Channel, TS: m.Thread}) {
		a.log.Warn("a reply to a deleted message stood in the channel and is deleted", "channel", ref.Channel, "ts", ref.TS)
		_ = a.may(ctx, flow.Bid{Call: flow.CallDelete, Who: ref.Channel + "/" + ref.TS}) // counted, and not waited for: nobody comes back to it
		if err := a.remove(ctx, ref); err != nil {
			a.log.Error("a reply stands in the channel and can't be deleted", "channel", ref.Channel, "ts", ref.TS, "error", redacted(err))
		}
		return flow.MessageRef{}, fmt.Errorf("%w: %s: it began the thread", flow.ErrMessageGone, methodPost)
	}
	return ref, nil
}

// isGone reports whether a message is known to be deleted. Slack posts the reply to
// one as a message of its own and says ok (slack-go/slack#1571); that the answer
// names no thread is the only sign, and too weak a one to give up a card for.
func (a *App) isGone(ctx context.Context, ref flow.MessageRef) bool {
	_, err := a.Reactions(ctx, ref)
	return errors.Is(err, flow.ErrMessageGone)
}

// remove deletes a message of ours (chat.delete).
func (a *App) remove(ctx context.Context, ref flow.MessageRef) error {
	return a.read(ctx, methodDelete, url.Values{"channel": {ref.Channel}, "ts": {ref.TS}}, &struct{}{})
}

// Update makes a message equal to m (chat.update). Metadata goes along, since
// other programs read the state there (design.md section 9).
func (a *App) Update(ctx context.Context, ref flow.MessageRef, m flow.Message) error {
	args, err := form(m)
	if err != nil {
		return err
	}
	args.Set("channel", ref.Channel)
	args.Set("ts", ref.TS)
	if !args.Has("blocks") {
		// Without this the blocks of the last version would stay.
		args.Set("blocks", "[]")
	}
	_, err = a.place(ctx, methodUpdate, args)
	return err
}

// Whisper tells one person something privately: ephemeral in m.Channel and
// m.Thread, or as a direct message where the bot or the person isn't in the
// channel or the thread is gone. Without a channel it is a direct message at once.
func (a *App) Whisper(ctx context.Context, user string, m flow.Message) error {
	if m.Channel != "" {
		args, err := form(m)
		if err != nil {
			return err
		}
		args.Set("user", user)
		if m.Thread != "" {
			args.Set("thread_ts", m.Thread)
		}
		err = a.read(ctx, methodEphemeral, args, &struct{}{})
		if err == nil {
			return nil
		}
		// The message gone is the one that began the thread.
		if !errors.Is(err, flow.ErrNoChannel) && !errors.Is(err, flow.ErrMessageGone) && !refusedWith(err, "user_not_in_channel", "cannot_reply_to_message") {
			return err
		}
	}
	direct := m.Channel == ""
	m.Channel, m.Thread = user, "" // chat.postMessage opens the conversation itself
	if !direct {
		// Who asked for a private message in a channel did not ask for a post.
		if err := a.may(ctx, directBid(user, m)); err != nil {
			return err
		}
	}
	_, err := a.Post(ctx, m)
	return err
}

// directBid is the bid for a direct message.
func directBid(user string, m flow.Message) flow.Bid {
	return flow.Bid{Call: flow.CallPost, Channel: user, Who: "direct/" + user + "/" + nameOf(m.Text)}
}

// nameOf is a short name of a text, for a bid.
func nameOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// tell is Whisper for who asks no quota beforehand.
func (a *App) tell(ctx context.Context, user string, m flow.Message) error {
	b := directBid(user, m)
	if m.Channel != "" {
		b.Call, b.Channel = flow.CallWhisper, ""
	}
	if err := a.may(ctx, b); err != nil {
		return err
	}
	return a.Whisper(ctx, user, m)
}

// findSpan is how long after since a post can have arrived: its call ends long
// before. Without an end a busy channel would have to be searched from the top.
const findSpan = 10 * time.Minute

// Find looks for a message by its key, type and flow, posted at or after since.
// It looks from a little earlier on, because since was read from our clock and
// the message has Slack's.
//
// Where the app may not read (a direct message: no scope for those is asked for)
// no search will ever tell, so the message counts as not there. It may then stand
// twice, which is better than never.
func (a *App) Find(ctx context.Context, m flow.Message, since time.Time) (ref flow.MessageRef, there bool, err error) {
	is := func(f found) bool { return f.is(m) }
	err = a.search(ctx, m, since.Add(-clockSkew), since.Add(findSpan), is, func(ts string) bool {
		ref, there = flow.MessageRef{Channel: m.Channel, TS: ts}, true
		return false
	})
	if refusedWith(err, "missing_scope") {
		a.log.Warn("a message whose answer was lost can't be looked for and is posted anew", "channel", m.Channel, "message", m.Key, "error", redacted(err))
		return flow.MessageRef{}, false, nil
	}
	return ref, there, err
}

// Prune deletes the messages of ours in m's channel that have its event type and
// flow and are not to be kept (chat.delete).
func (a *App) Prune(ctx context.Context, m flow.Message, since time.Time, keep []flow.MessageRef) error {
	var copies []string
	of := func(f found) bool { return f.of(m) }
	if err := a.search(ctx, m, since.Add(-clockSkew), a.opt.Clock.Now().Add(clockSkew), of, func(ts string) bool {
		if !slices.Contains(keep, flow.MessageRef{Channel: m.Channel, TS: ts}) {
			copies = append(copies, ts)
		}
		return true
	}); err != nil {
		if refusedWith(err, "missing_scope") {
			return nil // a copy may stand, which is no reason to try again
		}
		if !errors.Is(err, flow.ErrSearchCut) {
			return err
		}
		a.log.Warn("copies of a message were looked for among the newest messages only", "channel", m.Channel, "kind", m.EventType)
	}
	for _, ts := range copies {
		if err := a.may(ctx, flow.Bid{Call: flow.CallDelete, Who: m.Channel + "/" + ts}); err != nil {
			return err
		}
		err := a.remove(ctx, flow.MessageRef{Channel: m.Channel, TS: ts})
		if err != nil && !errors.Is(err, flow.ErrMessageGone) {
			return err
		}
	}
	return nil
}

// search tells visit of each message that is one of those looked for, in m's channel
// (and thread) and a span of time, until it says false: newest first in a channel, oldest
// first in a thread. Its first page is what the caller asked the quota for; where the
// quota has none left for a further one, the search goes on from there when it is begun
// again.
func (a *App) search(ctx context.Context, m flow.Message, from, to time.Time, is func(found) bool, visit func(ts string) bool) error {
	method := methodHistory
	form := url.Values{
		"channel":              {m.Channel},
		"oldest":               {timestamp(from)},
		"latest":               {timestamp(to)},
		"inclusive":            {"true"},
		"include_all_metadata": {"true"},
		"limit":                {strconv.Itoa(findLimit)},
	}
	if m.Thread != "" {
		method = methodReplies
		form.Set("ts", m.Thread)
	}
	name := method + "/" + m.EventType + "/" + unversioned(blockName(m)) + "?" + form.Get("channel") + "/" + form.Get("ts") + "/" + form.Get("oldest")
	at := a.searches.take(name, a.clock.Now())
	for _, ts := range at.hits {
		if !visit(ts) {
			return nil
		}
	}
	if at.cursor != "" {
		form.Set("cursor", at.cursor)
		form.Set("latest", at.latest) // a cursor is of one question
	}
	for first := true; at.pages < findPages; first = false {
		if !first {
			if err := a.may(ctx, flow.Bid{Call: flow.CallSearch, Who: name}); err != nil {
				return a.stopOver(name, at, form, err)
			}
		}
		at.pages++
		var page struct {
			Messages []found `json:"messages"`
			Next     struct {
				Cursor string `json:"next_cursor"`
			} `json:"response_metadata"`
		}
		if err := a.read(ctx, method, form, &page); err != nil {
			return a.stopOver(name, at, form, err)
		}
		for _, f := range page.Messages {
			if !is(f) {
				continue
			}
			at.hits = append(at.hits, f.TS)
			if !visit(f.TS) {
				return nil
			}
		}
		if page.Next.Cursor == "" {
			return nil
		}
		if at.seen += len(page.Messages); at.seen >= findMost {
			break
		}
		at.cursor = page.Next.Cursor
		form.Set("cursor", at.cursor)
	}
	// Not seen is not the same as not there: posting again could double it.
	return fmt.Errorf("%w: more than %d messages since the attempt", flow.ErrSearchCut, at.seen)
}

// searches remembers where searches were put off: in a busy room whose pages are
// short, one that began at the top each time would never come to its end. Another
// replica that goes on with it begins at the top once.
type searches struct {
	mu    sync.Mutex
	where map[string]stopover
}

// stopover is where a search was put off.
type stopover struct {
	cursor string
	latest string
	pages  int
	seen   int
	hits   []string
	left   time.Time
}

// stopOver notes where a search that has to wait goes on.
func (a *App) stopOver(name string, at stopover, form url.Values, err error) error {
	if _, wait := errors.AsType[*flow.RateLimited](err); wait && at.cursor != "" {
		at.latest = form.Get("latest")
		a.searches.leave(name, at, a.clock.Now())
	}
	return err
}

// maxSearches bounds the searches remembered; all forgotten, they begin at the top.
const maxSearches = 1000

func (s *searches) take(name string, now time.Time) stopover {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.where[name]
	delete(s.where, name)
	if now.Sub(p.left) > findSpan {
		return stopover{} // somebody else came to its end long ago
	}
	return p
}

func (s *searches) leave(name string, p stopover, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.where == nil || len(s.where) >= maxSearches {
		s.where = map[string]stopover{}
	}
	p.left = now
	s.where[name] = p
}

// found is what a search needs of a message. Blocks and payload are read only of
// a message of ours: other people's may have any form.
type found struct {
	TS       string          `json:"ts"`
	Blocks   json.RawMessage `json:"blocks"`
	Metadata struct {
		EventType string          `json:"event_type"`
		Payload   json.RawMessage `json:"event_payload"`
	} `json:"metadata"`
}

// of reports whether the message is of m's flow and kind.
func (f found) of(m flow.Message) bool {
	if f.Metadata.EventType != m.EventType {
		return false
	}
	var payload struct {
		Flow string `json:"flow"`
	}
	return json.Unmarshal(f.Metadata.Payload, &payload) == nil && payload.Flow == m.Payload["flow"]
}

// is reports whether the message is m, in whatever version.
func (f found) is(m flow.Message) bool {
	var blocks []struct {
		ID string `json:"block_id"`
	}
	return f.of(m) && json.Unmarshal(f.Blocks, &blocks) == nil && len(blocks) > 0 && sameMessage(blocks[0].ID, blockName(m))
}

// timestamp is a time as Slack writes it: seconds with six decimals.
func timestamp(t time.Time) string {
	return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/int(time.Microsecond))
}
