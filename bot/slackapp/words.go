package slackapp

import (
	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/commands"
	"scalebot/providers"
)

// Words makes the private answers, in the language of the person; *card.Renderer
// is the real one.
type Words interface {
	Accepted(f flow.Flow, lang string) flow.Message
	Again(f flow.Flow, lang string) flow.Message
	Rejection(r *flow.Rejection, lang string) flow.Message
	Usage(sentence, fixed, lang string) flow.Message
	Preview(p flow.Preview, lang string) flow.Message
	ClusterStatus(c flow.Cluster, s providers.Snapshot, open []flow.Flow, lang string) flow.Message
	ClusterList(c flow.Catalog, lang string) flow.Message
	FlowList(fs []flow.Flow, lang string) flow.Message
	FlowDetail(f flow.Flow, lang string) flow.Message
	WhoAmI(p approvals.Person, groups []string, lang string) flow.Message
	Help(entries []commands.HelpEntry, lang string) flow.Message
	Home(mine, waiting []flow.Flow, lang string) flow.Message
}
