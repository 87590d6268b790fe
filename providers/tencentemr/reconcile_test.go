package tencentemr

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

func (b *bench) reconcile(t *testing.T, sub providers.Submission) providers.Finding {
	t.Helper()
	f, err := b.p.Reconcile(context.Background(), sub)
	require.NoError(t, err)
	require.NotEmpty(t, f.Evidence.EN)
	require.NotEmpty(t, f.Evidence.ZH)
	return f
}

// The repeat is the very same request, token and all.
func TestRepeatIsTheSameRequest(t *testing.T) {
	b := newBench(t, documentParams())
	c := change("task", 2)
	c.Charge, c.Months, c.Tags = providers.Prepaid, 1, map[string]string{"z": "1", "a": "2", "m": "3"}
	sub := b.submission(t, c)
	b.next("ScaleOutCluster", answer{drop: true}, ok(accepted))
	_, err := b.p.Submit(context.Background(), sub)
	require.Equal(t, providers.Unknown, providers.KindOf(err))
	// The submission comes back from Redis before it is repeated.
	raw, err := json.Marshal(sub)
	require.NoError(t, err)
	var stored providers.Submission
	require.NoError(t, json.Unmarshal(raw, &stored))
	b.clock.set(noon.Add(tokenWindow - time.Second))
	f := b.reconcile(t, stored)
	require.Equal(t, providers.Accepted, f.State)
	require.Equal(t, "19239", f.Operation.ID)
	calls := b.of("ScaleOutCluster")
	require.Len(t, calls, 2)
	require.Equal(t, calls[0].body, calls[1].body)
}

// How far the answer to a repeat speaks, by code and by age.
func TestRepeatProves(t *testing.T) {
	for name, tc := range map[string]struct {
		say  answer
		age  time.Duration
		want providers.FindingState
	}{
		"wrong parameter, at once":         {fault("InvalidParameter.InvalidInstanceType"), time.Second, providers.NotAccepted},
		"cluster gone, at once":            {fault("ResourceNotFound.InstanceNotFound"), time.Second, providers.NotAccepted},
		"no default spec":                  {fault("ResourceUnavailable.ResourceSpecNotDefaultSpec"), time.Second, providers.NotAccepted},
		"sold out, first may still arrive": {fault("ResourceInsufficient.InstanceInsufficient"), settled - time.Second, providers.Unsure},
		"sold out, nothing can arrive":     {fault("ResourceInsufficient.InstanceInsufficient"), settled, providers.NotAccepted},
		"quota":                            {fault("LimitExceeded"), settled, providers.NotAccepted},
		"another flow runs":                {fault("ResourceInUse.InstanceInProcess"), settled, providers.Unsure},
		"duplicate order":                  {fault("FailedOperation.DuplicateOrderNotAllowed"), settled, providers.Unsure},
		"throttled":                        {fault("RequestLimitExceeded"), settled, providers.Unsure},
		"keys refused":                     {fault("AuthFailure.SignatureFailure"), settled, providers.Unsure},
		"no right":                         {fault("UnauthorizedOperation"), settled, providers.Unsure},
		"internal fault":                   {fault("InternalError.CvmError"), settled, providers.Unsure},
		"unheard code":                     {fault("SomethingNew"), settled, providers.Unsure},
		"the token was used":               {fault("InvalidParameter.InvalidClientToken"), settled, providers.Unsure},
		"some parameter, not said which":   {fault("InvalidParameter"), settled, providers.Unsure},
		"a code of the parameters' family": {fault("InvalidParameter.SomethingNew"), settled, providers.Unsure},
		"lost again":                       {answer{drop: true}, settled, providers.Unsure},
		"accepted without a flow":          {ok(`{"FlowId":0}`), settled, providers.Unsure},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			sub := b.submission(t, change("task", 2))
			b.always("ScaleOutCluster", tc.say)
			b.clock.set(noon.Add(tc.age))
			f := b.reconcile(t, sub)
			require.Equal(t, tc.want, f.State, "%+v", f)
			require.Len(t, b.of("ScaleOutCluster"), 1)
			if tc.want == providers.NotAccepted {
				require.Contains(t, []providers.Kind{providers.Refused, providers.NotFound}, providers.KindOf(f.Cause))
			} else {
				require.NoError(t, f.Cause)
			}
		})
	}
}

