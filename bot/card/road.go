package card

import (
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

// stepState is how far one step of the road is.
type stepState int

const (
	stepPending stepState = iota
	stepRunning
	stepDone
	stepStopped
)

// step is one station on the road of a flow.
type step struct {
	id     string
	title  line
	state  stepState
	word   line // says the state; "" = the usual word
	detail line
}

// maxStages is how many stages of a cloud a card shows; a cloud with more has
// its first ones told in the thread.
const maxStages = 15

// order is how far along the road a state stands; it says nothing of ends.
var order = map[flow.State]int{
	flow.Planning: 0, flow.AwaitingApproval: 1, flow.Scheduled: 2, flow.Queued: 3,
	flow.Submitting: 4, flow.Unknown: 4, flow.Running: 5,
	flow.Failed: 6, flow.Partial: 6, flow.Succeeded: 6,
}

// reached is how far the flow came: for a flow that ended early, the place
// where it stopped, told from what stands in the record.
func reached(f flow.Flow) int {
	switch f.State {
	case flow.Refused, flow.Cancelled:
		switch {
		case len(f.Plans) == 0 || f.Plan() == nil:
			return order[flow.Planning]
		case len(requirements(f)) > 0 && (verdict(f) == nil || verdict(f).Status != approvals.Approved):
			return order[flow.AwaitingApproval]
		}
		return order[flow.Queued]
	case flow.Denied, flow.Expired:
		if f.Plan() == nil {
			return order[flow.Planning]
		}
		return order[flow.AwaitingApproval]
	case flow.Failed:
		if f.Operation == nil {
			return order[flow.Submitting]
		}
	case flow.Unknown:
		if f.Operation != nil {
			return order[flow.Running]
		}
	case flow.Planning, flow.AwaitingApproval, flow.Scheduled, flow.Queued, flow.Submitting, flow.Running,
		flow.Partial, flow.Succeeded:
	}
	return order[f.State]
}

// steps is the road of the flow: what was done, where it stands, what comes.
func steps(lang string, f flow.Flow) []step {
	at := reached(f)
	stopped := f.State.Ended() && f.State != flow.Succeeded && f.State != flow.Partial || f.State == flow.Unknown
	stateAt := func(i int) stepState {
		switch {
		case i < at:
			return stepDone
		case i > at:
			return stepPending
		case stopped:
			return stepStopped
		}
		return stepRunning
	}
	named := func(id string, s sentence, i int) step {
		return step{id: id, title: say(word(lang, s)), state: stateAt(i)}
	}

	road := []step{named("plan", wStepPlan, 0)}
	vote := named("approval", wStepVote, 1)
	if reqs := requirements(f); at >= 1 && len(reqs) == 0 {
		vote.word = say(word(lang, wNotNeeded))
	} else if at >= 1 {
		got, n := 0, 0
		for _, s := range seatsOf(f, reqs) {
			got, n = got+len(s.By), n+s.N
		}
		if vote.state == stepRunning {
			vote.word = wVotes.fill(lang, args{"got": number(got), "n": number(n)})
		}
		if v := verdict(f); v != nil && vote.state == stepDone {
			vote.detail = approvers(lang, v.Ballot)
			if v.Glass != nil {
				vote.word, vote.detail = say(word(lang, wGlassTitle)), mention(v.Glass.By)
			}
		}
	}
	road = append(road, vote)
	if !f.Request.StartAt.IsZero() {
		s := named("start", wStepStart, 2)
		s.detail = when(f.Request.StartAt)
		road = append(road, s)
	}
	if f.State == flow.Queued {
		road = append(road, named("queue", wStepQueue, 3))
	}
	send := named("send", wStepSend, 4)
	if f.Operation != nil && f.Operation.ID != "" {
		send.detail = wOpID.fill(lang, args{"id": theirs(f.Operation.ID, shortForeign)})
	}
	road = append(road, send)
	road = append(road, stages(lang, f)...)

	end := named("end", wStepEnd, 6)
	switch f.State {
	case flow.Succeeded:
		end.state, end.word = stepDone, say(stateName(lang, f.State))
	case flow.Partial:
		end.state = stepStopped
	case flow.Failed, flow.Unknown, flow.Planning, flow.AwaitingApproval, flow.Scheduled, flow.Queued,
		flow.Submitting, flow.Running, flow.Refused, flow.Denied, flow.Expired, flow.Cancelled:
	}
	end.detail = counted(lang, f)
	return settled(lang, f, append(road, end))
}

// settled gives the steps that stopped the flow's own state as their word, and
// leaves out what an ended flow will not reach any more.
func settled(lang string, f flow.Flow, road []step) []step {
	out := road[:0]
	for _, s := range road {
		if s.state == stepPending && f.State.Ended() {
			continue
		}
		if s.state == stepStopped && len(s.word) == 0 {
			s.word = say(stateName(lang, f.State))
		}
		out = append(out, s)
	}
	return out
}

// approvers are the people whose votes counted, with what they counted for.
func approvers(lang string, b approvals.Ballot) line {
	var ls []line
	for _, s := range b.Seats {
		if len(s.By) > 0 {
			ls = append(ls, wSeatBy.fill(lang, args{"by": mentions(lang, s.By), "group": named(s.Group)}))
		}
	}
	return capped(lang, ls, word(lang, wComma), maxNames)
}

// stages are the cloud's own steps.
func stages(lang string, f flow.Flow) []step {
	if f.Progress == nil {
		return nil
	}
	all := f.Progress.Stages
	skipped := max(0, len(all)-maxStages)
	var out []step
	if skipped > 0 {
		out = append(out, step{id: "stages", title: wMoreStages.fill(lang, args{"n": number(skipped)}), state: stateOf(all[skipped-1].State)})
	}
	for i, s := range all[skipped:] {
		st := step{
			id:     "stage-" + strconv.Itoa(skipped+i+1),
			title:  theirs(s.Name, shortForeign),
			state:  stateOf(s.State),
			word:   stageWord(lang, s.State),
			detail: theirs(s.Detail, 300),
		}
		if s.State == providers.StageRunning && s.Percent > 0 {
			st.word = join(" ", st.word, say(percent(s.Percent)))
		}
		out = append(out, st)
	}
	return out
}

// stageWord names the state of a stage; a state that a newer adapter brought is
// shown as it is.
func stageWord(lang string, s providers.StageState) line {
	if w, ok := stageStates[s]; ok {
		return say(w.in(lang))
	}
	return theirs(string(s), shortForeign)
}

func stateOf(s providers.StageState) stepState {
	switch s {
	case providers.StageDone:
		return stepDone
	case providers.StageRunning:
		return stepRunning
	case providers.StagePartial, providers.StageFailed:
		return stepStopped
	case providers.StagePending:
	}
	return stepPending
}

// counted says how many nodes came or went so far.
func counted(lang string, f flow.Flow) line {
	delta, known := f.Delta()
	if f.Progress == nil || !known || delta == 0 {
		return nil
	}
	s, want := wCount, delta
	if delta < 0 {
		s, want = wCountLeft, -delta
	}
	return s.fill(lang, args{"got": number(len(f.Progress.Changed)), "want": number(want)})
}

// stateWord says the state of a step in words, never by sign alone.
func (s step) stateWord(lang string) line {
	if len(s.word) > 0 {
		return s.word
	}
	switch s.state {
	case stepRunning:
		return say(word(lang, wIsRunning))
	case stepDone:
		return say(word(lang, wIsDone))
	case stepStopped, stepPending:
	}
	return say(word(lang, wIsPending))
}

// road shows the steps, as Slack's plan of task cards or as text.
func (r *Renderer) road(p *page, f flow.Flow, rich bool) {
	all := steps(p.lang, f)
	progress := bar(f)
	if rich {
		r.plan(p, all, progress)
		return
	}
	signs := map[stepState]string{stepPending: "○ ", stepRunning: "◐ ", stepDone: "● ", stepStopped: "✕ "}
	lines := []line{bold(word(p.lang, wRoad))}
	if progress != "" {
		lines = append(lines, join(" · ", say(progress), stageNow(f)))
	}
	for _, s := range all {
		lines = append(lines, join("", say(signs[s.state]), join(" · ", s.title, s.stateWord(p.lang), s.detail)))
	}
	p.lines(lines...)
}

func (r *Renderer) plan(p *page, all []step, progress string) {
	title := word(p.lang, wRoad)
	if progress != "" {
		title += " · " + progress
	}
	block := slack.NewPlanBlock(title)
	weight := size(title)
	tasks := make([]*slack.TaskCardBlock, 0, len(all))
	status := map[stepState]slack.TaskCardStatus{
		stepPending: slack.TaskCardStatusPending, stepRunning: slack.TaskCardStatusInProgress,
		stepDone: slack.TaskCardStatusComplete, stepStopped: slack.TaskCardStatusError,
	}
	for _, s := range all {
		name := wide(join(" · ", s.title, s.stateWord(p.lang)).plain())
		t := slack.NewTaskCardBlock(s.id, cut(name, maxHeader)).WithStatus(status[s.state])
		if len(s.detail) > 0 {
			t.WithDetails(slack.NewRichTextBlock("", slack.NewRichTextSection(s.detail.elements()...)))
		}
		tasks = append(tasks, t)
		weight += size(t.Title) + s.detail.size()
	}
	p.add(block.WithTasks(tasks...), weight)
}

// bar draws the progress of a running operation with the number beside it.
func bar(f flow.Flow) string {
	if f.State != flow.Running || f.Progress == nil {
		return ""
	}
	const cells = 10
	n := min(max(f.Progress.Percent, 0), 100)
	full := n * cells / 100
	return strings.Repeat("▓", full) + strings.Repeat("░", cells-full) + " " + percent(n)
}

func percent(n int) string { return strconv.Itoa(min(max(n, 0), 100)) + " %" }

// stageNow names the stage that runs.
func stageNow(f flow.Flow) line {
	for _, s := range f.Progress.Stages {
		if s.State == providers.StageRunning {
			return theirs(s.Name, shortForeign)
		}
	}
	return nil
}
