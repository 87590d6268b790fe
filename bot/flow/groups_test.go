package flow_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/flow/flowtest"
	"scalebot/providers"
)

// partial is a Slack that can read no usergroup: groups that name their users are
// known, as with a usergroups.users.list that is rate limited.
type partial struct{ *flowtest.Slack }

func (partial) Members(_ context.Context, g approvals.Group) ([]string, error) {
	if len(g.Usergroups) > 0 {
		return nil, errors.New("ratelimited")
	}
	return g.Users, nil
}

// Whoever is in a group that can't be read must not be told that they may not:
// they would look for somebody else in the middle of an outage.
func TestAGroupThatCannotBeReadTellsNobodyThatTheyMayNot(t *testing.T) {
	unreadable := func(w *world) {
		w.options.Directory = noGroups{w.slack}
		w.wire()
	}
	t.Run("settle", func(t *testing.T) {
		w := newWorld(t)
		w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
			return providers.Operation{}, flowtest.Lost()
		})
		id := w.request(ask(flow.Add, 2))
		w.pass(4 * time.Minute)
		w.in(id, flow.Unknown)
		unreadable(w)
		_, err := w.desk.MaySettle(t.Context(), w.caller(lead1), id, flow.SignalRetry)
		rejected(t, err, flow.RejectPerson)
		_, err = w.desk.Settle(t.Context(), w.caller(lead1), id, flow.SignalRetry, "")
		rejected(t, err, flow.RejectPerson)
	})
	t.Run("halt", func(t *testing.T) {
		w, id := graceful(t)
		unreadable(w)
		_, err := w.desk.Halt(t.Context(), w.caller(lead2), id)
		rejected(t, err, flow.RejectPerson)
		_, err = w.desk.Halt(t.Context(), w.caller(asker), id)
		require.NoError(t, err, "who asked needs no group")
	})
	t.Run("steer", func(t *testing.T) {
		w, id := steerable(t)
		unreadable(w)
		_, err := w.desk.Steer(t.Context(), w.caller(lead1), id, flow.SignalPause)
		rejected(t, err, flow.RejectPerson)
	})
	t.Run("one that can be read is enough", func(t *testing.T) {
		w, id := graceful(t)
		w.slack.Fail("members", errors.New("down")) // the first only
		_, err := w.desk.Halt(t.Context(), w.caller(lead1), id)
		require.NoError(t, err)
	})
}

// What a person may do is not said to be less because a part can't be read.
func TestRightsSayWhatCouldNotBeRead(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) {
		c.Groups["oncall"] = approvals.Group{Usergroups: []string{"S0ONCALL"}}
	})
	w.options.Settle = []string{"oncall"}
	mine, theirs := w.options.Catalog["emr"], w.options.Catalog["emr"]
	mine.Requesters, theirs.Requesters = &approvals.Group{Users: []string{lead1}}, &approvals.Group{Usergroups: []string{"S0DATA"}}
	w.options.Catalog = flow.Catalog{"emr": w.options.Catalog["emr"], "mine": mine, "theirs": theirs}
	w.slack.SetGroup("S0ONCALL", lead1)
	w.wire()
	require.Equal(t, flow.Rights{
		Groups:   flow.Membership{In: []string{"finops", "leads", "oncall"}},
		Clusters: flow.Membership{In: []string{"emr", "mine"}},
		Settles:  true,
	}, w.desk.Rights(t.Context(), lead1))
	require.Equal(t, flow.Rights{
		Groups: flow.Membership{In: []string{"leads"}}, Clusters: flow.Membership{In: []string{"emr"}},
	}, w.desk.Rights(t.Context(), lead2))

	w.options.Directory = partial{w.slack}
	w.wire()
	require.Equal(t, flow.Rights{
		Groups:        flow.Membership{In: []string{"finops", "leads"}, Unread: []string{"oncall"}},
		Clusters:      flow.Membership{In: []string{"emr", "mine"}, Unread: []string{"theirs"}},
		SettlesUnread: true,
	}, w.desk.Rights(t.Context(), lead1))
	_, unread, err := w.desk.Waiting(t.Context(), lead1)
	require.NoError(t, err)
	require.Equal(t, []string{"oncall"}, unread)
}

// A mandate whose signer's groups can't be read is not said to count for nothing.
func TestAListOfMandatesSaysWhatCouldNotBeRead(t *testing.T) {
	w := newWorld(t)
	_, err := w.desk.SignMandate(t.Context(), w.caller(lead2), flow.MandateAsk{Cluster: "emr", Group: "task", Nodes: 2, Until: noon.Add(day)})
	require.NoError(t, err)
	w.options.Directory = noGroups{w.slack}
	w.wire()
	all, err := w.desk.Mandates(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Empty(t, all[0].Counts)
	require.Equal(t, []string{"finops", "leads"}, all[0].Unread)
}
