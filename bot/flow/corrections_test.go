package flow_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/providers"
)

// spell shows everything that a correction asks for.
func spell(a flow.Ask) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s%d", a.Cluster, a.Group, a.Op, a.N)
	put := func(on bool, format string, v any) {
		if on {
			fmt.Fprintf(&b, " "+format, v)
		}
	}
	put(a.Charge != "", "%s", a.Charge)
	put(a.Months != 0, "%dm", a.Months)
	put(a.Renew != nil, "renew=%v", a.Renew != nil && *a.Renew)
	put(a.InstanceType != "", "spec=%s", a.InstanceType)
	put(len(a.Disks) > 0, "disk=%v", a.Disks)
	put(a.Zone != "", "zone=%s", a.Zone)
	put(len(a.Nodes) > 0, "nodes=%v", a.Nodes)
	put(a.Drain != 0, "drain=%s", a.Drain)
	put(a.Start != nil, "start=%v", a.Start != nil && *a.Start)
	put(a.Bootstrap != nil, "bootstrap=%v", a.Bootstrap != nil && *a.Bootstrap)
	put(len(a.Tags) > 0, "tag=%v", a.Tags)
	put(!a.StartAt.IsZero(), "at %s", a.StartAt.Format(time.RFC3339))
	put(a.For != 0, "for %s", a.For)
	put(a.Reason != "", "-- %s", a.Reason)
	return b.String()
}

// A refused amount comes with the same request for an amount that may be had. The
// group has 3 nodes, min 1, max 20 and max_step 10.
func TestACorrectedAmountIsTheWholeRequest(t *testing.T) {
	with := func(a flow.Ask, change func(*flow.Ask)) flow.Ask { change(&a); return a }
	for name, c := range map[string]struct {
		ask  flow.Ask
		prep func(*world)
		code flow.NoteCode
		line string
	}{
		"every option of an addition": {
			ask: with(ask(flow.Add, 10), func(a *flow.Ask) {
				a.Charge, a.Months, a.Renew, a.InstanceType = providers.Prepaid, 3, new(true), "S5.4XLARGE64"
				a.Disks, a.Zone = []providers.Disk{{Type: "SSD", SizeG: 100, Count: 2}}, "z-3"
				a.Start, a.Bootstrap, a.Tags = new(false), new(true), map[string]string{"k": "v"}
				a.Reason, a.StartAt = "quarter end", noon.Add(time.Hour)
			}),
			prep: func(w *world) { w.cloud.Resize(15) }, code: flow.NoteAboveMax,
			line: "emr task +5 prepaid 3m renew=true spec=S5.4XLARGE64 disk=[{SSD 100 2}] zone=z-3 start=false bootstrap=true tag=map[k:v] at 2026-11-24T13:00:00Z -- quarter end",
		},
		"the group's own charge need not be typed": {
			ask: ask(flow.Add, 10), prep: func(w *world) { w.cloud.Resize(15) }, code: flow.NoteAboveMax, line: "emr task +5",
		},
		"a removal below min keeps its sign and its drain": {
			ask: with(ask(flow.Remove, 3), func(a *flow.Ask) { a.Drain = 30 * time.Minute }), code: flow.NoteBelowMin, line: "emr task -2 drain=30m0s",
		},
		"more than there are": {ask: ask(flow.Remove, 9), code: flow.NoteTooMany, line: "emr task -2"},
		"a size too far away": {
			ask: with(ask(flow.Set, 20), func(a *flow.Ask) { a.Charge, a.Months = providers.Prepaid, 1 }), code: flow.NoteAboveStep, line: "emr task =13 prepaid 1m",
		},
		"nothing is proposed that empties the group": {
			ask: ask(flow.Remove, 9), code: flow.NoteTooMany,
			prep: func(w *world) {
				task := w.options.Catalog["emr"].Groups["task"]
				task.Min = 0
				w.options.Catalog["emr"].Groups["task"] = task
			},
		},
		"which of the named nodes to keep isn't guessed": {
			ask: with(ask(flow.Remove, 3), func(a *flow.Ask) { a.Nodes = []string{"ins-001", "ins-002", "ins-003"} }), code: flow.NoteBelowMin,
		},
		"no addition is proposed for a removal": {
			ask: ask(flow.Remove, 1), prep: func(w *world) { w.cloud.Resize(0) }, code: flow.NoteTooMany,
		},
		"nothing is left to add": {ask: ask(flow.Add, 1), prep: func(w *world) { w.cloud.Resize(20) }, code: flow.NoteAboveMax},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.options.Spell = spell
			if c.prep != nil {
				c.prep(w)
			}
			w.wire()
			preview, err := w.desk.DryRun(t.Context(), w.caller(asker), c.ask)
			require.NoError(t, err)
			require.NotNil(t, preview.Refused)
			require.Equal(t, c.code, preview.Refused.Code)
			require.Equal(t, c.line, preview.Refused.Args["fixed"])
		})
	}
}

// What the desk can tell by the words alone is corrected only where the meaning
// stays.
func TestARejectionProposesNothingElseThanWasMeant(t *testing.T) {
	with := func(a flow.Ask, change func(*flow.Ask)) flow.Ask { change(&a); return a }
	named := func(n int) []string {
		var ids []string
		for i := range n {
			ids = append(ids, fmt.Sprintf("ins-%03d", i+1))
		}
		return ids
	}
	for name, c := range map[string]struct {
		ask    flow.Ask
		code   flow.RejectCode
		better string
	}{
		"a step too far": {
			with(ask(flow.Add, 50), func(a *flow.Ask) { a.Charge, a.Months, a.Reason = providers.Prepaid, 1, "why" }),
			flow.RejectStep, "emr task +10 prepaid 1m -- why",
		},
		"for a time is not for good": {with(ask(flow.Add, 2), func(a *flow.Ask) { a.For = 6 * time.Hour }), flow.RejectTemporary, ""},
		"later is not now":           {with(ask(flow.Add, 2), func(a *flow.Ask) { a.StartAt = noon.Add(-time.Hour) }), flow.RejectPast, ""},
		"an addition with nodes":     {with(ask(flow.Add, 2), func(a *flow.Ask) { a.Nodes = named(1) }), flow.RejectNodes, ""},
		"a size with nodes":          {with(ask(flow.Set, 2), func(a *flow.Ask) { a.Nodes = named(1) }), flow.RejectNodes, ""},
		"as many as are named":       {with(ask(flow.Remove, 3), func(a *flow.Ask) { a.Nodes = named(2) }), flow.RejectNodes, "emr task -2 nodes=[ins-001 ins-002]"},
		"too many named":             {with(ask(flow.Remove, 3), func(a *flow.Ask) { a.Nodes = named(11) }), flow.RejectStep, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.desk.Request(t.Context(), w.caller(asker), c.ask)
			var no *flow.Rejection
			require.True(t, errors.As(err, &no), err)
			require.Equal(t, c.code, no.Code)
			better := ""
			if no.Better != nil {
				better = spell(*no.Better)
			}
			require.Equal(t, c.better, better)
		})
	}
}
