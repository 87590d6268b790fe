package huaweimrs

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

func (b *bench) follow(t *testing.T, sub providers.Submission) providers.Progress {
	t.Helper()
	pr, err := b.p.Follow(context.Background(), sub, providers.Operation{AcceptedAt: noon})
	require.NoError(t, err)
	return pr
}

func idsOf(nodes []providers.Node) (out []string) {
	for _, n := range nodes {
		out = append(out, n.ID)
	}
	return out
}

func task2(status ...string) (hosts []string) {
	for i, s := range status {
		hosts = append(hosts, hostJSON(fmt.Sprintf("new%d", i), "Task", s))
	}
	return hosts
}

func TestFollowRunning(t *testing.T) {
	b := newBench(t, nil)
	sub := b.submission(t, change("task", 2))
	b.cluster(world{cores: 3, tasks: 5, state: "scaling-out", scale: "scaling-out", stage: "Initializing VM", extra: task2("ACTIVE", "BUILD")})
	pr := b.follow(t, sub)
	require.Equal(t, providers.Running, pr.State)
	require.Equal(t, []providers.Stage{
		{Name: "Preparing for cluster expansion", State: providers.StageDone, Percent: 100},
		{Name: "Creating VM", State: providers.StageDone, Percent: 100},
		{Name: "Initializing VM", State: providers.StageRunning},
		{Name: "Adding node to the cluster", State: providers.StagePending},
	}, pr.Stages)
	require.Equal(t, 50, pr.Percent)
	require.Equal(t, 5, pr.Count)
	require.Equal(t, []string{"new0"}, idsOf(pr.Changed), "a machine that is being made has not joined")
	require.Empty(t, pr.Failed)

	b.cluster(world{cores: 3, tasks: 5, state: "scaling-out", stage: "扩容中\n第二步", extra: task2("ACTIVE", "ERROR")})
	pr = b.follow(t, sub)
	require.Equal(t, []providers.Stage{{Name: "扩容中 第二步", State: providers.StageRunning}}, pr.Stages, "words of no list are shown as they stand")
	require.Equal(t, []string{"new1"}, idsOf(pr.Failed), "a person may remove it")

	in := b.submission(t, change("task", -2))
	b.cluster(world{cores: 3, tasks: 4, state: "scaling-in", stage: "Deleting VM"})
	pr = b.follow(t, in)
	require.Equal(t, "Decommissioning instance", pr.Stages[1].Name)
	require.Equal(t, providers.StageDone, pr.Stages[1].State)
	require.Equal(t, []string{"task4"}, idsOf(pr.Changed))

	require.Empty(t, b.of(resize))
}

