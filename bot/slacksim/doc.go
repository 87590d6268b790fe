// Package slacksim is a local Slack: the Web API over real HTTP and Socket Mode
// over a real WebSocket, for the demo and for tests.
//
// It refuses what Slack refuses. A bot that runs against it meets missing
// scopes, private channels, Block Kit limits, rate limits, lost answers, half
// open sockets and repeated events here, and not first in a workspace. Where
// Slack's behaviour is not documented the stricter reading is taken and the
// comment says so.
//
// It imports nothing of the bot and nothing of the Slack client that the bot
// uses: two programs that share a misunderstanding would agree with each other.
//
// A caller makes a Server from a World (who is there), starts it on an address,
// points a bot at APIURL with the World's tokens, acts as people (Slash, Say,
// React, Click) and looks at what became of it (Messages, Ephemerals,
// Requests). Everything is safe for concurrent use.
//
// Two clocks are in use. Options.Now is Slack's clock: message timestamps, rate
// limits, the lifetime of trigger ids and response URLs. What is measured on
// the wire (an ack within three seconds, a ping every few) runs on the machine's
// own clock, since the peer is a real program; Options shortens these spans.
package slacksim
