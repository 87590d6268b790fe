// Package flow is the heart of scalebot: the Flow record, its states and legal
// moves, one step per state, the Engine that drives due flows, the Courier that
// makes Slack equal to them, and the Desk that takes requests in.
//
// It declares what it needs of the world (Store, Ballots, Directory, Chat,
// Quota, Renderer, Clock) and imports none of it: no Slack, no Redis, no cloud SDK.
//
// Three hands work on a flow and never wait for each other:
//
//   - the Desk records a request in one atomic move before anybody is told that
//     it was taken;
//   - the Engine claims flows that are due, looks at stored state and the real
//     world, does at most one outside effect, saves, and says when to look
//     again. An event (a reaction, a click, a timer) only says "look at flow X";
//   - the Courier claims flows whose messages may be out of date and makes cards,
//     thread, notices and private replies equal to the record. A slow or dead
//     Slack delays only this. What Slack allows is a Quota that all replicas
//     share; a message that must wait is due later and holds no worker.
//
// A fourth, Renewals, works on commitments: what a prepaid scale-out owes until the
// end of its term, recorded with the end of its flow. It reminds people before a
// term ends and shows what they decided; it renews nothing.
//
// A change is sent to a cloud only from the step that saved the intent for it
// (queued → submitting) in the same breath. A step that finds a flow already in
// submitting can't know whether the call went out, so it never sends: it asks
// the provider to Reconcile, and what can't be proved goes to a person as
// unknown.
package flow