// The token of a first send was never used before, so there the same code is a
// plain refusal.
func TestTokenRefusedAtFirst(t *testing.T) {
	b := newBench(t, nil)
	sub := b.submission(t, change("task", 2))
	b.always("ScaleOutCluster", fault("InvalidParameter.InvalidClientToken"))
	_, err := b.p.Submit(context.Background(), sub)
	require.Equal(t, providers.Refused, providers.KindOf(err))
}

func TestNoRepeat(t *testing.T) {
	for name, edit := range map[string]func(*bench, *providers.Submission){
		"when the window is over":    func(b *bench, _ *providers.Submission) { b.clock.set(noon.Add(tokenWindow)) },
		"of a send from the future":  func(b *bench, _ *providers.Submission) { b.clock.set(noon.Add(-time.Second)) },
		"with params changed since":  func(_ *bench, s *providers.Submission) { s.Change.Profile = "sha256:other" },
		"without a token":            func(_ *bench, s *providers.Submission) { s.Token = "" },
		"of a group gone out of use": func(_ *bench, s *providers.Submission) { s.Change.Group = "gone" },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.always("ScaleOutCluster", ok(accepted))
			sub := b.submission(t, change("task", 2))
			edit(b, &sub)
			require.Equal(t, providers.Unsure, b.reconcile(t, sub).State)
			require.Empty(t, b.of("ScaleOutCluster"))
		})
	}
}

// What the cluster alone can prove. Absence is never a proof.
func TestClusterProves(t *testing.T) {
	for name, tc := range map[string]struct {
		delta, status, tasks int
		want                 providers.FindingState
		says                 string
	}{
		"added, idle again":           {2, 2, 7, providers.Accepted, "joined"},
		"a larger one passes by":      {2, 4, 7, providers.Unsure, "operation of that kind"},
		"added, busy otherwise":       {2, 8, 7, providers.Unsure, "restarting"},
		"removed, still busy":         {-2, 16, 3, providers.Accepted, "left"},
		"scaling out":                 {2, 4, 5, providers.Unsure, "operation of that kind"},
		"busy with something else":    {2, 8, 5, providers.Unsure, "restarting"},
		"idle and unchanged":          {2, 2, 5, providers.Unsure, "nothing that it was not"},
		"one of two":                  {2, 2, 6, providers.Unsure, "not what was asked for"},
		"three of two":                {2, 2, 8, providers.Unsure, "not what was asked for"},
		"gone":                        {2, 201, 5, providers.Unsure, "gone"},
		"removed":                     {-2, 2, 3, providers.Accepted, "left"},
		"removing task nodes":         {-2, 16, 5, providers.Unsure, "operation of that kind"},
		"shrinking":                   {-2, 24, 4, providers.Unsure, "operation of that kind"},
		"one removed":                 {-2, 2, 4, providers.Unsure, "not what was asked for"},
		"idle, nothing removed":       {-2, 2, 5, providers.Unsure, "nothing that it was not"},
		"scale-out failed by anybody": {2, 302, 5, providers.Unsure, "scale-out failed"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			sub := b.submission(t, change("task", tc.delta))
			b.clock.set(noon.Add(time.Hour))
			b.cluster(tc.status, 3, tc.tasks)
			f := b.reconcile(t, sub)
			require.Equal(t, tc.want, f.State, "%+v", f)
			require.Contains(t, f.Evidence.EN, tc.says)
			require.Equal(t, tc.says == "operation of that kind", f.AtWork)
			if f.State == providers.Accepted {
				require.Equal(t, providers.Operation{AcceptedAt: noon.Add(time.Hour)}, f.Operation)
			}
		})
	}
}

