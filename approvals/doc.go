// Package approvals decides who must agree to a plan and whether they have. It
// owns Policy, Requirement, Ballot and Verdict (design.md section 1).
//
// Everything here is a pure function of a snapshot of facts and one timestamp:
// no I/O, no clock, no writes to its inputs. A dry run is the same code with
// other facts. It is closed by default: no rules, a rule that breaks, an empty
// group, an unknown person or an unreadable reaction list is never "approved",
// and the requester, bots, guests, strangers and withdrawn votes never count.
//
// One request walks through it like this: NewPlan ties change, snapshot and
// quote together under a hash; Policy.Judge turns the plan into a Judgement
// (refused, free to go, or a list of Requirements); each look at the card calls
// Count with the reactions as Slack has them now and gets a Verdict; right
// before execution Drift compares the voted plan with a fresh one and says
// whether the votes still stand.
package approvals
