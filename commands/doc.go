// Package commands owns the language that people type to scalebot (design.md
// section 8): text becomes a Command, or a *UsageError with the corrected line.
// It does no I/O, knows no config, never panics and never guesses a number that
// was not typed.
//
// Text walks one way through it. Slack's wire form is unwrapped (<…> tokens to
// what they show, entities decoded once); a character that shows nothing is
// refused, since people approve what they see; the words are cut and folded
// (full-width forms, dashes, quotes and spaces of phones and input methods to
// the ASCII they stand for); then the grammar reads them. Text in quotes and
// behind "--" stays as typed.
//
//	command   = [ "scale" ] CLUSTER GROUP AMOUNT { option } [ "--" reason ]
//	          | "help" [ VERB ] | "clusters" | "list" | "whoami"
//	          | "status" [ CLUSTER | FLOW ] | ( "history" | "commitments" ) [ CLUSTER ]
//	          | ( "show" | "cancel" | "retry" ) FLOW | "approve" FLOW [ "withdraw" ]
//	          | "extend" FLOW [ "for" | "by" ] DURATION
//	          | "deny" FLOW [ reason ] | "freeze" CLUSTER [ "for" DURATION ] [ reason ]
//	          | ( "unfreeze" | "watch" | "unwatch" ) CLUSTER
//	          | "policy" [ CLUSTER GROUP AMOUNT { option } ] | "budget" [ CENTRE ]
//	          | "mandate" [ CLUSTER GROUP "up to" [ "+" ] number end [ "max" MONEY ] | "revoke" M-… ]
//	AMOUNT    = ( "+" | "-" | "=" ) number      a space may stand behind the sign
//	option    = "prepaid" [ TERM ] | "postpaid" | "spot" | "renew" | "no-renew"
//	          | "spec" TYPE | "disk" TYPE:GiBxN | "zone" ZONE | "nodes" ID,ID
//	          | "drain" DURATION | "start" | "no-start" | "bootstrap" | "no-bootstrap"
//	          | "tag" KEY=VALUE | "for" DURATION | "at" TIME | "dry-run" | "break-glass" | "reason" TEXT
//	end       = "until" ( DAY [ TIME ] | TIME ) | "for" DURATION
//	MONEY     = number CURRENCY
//	DURATION  = number ( "m" minutes | "h" | "d" )
//	TERM      = number ( "m" months | "y" )     only behind "prepaid"
//	TIME      = HH:MM[:SS] [ zone ] | YYYY-MM-DD ( "T" | " " ) HH:MM[:SS] [ zone ]
//	zone      = "Z" | +HH:MM                    left out: the person's own
//	DAY       = "today" | "tomorrow" | a weekday | YYYY-MM-DD
//	FLOW      = [ "F-" ] letters and digits
//
// A line in backticks is read without them, and an amount without the comma or
// full stop behind it. An option may have "--" before its name, and its value
// behind a space, "=" or ":". Verbs, options, clusters and groups are read in any
// case. disk, nodes and tag may be repeated; any other option may be said twice
// only if both say the same. A cluster named like a verb is reached by
// "scale NAME …".
//
// The caller in bot/slackapp strips a mention with TrimMention, calls Parse, and
// on a *UsageError answers privately with In(language), Fixed and Also, or Usage
// where there is no correction. It shows all of them literally, since they hold
// what was typed. What needs config or a cloud (limits, a missing prepaid term,
// nodes= with +) is judged behind the parser.
//
// A correction is ready to copy, so it never buys or removes other than was
// typed: no number is invented, no sign turned, and no option becomes its
// opposite.
package commands
