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
// In it are Desk, Engine and Courier, the store with its scripts, bot/card, and
// either clouds of this package (TestSim in bot/flow), which can also take a change
// after the caller gave up, or the real adapters with their SDKs over HTTP on
// providers/cloudsim (the tests here), where nothing can arrive late. Not in it are
// the sockets and the Web API client of bot/slackapp, whose place is taken by a
// Slack of this package, and temporary changes, steering and budgets.
package flowsim
