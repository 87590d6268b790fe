// Package card turns flow records into Slack blocks and plain text, in English
// and Simplified Chinese from one catalogue. It owns every word that the bot
// says in Slack and every limit of Slack on how it may be said.
//
// Everything here is pure: no I/O and no clock. Times come from the record and
// are written as Slack's date tokens, so each reader sees them in their own
// zone; durations are differences of recorded times.
//
// What people and clouds wrote is never interpreted. A line is a list of spans,
// and a span knows whether its words are ours or foreign. Lines that are wholly
// ours become mrkdwn with & < > escaped and verbatim set; a line with a foreign
// span becomes rich_text, whose text elements Slack takes literally. Invisible
// and direction-changing characters are shown as placeholders. Every text is cut
// on a rune boundary to the limit of the place it stands in (Slack's Block Kit
// reference, "Limits").
package card
