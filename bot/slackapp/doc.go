// Package slackapp is the Slack edge: it holds the Socket Mode connections,
// acknowledges what arrives, turns commands, mentions, reactions and clicks into
// calls of flow.FrontDesk, and carries out what flow.Chat, flow.Ballots and
// flow.Directory ask of Slack.
//
// It judges nothing, calls no cloud and keeps no state of a flow. What it does
// settle is who is spoken to: one gate before every answer lets full members of
// the workspace through, and one count holds their commands to the caps. Before
// an ack it makes one call of the Desk that records something, and none of Slack for
// people who are known, because Slack gives three seconds and shows the person an
// error afterwards. Everything else runs behind the ack on a bounded set of workers.
// What doesn't fit is left unacknowledged where Slack will deliver again (events) or
// tell the person that it didn't work (clicks), and answered with "nothing was done" where it won't (commands).
//
// slack-go keeps a socket's connection; whether it is of use is watched here
// (socket.due): no hello, nothing heard, no ack taken, or an end that would come
// together with the others' all mean a new one. Opens of all sockets are at least
// a second apart, and further the worse the last ones were. After every hello the
// open ballots and cards are looked at again.
//
// An App is made with New, asked who it is with Identify, and run with Run; it
// serves as Chat, Ballots and Directory from Identify on. Facts about Slack and
// slack-go named "slack.md" in comments come from measurements of slack-go
// v0.35.0 and Slack's own documentation.
package slackapp