// Every way in which a resize goes on or ends.
func TestFollowTable(t *testing.T) {
	const failedOut = "Cluster expansion failed"
	for name, tc := range map[string]struct {
		c     providers.Change
		was   world // zero = idle, 3 core, 5 task
		now   world
		age   time.Duration
		want  providers.ProgressState // "" = not found
		moved int
		says  string
	}{
		"running straight after acceptance is not done": {change("task", 2), world{}, world{cores: 3, tasks: 5}, time.Second, providers.Running, 0, ""},
		"and not for a while":                           {change("task", 2), world{}, world{cores: 3, tasks: 5}, freshChange - time.Second, providers.Running, 0, ""},
		"silent for too long":                           {change("task", 2), world{}, world{cores: 3, tasks: 5}, freshChange, "", 0, "shows nothing of it"},
		"at work for hours":                             {change("task", 2), world{}, world{cores: 3, tasks: 5, state: "scaling-out"}, 5 * time.Hour, providers.Running, 0, "scaling-out"},
		"running, but its scale says more":              {change("task", 2), world{}, world{cores: 3, tasks: 7, scale: "scaling-out"}, time.Hour, providers.Running, 2, ""},
		"an unknown word is never an end":               {change("task", 2), world{}, world{cores: 3, tasks: 7, state: "polishing"}, time.Hour, providers.Running, 2, "polishing"},
		"all joined":                                    {change("task", 2), world{}, world{cores: 3, tasks: 7}, time.Second, providers.Succeeded, 2, ""},
		"core nodes joined":                             {change("core", 2), world{}, world{cores: 5, tasks: 5}, time.Hour, providers.Succeeded, 2, ""},
		"more joined than asked for":                    {change("task", 2), world{}, world{cores: 3, tasks: 8}, time.Hour, providers.Succeeded, 3, ""},
		"hosts there, the count behind":                 {change("task", 2), world{}, world{cores: 3, tasks: 7, counted: 5}, time.Second, providers.Running, 2, ""},
		"hosts there, never counted":                    {change("task", 2), world{}, world{cores: 3, tasks: 7, counted: 5}, freshChange, providers.Partial, 2, "2 of 2 nodes have joined; the group counts 5"},
		"hosts gone, the count behind":                  {change("task", -2), world{}, world{cores: 3, tasks: 3, counted: 5}, time.Second, providers.Succeeded, 2, ""},
		"the count there, hosts behind":                 {change("task", 2), world{}, world{cores: 3, tasks: 5, counted: 7}, time.Second, providers.Running, 0, ""},
		"one joined":                                    {change("task", 2), world{}, world{cores: 3, tasks: 6}, time.Hour, providers.Partial, 1, "1 of 2"},
		"one joined, just now":                          {change("task", 2), world{}, world{cores: 3, tasks: 6}, time.Second, providers.Running, 1, ""},
		"one joined, one in error":                      {change("task", 2), world{}, world{cores: 3, tasks: 6, extra: task2("ERROR")}, time.Hour, providers.Partial, 1, "1 of 2"},
		"one joined, one off":                           {change("task", 2), world{}, world{cores: 3, tasks: 6, extra: task2("SHUTOFF")}, time.Hour, providers.Partial, 1, "1 of 2"},
		"one off, still at work":                        {change("task", 2), world{}, world{cores: 3, tasks: 6, state: "scaling-out", extra: task2("SHUTOFF")}, time.Hour, providers.Running, 1, ""},
		"all in error":                                  {change("task", 2), world{}, world{cores: 3, tasks: 5, extra: task2("ERROR", "ERROR")}, time.Hour, providers.Partial, 0, "0 of 2"},
		"one joined, one still being made":              {change("task", 2), world{}, world{cores: 3, tasks: 6, extra: task2("BUILD")}, time.Hour, providers.Running, 1, ""},
		"first task nodes joined":                       {change("task", 2), world{cores: 3}, world{cores: 3, tasks: 2}, time.Hour, providers.Succeeded, 2, ""},
		"failed by its scale":                           {change("task", 2), world{}, world{cores: 3, tasks: 5, scale: "scaling-error"}, time.Second, providers.Failed, 0, "says that the resize failed"},
		"failed with the cloud's words":                 {change("task", 2), world{}, world{cores: 3, tasks: 5, scale: "scaling_error", err: "ECS: Ecs.0319\n资源不足"}, time.Second, providers.Failed, 0, "ECS: Ecs.0319 资源不足"},
		"failed by its stage":                           {change("task", 2), world{}, world{cores: 3, tasks: 5, stage: failedOut}, time.Second, providers.Failed, 0, failedOut},
		"failed by errorInfo":                           {change("task", 2), world{}, world{cores: 3, tasks: 5, err: "no"}, time.Second, providers.Failed, 0, "no"},
		"failed with one joined":                        {change("task", 2), world{}, world{cores: 3, tasks: 6, scale: "scaling-error", err: "no"}, time.Second, providers.Partial, 1, "1 of 2 nodes have joined; the group counts 6: no"},
		"all joined, yet it failed":                     {change("task", 2), world{}, world{cores: 3, tasks: 7, scale: "scaling-error", err: "no"}, time.Hour, providers.Partial, 2, "2 of 2"},
		"old error, all joined":                         {change("task", 2), world{cores: 3, tasks: 5, err: "old"}, world{cores: 3, tasks: 7, err: "old", updated: "2"}, time.Hour, providers.Succeeded, 2, ""},
		"old failure, just accepted":                    {change("task", 2), world{cores: 3, tasks: 5, scale: "scaling-error"}, world{cores: 3, tasks: 5, scale: "scaling-error", updated: "2"}, time.Second, providers.Running, 0, ""},
		"old failure, the same again":                   {change("task", 2), world{cores: 3, tasks: 5, scale: "scaling-error"}, world{cores: 3, tasks: 5, scale: "scaling-error", updated: "2"}, freshChange, providers.Failed, 0, ""},
		"old failure, untouched":                        {change("task", 2), world{cores: 3, tasks: 5, scale: "scaling-error"}, world{cores: 3, tasks: 5, scale: "scaling-error"}, freshChange, "", 0, "shows nothing of it"},
		"old failure, all joined":                       {change("task", 2), world{cores: 3, tasks: 5, scale: "scaling-error"}, world{cores: 3, tasks: 7, scale: "scaling-error", updated: "2"}, time.Hour, providers.Succeeded, 2, ""},
		"removed":                                       {change("task", -2), world{}, world{cores: 3, tasks: 3}, time.Second, providers.Succeeded, 2, ""},
		"removed to the last":                           {change("task", -5), world{}, world{cores: 3}, time.Second, providers.Succeeded, 5, ""},
		"one removed":                                   {change("task", -2), world{}, world{cores: 3, tasks: 4}, time.Hour, providers.Partial, 1, "1 of 2 nodes have left"},
		"others removed":                                {named("task0"), world{}, world{cores: 3, tasks: 4}, time.Hour, "", 0, ""},
		"shrink failed":                                 {change("task", -2), world{}, world{cores: 3, tasks: 5, scale: "scaling-error"}, time.Hour, providers.Failed, 0, ""},
		"core nodes went, the cloud picked":             {change("core", -2), world{cores: 5, tasks: 5}, world{cores: 3, tasks: 5}, time.Second, providers.Succeeded, 2, ""},
		"one core node went":                            {change("core", -2), world{cores: 5, tasks: 5}, world{cores: 4, tasks: 5}, time.Hour, providers.Partial, 1, "1 of 2"},
		"abnormal, not there yet":                       {change("task", 2), world{}, world{cores: 3, tasks: 6, state: "abnormal"}, time.Hour, providers.Running, 1, ""},
		"abnormal, all there":                           {change("task", 2), world{}, world{cores: 3, tasks: 7, state: "abnormal"}, time.Hour, providers.Partial, 2, "abnormal"},
		"frozen":                                        {change("task", 2), world{}, world{cores: 3, tasks: 6, state: "frozen"}, time.Hour, providers.Failed, 1, "frozen"},
		"failed as a cluster":                           {change("task", 2), world{}, world{cores: 3, tasks: 5, state: "failed"}, time.Second, providers.Failed, 0, "failed"},
		"terminated":                                    {change("task", 2), world{}, world{cores: 3, tasks: 5, state: "terminated"}, time.Hour, providers.Failed, 0, "terminated"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, firstParams())
			if tc.was.cores > 0 {
				b.cluster(tc.was)
			}
			sub := b.submission(t, tc.c)
			b.cluster(tc.now)
			b.clock.set(noon.Add(tc.age))
			pr, err := b.p.Follow(context.Background(), sub, providers.Operation{AcceptedAt: noon})
			if tc.want == "" {
				requireKind(t, providers.NotFound, err, "%+v", pr)
				require.Contains(t, providers.AdviceOf(err).EN, tc.says)
				require.NotEmpty(t, providers.AdviceOf(err).ZH)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, pr.State, "%+v", pr)
			require.Len(t, pr.Changed, tc.moved)
			require.Equal(t, pr.State == providers.Succeeded, pr.Percent == 100)
			require.Contains(t, pr.Message, tc.says)
			require.Equal(t, tc.now.state == "abnormal" && pr.State == providers.Running, !pr.Attention.IsZero())
			require.Empty(t, pr.Controls)
			if strings.HasSuffix(name, "in error") || name == "one joined, one off" {
				require.NotEmpty(t, pr.Failed, "a person may remove them")
			} else {
				require.Empty(t, pr.Failed)
			}
		})
	}
}

func TestFollowThatCantLook(t *testing.T) {
	for kind, say := range map[providers.Kind]answer{
		providers.Retry:    fault(http.StatusInternalServerError, "12000004"),
		providers.Auth:     fault(http.StatusForbidden, "12000052"),
		providers.NotFound: fault(http.StatusNotFound, "12000003"),
	} {
		b := newBench(t, nil)
		sub := b.submission(t, change("task", 2))
		b.always("ShowClusterDetails", say)
		_, err := b.p.Follow(context.Background(), sub, providers.Operation{AcceptedAt: noon})
		requireKind(t, kind, err)
	}
}

func TestControlIsRefused(t *testing.T) {
	b := newBench(t, nil)
	for _, c := range []providers.Control{providers.Pause, providers.Resume, providers.Cancel} {
		err := b.p.Control(context.Background(), providers.Submission{}, providers.Operation{}, c)
		requireKind(t, providers.Refused, err)
		require.NotEmpty(t, providers.AdviceOf(err).ZH)
	}
}
