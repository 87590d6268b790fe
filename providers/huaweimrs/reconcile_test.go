package huaweimrs

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

// What the cluster can prove about a lost answer. Absence is never a proof, and
// nothing is sent to find out.
func TestReconcileTable(t *testing.T) {
	const untouched = "no proof"
	for name, tc := range map[string]struct {
		c    providers.Change
		was  world // zero = idle, 3 core, 5 task
		now  world
		want providers.FindingState
		says string
	}{
		"added, idle again":                      {change("task", 2), world{}, world{cores: 3, tasks: 7}, providers.Accepted, "as many nodes as this change asks for (2)"},
		"a larger one passes by":                 {change("task", 2), world{}, world{cores: 3, tasks: 5, state: "scaling-out", extra: task2("BUILD", "BUILD")}, providers.Unsure, "somebody else's"},
		"and the state is behind":                {change("task", 2), world{}, world{cores: 3, tasks: 5, extra: task2("ACTIVE", "BUILD")}, providers.Unsure, "still being made"},
		"added, and abnormal":                    {change("task", 2), world{}, world{cores: 3, tasks: 7, state: "abnormal"}, providers.Unsure, "when that ends"},
		"more core nodes are going":              {change("core", -1), world{cores: 5}, world{cores: 4, state: "scaling-in"}, providers.Unsure, "somebody else's"},
		"removed, still at work":                 {named("task4"), world{}, world{cores: 3, tasks: 4, state: "scaling-in"}, providers.Accepted, "left"},
		"added, one of them broken":              {change("task", 2), world{}, world{cores: 3, tasks: 5, extra: task2("ACTIVE", "ERROR")}, providers.Accepted, "appeared in"},
		"core nodes added":                       {change("core", 1), world{}, world{cores: 4, tasks: 5}, providers.Accepted, "appeared in"},
		"first task nodes":                       {change("task", 1), world{cores: 3}, world{cores: 3, tasks: 1}, providers.Accepted, "asks for (1)"},
		"scaling out, nothing there yet":         {change("task", 2), world{}, world{cores: 3, tasks: 5, state: "scaling-out"}, providers.Unsure, "somebody else's"},
		"scaling out by its scale alone":         {change("task", 2), world{}, world{cores: 3, tasks: 5, scale: "scaling_out"}, providers.Unsure, "somebody else's"},
		"scaling out, the first of two":          {change("task", 2), world{}, world{cores: 3, tasks: 5, state: "scaling-out", extra: task2("BUILD")}, providers.Unsure, "somebody else's"},
		"scaling the other way":                  {change("task", 2), world{}, world{cores: 3, tasks: 5, state: "scaling-in"}, providers.Unsure, "when that ends"},
		"busy with something else":               {change("task", 2), world{}, world{cores: 3, tasks: 5, scale: "scaling-up"}, providers.Unsure, "when that ends"},
		"abnormal":                               {change("task", 2), world{}, world{cores: 3, tasks: 5, state: "abnormal"}, providers.Unsure, "when that ends"},
		"idle and untouched":                     {change("task", 2), world{}, world{cores: 3, tasks: 5}, providers.Unsure, untouched},
		"idle and touched":                       {change("task", 2), world{}, world{cores: 3, tasks: 5, updated: "2"}, providers.Unsure, "about to begin"},
		"idle, failed since":                     {change("task", 2), world{}, world{cores: 3, tasks: 5, scale: "scaling-error", err: "sold out"}, providers.Unsure, "sold out"},
		"one of two":                             {change("task", 2), world{}, world{cores: 3, tasks: 6}, providers.Unsure, "not what was asked for (+2)"},
		"three of two":                           {change("task", 2), world{}, world{cores: 3, tasks: 8}, providers.Unsure, "not what was asked for"},
		"the other group grew":                   {change("task", 2), world{}, world{cores: 5, tasks: 5, updated: "2"}, providers.Unsure, "about to begin"},
		"gone":                                   {change("task", 2), world{}, world{cores: 3, tasks: 5, state: "terminating"}, providers.Unsure, "gone"},
		"removed":                                {change("task", -2), world{}, world{cores: 3, tasks: 3}, providers.Accepted, "left"},
		"the named one removed":                  {named("task4"), world{}, world{cores: 3, tasks: 4}, providers.Accepted, "left"},
		"another one removed":                    {named("task0"), world{}, world{cores: 3, tasks: 4}, providers.Unsure, untouched},
		"one removed":                            {change("task", -2), world{}, world{cores: 3, tasks: 4}, providers.Unsure, "not what was asked for (-2)"},
		"scaling in":                             {change("task", -2), world{}, world{cores: 3, tasks: 4, state: "scaling-in"}, providers.Unsure, "somebody else's"},
		"idle, nothing removed":                  {change("task", -2), world{}, world{cores: 3, tasks: 5}, providers.Unsure, untouched},
		"core nodes went, the cloud picked":      {change("core", -2), world{cores: 5}, world{cores: 3}, providers.Accepted, "left"},
		"more core nodes went than asked for":    {change("core", -1), world{cores: 5}, world{cores: 3}, providers.Unsure, "not what was asked for (-1)"},
		"no core node went":                      {change("core", -1), world{cores: 5}, world{cores: 5}, providers.Unsure, untouched},
		"removed and one more that nobody asked": {named("task3"), world{}, world{cores: 3, tasks: 3}, providers.Accepted, "left"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, firstParams())
			if tc.was.cores > 0 {
				b.cluster(tc.was)
			}
			sub := b.submission(t, tc.c)
			for _, age := range []time.Duration{time.Second, 24 * time.Hour} {
				b.clock.set(noon.Add(age))
				b.cluster(tc.now)
				f, err := b.p.Reconcile(context.Background(), sub)
				require.NoError(t, err)
				require.Equal(t, tc.want, f.State, "%+v", f)
				if tc.says == untouched && age < settled {
					require.Contains(t, f.Evidence.EN, "may need a minute", "nobody is told too soon that nothing happened")
				} else {
					require.Contains(t, f.Evidence.EN, tc.says)
				}
				require.Equal(t, tc.says == "somebody else's" || tc.says == "still being made", f.AtWork)
				require.NotEmpty(t, f.Evidence.ZH)
				require.NoError(t, f.Cause)
				if f.State == providers.Accepted {
					require.Equal(t, providers.Operation{AcceptedAt: noon.Add(age)}, f.Operation)
				}
			}
			require.Empty(t, b.of(resize), "there is no token: a repeat could act twice")
		})
	}
}

func TestReconcileThatCantLookSaysSo(t *testing.T) {
	b := newBench(t, nil)
	sub := b.submission(t, change("task", -1))
	b.always("ShowClusterDetails", answer{status: http.StatusBadGateway, body: "<html>"})
	_, err := b.p.Reconcile(context.Background(), sub)
	requireKind(t, providers.Retry, err)
}
