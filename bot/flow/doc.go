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
//
// # After a lost answer
//
// The card says what is waited for (WaitProof), with the provider's evidence. Where
// no proof comes in engine.doubt (3 minutes), or in half an hour while an operation
// runs whose end will tell, the flow becomes unknown: its card and
// notices ask those of approvals.settle, with the buttons "It happened…" (which asks
// for the operation's id), "It did not, retry" and "Close". Proof that turns up later
// is still taken. What each cloud can prove stands in its adapter's package comment:
//
//	cloud         the proof of acceptance             of the opposite                  meanwhile, at most      then
//	Tencent EMR   adding: the same request with the   a definite refusal of such a     3 repeats, 45 s apart,  unknown
//	              same token, until 2 min after the   repeat on an idle, unchanged     looks every 2–15 s
//	              send, is answered with its flow;    cluster; by circumstances (sold
//	              later the new nodes; removing: the  out, quota) only 90 s after the
//	              named nodes are gone                send; removing: none
//	Alibaba ACK   the one task since the baseline     none: there is no token          looks every 2–15 s,     unknown
//	              that fits; or exactly the nodes, or                                  nothing is repeated
//	              the pool's size, that were asked for
//	Huawei MRS    exactly the hosts that were asked   none: no token and no operation  looks every 2–15 s,     unknown; the id
//	              for came or went                    id                               nothing is repeated     may be left empty
//
// "Not sent" is known at once on all three, from the connection, and is no doubt.
//
// # When the store comes back older
//
// Redis may lose its last second (AOF everysec, a crash) or more (a failover). Where
// WAITAOF or appendfsync always vouches for it, no intent is lost to a crash on one
// machine; what follows is for all else. By what was lost, and who is left:
//
//   - The replica that did it lives. It remembers its answers, the ends Cancelled and
//     Denied, and the requests it took in, for five minutes, looks whether the record
//     has them (Engine.Recheck, and each step), and writes what happened over a record
//     in whatever state, or where there is none (Store.Graft). The step of another
//     replica that began on the older record then saves nothing, so it sends nothing.
//     If the cluster was given to another flow meanwhile both hold it, and a person is
//     asked; if two acceptances are known, or may be, the same (Flow.Doubled).
//   - Nobody remembers, and the flow is in line again: for two minutes after the store
//     became another one nothing is sent for it (Options.Reborn), so that a change in
//     the cloud shows as an operation or as a size that moved. A size relative to one
//     that moved is then refused, unless flows on record account for every node of the
//     way (mayBeOurs); "make it ten" says itself what is left.
//   - Nobody remembers, and the flow has no plan again, or only its request was written
//     again: nothing can be compared. Where nobody approves it is refused; where people
//     do, they see the size of now on the card.
//   - Nobody remembers and the record is gone: nothing is sent. The person was told
//     that it was taken, and finds no such request.
//
// What remains: all replicas die with a Redis that fails over to one that is behind,
// the operation began and ended unseen, and the size is what it was before.
package flow
