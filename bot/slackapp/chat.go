package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"time"

	"github.com/slack-go/slack"

	"scalebot/bot/flow"
)

// The methods of flow.Chat.
const (
	methodPost      = "chat.postMessage"
	methodUpdate    = "chat.update"
	methodEphemeral = "chat.postEphemeral"
	methodHistory   = "conversations.history"
	methodReplies   = "conversations.replies"
)

const (
	// metadataKey holds Message.Key among the metadata's payload.
	metadataKey = "key"
	// defaultEventType is the metadata's type of messages that name none: Slack
	// keeps no payload without one.
	defaultEventType = "scalebot_message"
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

// options are the arguments common to chat.postMessage, chat.update and
// chat.postEphemeral. Text arrives escaped from card. Unfurling would make Slack
// fetch what people linked, and link_names or parse would turn words into pings
// (slack.md 6.5).
func options(m flow.Message) ([]slack.MsgOption, error) {
	blocks, err := rawBlocks(m.Blocks)
	if err != nil {
		return nil, err
	}
	opts := []slack.MsgOption{
		slack.MsgOptionText(m.Text, false),
		slack.MsgOptionParse(false),
		slack.MsgOptionLinkNames(false),
	}
	if blocks != nil {
		opts = append(opts, slack.MsgOptionBlocks(blocks...))
	}
	return opts, nil
}

func metadata(m flow.Message) slack.MsgOption {
	payload := maps.Clone(m.Payload)
	if payload == nil {
		payload = map[string]any{}
	}
	payload[metadataKey] = m.Key
	return slack.MsgOptionMetadata(slack.SlackMetadata{EventType: eventType(m), EventPayload: payload})
}

func eventType(m flow.Message) string {
	if m.EventType == "" {
		return defaultEventType
	}
	return m.EventType
}

// Post posts a message once (chat.postMessage). It doesn't wait for the channel's
// pace: that is a *flow.RateLimited too.
func (a *App) Post(ctx context.Context, m flow.Message) (flow.MessageRef, error) {
	opts, err := options(m)
	if err != nil {
		return flow.MessageRef{}, err
	}
	opts = append(opts, slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl())
	if m.Key != "" {
		opts = append(opts, metadata(m))
	}
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
	if len(m.Blocks) == 0 {
		// Without this the blocks of the last version would stay.
		opts = append(opts, slack.MsgOptionBlocks())
	}
	opts = append(opts, metadata(m))
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

// Find looks for a message by its key, type and flow, posted at or after since.
// It looks from a little earlier on, because since was read from our clock and
// the message has Slack's.
func (a *App) Find(ctx context.Context, m flow.Message, since time.Time) (flow.MessageRef, bool, error) {
	method := methodHistory
	form := url.Values{
		"channel":              {m.Channel},
		"oldest":               {timestamp(since.Add(-clockSkew))},
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
			Messages []struct {
				TS       string `json:"ts"`
				Metadata struct {
					EventType string         `json:"event_type"`
					Payload   map[string]any `json:"event_payload"`
				} `json:"metadata"`
			} `json:"messages"`
			Next struct {
				Cursor string `json:"next_cursor"`
			} `json:"response_metadata"`
		}
		if err := a.read(ctx, method, form, &page); err != nil {
			return flow.MessageRef{}, false, err
		}
		for _, found := range page.Messages {
			meta := found.Metadata
			if meta.EventType == eventType(m) && meta.Payload[metadataKey] == m.Key && meta.Payload["flow"] == m.Payload["flow"] {
				return flow.MessageRef{Channel: m.Channel, TS: found.TS}, true, nil
			}
		}
		if page.Next.Cursor == "" {
			return flow.MessageRef{}, false, nil
		}
		form.Set("cursor", page.Next.Cursor)
	}
	// Not seen is not the same as not there: posting again could double it.
	return flow.MessageRef{}, false, fmt.Errorf("%w: more than %d messages since the attempt", errSearchCut, findPages*findLimit)
}

var errSearchCut = errors.New("the search was cut short")

// timestamp is a time as Slack writes it: seconds with six decimals.
func timestamp(t time.Time) string {
	return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/int(time.Microsecond))
}
