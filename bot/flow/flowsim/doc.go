// Package flowsim plays the whole bot from one seed, and judges what came of it.
//
// Two to four replicas, each with Desk, Engine and Courier as they are, work on
// one Redis through the real store and its scripts, against clouds with a ledger
// and a Slack that remembers. Time is the fake time of a testing/synctest bubble,
// which every timer and deadline of the product follows too. Each step and each
// call of a person is a goroutine that stops before every outside effect (a
// script, a cloud call, a Slack call) until the scheduler lets it go on, so that
// only one runs at a time and the seed alone decides the order. What the seed also
// decides: crashes before any effect, replicas frozen for longer than their
// lease, clocks that differ, scripts that are refused, whose answer is lost or
// that run late, a Redis that comes back one second older, clouds that throttle,
// break, lose an answer or take a change after the caller gave up, Slack posts
// without an answer, events dropped and doubled, and what people do. The same
// seed plays the same run again.
//
// After a while the faults stop and the world is driven on until nothing moves.
// Then the checker looks: at the clouds' ledgers, the audit stream, the records
// and what Slack shows. It shares no judgement with the engine: it knows the
// three rules of its own little policy by heart, counts votes by itself, and
// knows what was accepted from the clouds.
//
// In it are Desk, Engine, Courier and Renewals, the store with its scripts, bot/card,
// and either clouds of this package (TestSim in bot/flow), which can also take a
// change after the caller gave up, or the real adapters with their SDKs over HTTP on
// providers/cloudsim (TestSimWithTheRealAdapters), where nothing can arrive late. In
// some of the seeds, on the clouds of this package:
//
//   - people sign mandates and revoke them. What is sent without enough people must be
//     covered by mandates that stood at its intent, and what clouds made under each
//     never exceeds what was signed.
//   - cost centres have budgets and a fourth rule looks at what is left, also where a
//     month ends amid the requests. What was sent without finops never exceeds the
//     month's money, and each book says in the end what the flows came to.
//   - people pause, resume and stop running operations. Each control that a cloud gets
//     belongs to a press of somebody who may.
//   - people are reminded of prepaid terms and decide about them. Each prepaid change
//     that made nodes is one commitment, of the price at which it was sent.
//   - the bot is removed from a channel for some minutes. What is still to be said there
//     is said once it is invited again, and no ballot is taken for read meanwhile.
//
// What these decide for themselves comes from a second generator, so that a seed
// whose mood has none of it is the run that it was before they came.
//
// Slack is either one of this package or, with Setup.Edge (TestSimWithTheRealSlack),
// the local one of bot/slacksim with its documented rules and limits, behind the
// whole Slack edge as it is: each replica has an App of bot/slackapp, whose Web API
// calls go over HTTP and whose envelopes come over Socket Mode, both on connections
// in memory. People type, mention, react, press buttons and fill in forms there.
// Each Web API call, each call of the desk and each message on a socket is a turn,
// like every other effect. What the seed decides besides: 429 with Retry-After, calls
// that break, hang, come late or whose answer is lost, envelopes doubled, reordered,
// late or dropped, sockets cut, half open, without a hello or asked to reconnect,
// times in which none can be opened, and reactions told in part. A frozen replica
// hears nothing and hangs up on nobody; the connections of a killed one are cut. The
// checker looks at what the local Slack holds: also that each thing that was typed
// became at most one flow, that nobody was told what the record denies, that what was
// acknowledged came to something, that a click was done before it was acknowledged,
// that votes in time count, and that no call met a
// limit.
//
// With the real edge most seeds play the same run again and some do not: what one
// moment wakes in one replica (a command that was delivered twice, two deadlines that
// pass together) goes on in an order that the machine decides.
//
// Not in it are temporary changes, which the product refuses (RejectTemporary), and
// orderly stops. With the real adapters, and with the real edge, no operation is
// steered here, and there are no mandates, budgets, terms and removals; with the edge
// also no caps on commands that the desk doesn't record.
package flowsim
