package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
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
	// findPages and findLimit bound a search: 1,000 messages since the attempt,
	// which is seconds to minutes ago.
	findPages = 5
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

// options are the arguments common to chat.postMessage, chat.update and
// chat.postEphemeral. Text arrives escaped from card. Unfurling would make Slack
// fetch what people linked, and link_names or parse would turn words into pings
// (slack.md 6.5).
func options(m flow.Message) ([]slack.MsgOption, error) {
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
	opts := []slack.MsgOption{
		slack.MsgOptionText(m.Text, false),
		slack.MsgOptionParse(false),
		slack.MsgOptionLinkNames(false),
	}
	if blocks != nil {
		opts = append(opts, slack.MsgOptionBlocks(blocks...))
	}
	if m.EventType != "" {
		opts = append(opts, slack.MsgOptionMetadata(slack.SlackMetadata{EventType: m.EventType, EventPayload: m.Payload}))
	}
	return opts, nil
}

// Post posts a message once (chat.postMessage). It doesn't wait for the channel's
// pace: that is a *flow.RateLimited too.
func (a *App) Post(ctx context.Context, m flow.Message) (flow.MessageRef, error) {
	opts, err := options(m)
	if err != nil {
		return flow.MessageRef{}, err
	}
	opts = append(opts, slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl())
	if m.Thread != "" {
		opts = append(opts, slack.MsgOptionTS(m.Thread))
	}
	if wait := a.rates.wait(methodPost); wait > 0 {
		return flow.MessageRef{}, &flow.RateLimited{After: wait}
	}
	if wait := a.pace.take(m.Channel); wait > 0 {
		return flow.MessageRef{}, &flow.RateLimited{After: wait}
	}
	var ref flow.MessageRef
	err = a.call(ctx, methodPost, func(ctx context.Context) (err error) {
		ref.Channel, ref.TS, err = a.slack.PostMessageContext(ctx, m.Channel, opts...)
		if err == nil && ref.TS == "" {
			// slack-go takes an answer without "ok" and "error" for success.
			err = errors.New("the answer names no message")
		}
		return err
	})
	if err != nil {
		return flow.MessageRef{}, err
	}
	if ref.Channel == "" {
		ref.Channel = m.Channel
	}
	return ref, nil
}

// Update makes a message equal to m (chat.update). Metadata goes along, since
// other programs read the state there (design.md section 9).
func (a *App) Update(ctx context.Context, ref flow.MessageRef, m flow.Message) error {
	opts, err := options(m)
	if err != nil {
		return err
	}
	if len(m.Blocks) == 0 && m.Key == "" {
		// Without this the blocks of the last version would stay.
		opts = append(opts, slack.MsgOptionBlocks())
	}
	return a.call(ctx, methodUpdate, func(ctx context.Context) error {
		_, ts, _, err := a.slack.UpdateMessageContext(ctx, ref.Channel, ref.TS, opts...)
		if err == nil && ts == "" {
			err = errors.New("the answer names no message")
		}
		return err
	})
}

// Whisper tells one person something privately: ephemeral in m.Channel and
// m.Thread, or as a direct message where the bot or the person isn't in the
// channel. Without a channel it is a direct message at once.
func (a *App) Whisper(ctx context.Context, user string, m flow.Message) error {
	opts, err := options(m)
	if err != nil {
		return err
	}
	if m.Channel != "" {
		in := opts
		if m.Thread != "" {
			in = append(in[:len(in):len(in)], slack.MsgOptionTS(m.Thread))
		}
		err := a.call(ctx, methodEphemeral, func(ctx context.Context) error {
			_, err := a.slack.PostEphemeralContext(ctx, m.Channel, user, in...)
			return err
		})
		if err == nil {
			return nil
		}
		if !errors.Is(err, flow.ErrNoChannel) && !refusedWith(err, "user_not_in_channel", "cannot_reply_to_message") {
			return err
		}
	}
	m.Channel, m.Thread = user, "" // chat.postMessage opens the conversation itself
	_, err = a.Post(ctx, m)
	return err
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
	err = a.search(ctx, m, since.Add(-clockSkew), since.Add(findSpan), func(ts string) bool {
		ref, there = flow.MessageRef{Channel: m.Channel, TS: ts}, true
		return false
	})
	if refusedWith(err, "missing_scope") {
		a.log.Warn("a message whose answer was lost can't be looked for and is posted anew", "channel", m.Channel, "message", m.Key, "err", redacted(err))
		return flow.MessageRef{}, false, nil
	}
	return ref, there, err
}

// Prune deletes every other message of ours that is the same as m by its key,
// type and flow, posted from a little before keep until now (chat.delete).
func (a *App) Prune(ctx context.Context, m flow.Message, keep flow.MessageRef) error {
	posted, err := strconv.ParseFloat(keep.TS, 64)
	if err != nil {
		return fmt.Errorf("%w: %q is no message", flow.ErrChatRefused, keep.TS)
	}
	var copies []string
	if err := a.search(ctx, m, time.Unix(int64(posted), 0).Add(-clockSkew), a.opt.Clock.Now().Add(clockSkew), func(ts string) bool {
		if ts != keep.TS {
			copies = append(copies, ts)
		}
		return true
	}); err != nil {
		if refusedWith(err, "missing_scope") {
			return nil // a copy may stand, which is no reason to try again
		}
		if !errors.Is(err, errSearchCut) {
			return err
		}
		a.log.Warn("copies of a message were looked for among the newest messages only", "channel", m.Channel, "message", m.Key)
	}
	for _, ts := range copies {
		err := a.call(ctx, methodDelete, func(ctx context.Context) error {
			_, _, err := a.slack.DeleteMessageContext(ctx, m.Channel, ts)
			return err
		})
		if err != nil && !errors.Is(err, flow.ErrMessageGone) {
			return err
		}
	}
	return nil
}

// search tells visit of each message with the key, type and flow of m in a span of
// time, newest first, until it says false.
func (a *App) search(ctx context.Context, m flow.Message, from, to time.Time, visit func(ts string) bool) error {
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
	for range findPages {
		var page struct {
			Messages []found `json:"messages"`
			Next     struct {
				Cursor string `json:"next_cursor"`
			} `json:"response_metadata"`
		}
		if err := a.read(ctx, method, form, &page); err != nil {
			return err
		}
		for _, f := range page.Messages {
			if f.is(m) && !visit(f.TS) {
				return nil
			}
		}
		if page.Next.Cursor == "" {
			return nil
		}
		form.Set("cursor", page.Next.Cursor)
	}
	// Not seen is not the same as not there: posting again could double it.
	return fmt.Errorf("%w: more than %d messages since the attempt", errSearchCut, findPages*findLimit)
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

func (f found) is(m flow.Message) bool {
	if f.Metadata.EventType != m.EventType {
		return false
	}
	var payload struct {
		Flow string `json:"flow"`
	}
	var blocks []struct {
		ID string `json:"block_id"`
	}
	if json.Unmarshal(f.Metadata.Payload, &payload) != nil || json.Unmarshal(f.Blocks, &blocks) != nil || len(blocks) == 0 {
		return false
	}
	return payload.Flow == m.Payload["flow"] && sameMessage(blocks[0].ID, blockName(m))
}

var errSearchCut = errors.New("the search was cut short")

// timestamp is a time as Slack writes it: seconds with six decimals.
func timestamp(t time.Time) string {
	return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/int(time.Microsecond))
}