// taskJSON is a task node of the fake's list that joined since.
func taskJSON(id, fields string) string {
	return fmt.Sprintf(`{"Flag":3,"OrderNo":%q,"Destroyable":1,%s}`, id, fields)
}

// New nodes that autoscaling made, or that are charged otherwise, are not ours:
// neither when an answer is lost nor when a flow ends short.
func TestNodesOfSomebodyElse(t *testing.T) {
	const auto, hourly, monthly, unsaid = `"ChargeType":0,"AutoFlag":1`, `"ChargeType":0`, `"ChargeType":1`, `"AutoFlag":0`
	for name, tc := range map[string]struct {
		charge providers.Charge
		new    [2]string
		ours   int
	}{
		"both of autoscaling":             {providers.Postpaid, [2]string{auto, auto}, 0},
		"one of autoscaling":              {providers.Postpaid, [2]string{hourly, auto}, 1},
		"of autoscaling, and protected":   {providers.Postpaid, [2]string{hourly, auto + `,"DisableApiTermination":true`}, 1},
		"by the hour, ours is prepaid":    {providers.Prepaid, [2]string{hourly, hourly}, 0},
		"one by the hour, ours prepaid":   {providers.Prepaid, [2]string{monthly, hourly}, 1},
		"prepaid, ours is by the hour":    {providers.Postpaid, [2]string{monthly, monthly}, 0},
		"prepaid, ours is spot":           {providers.Spot, [2]string{monthly, hourly}, 1},
		"ours":                            {providers.Postpaid, [2]string{hourly, hourly}, 2},
		"ours, prepaid":                   {providers.Prepaid, [2]string{monthly, monthly}, 2},
		"the cloud does not say how paid": {providers.Prepaid, [2]string{unsaid, unsaid}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.nodeList(`{"Flag":1,"OrderNo":"ins-master0"}`)
			c := change("task", 2)
			c.Charge = tc.charge
			if c.Charge == providers.Prepaid {
				c.Months = 1
			}
			b.instance(`"Status":2,"ConfigDetail":{"MasterNodeSize":1,"TaskNodeSize":0}`)
			sub := b.submission(t, c)
			b.clock.set(noon.Add(time.Hour))
			b.instance(`"Status":2,"ConfigDetail":{"MasterNodeSize":1,"TaskNodeSize":2}`)
			b.nodeList(`{"Flag":1,"OrderNo":"ins-master0"}`, taskJSON("ins-new0", tc.new[0]), taskJSON("ins-new1", tc.new[1]))
			f := b.reconcile(t, sub)
			require.Equal(t, tc.ours == 2, f.State == providers.Accepted, "%+v", f)
			if tc.ours == 0 {
				require.Contains(t, f.Evidence.EN, "2 nodes are new, but autoscaling")
			}

			b.always("DescribeClusterFlowStatusDetail", flowAnswer(flowDone, 1, ""))
			pr := b.follow(t, sub, providers.Operation{ID: "1", AcceptedAt: noon})
			require.Equal(t, tc.ours == 2, pr.State == providers.Succeeded, "%+v", pr)
			require.Len(t, pr.Changed, tc.ours, "only these are given back or committed to")
			pr, err := b.p.Follow(context.Background(), sub, providers.Operation{AcceptedAt: noon})
			require.Equal(t, tc.ours == 2, pr.State == providers.Succeeded, "%+v", pr)
			require.Equal(t, tc.ours == 0, providers.KindOf(err) == providers.NotFound)
		})
	}
}

func TestReconcileThatCantLookSaysSo(t *testing.T) {
	b := newBench(t, nil)
	sub := b.submission(t, change("task", -1))
	b.always("DescribeInstances", fault("InternalError"))
	_, err := b.p.Reconcile(context.Background(), sub)
	require.Equal(t, providers.Retry, providers.KindOf(err))
}
