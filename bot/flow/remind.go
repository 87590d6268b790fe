package flow

import (
	"context"
	"slices"
	"strings"
	"time"

	"scalebot/approvals"
)

// How many people one reminder names, and how many it looks up to find them: a
// usergroup may have hundreds, and each look-up is a call to Slack.
const (
	remindNames = 8
	remindLooks = 40
)

// reminders are how many reminders of the current ballot have come due, and when
// the next one will. They come RemindAfter after people were asked, then at
// twice that time, at four times, and so on. Derived from stored times, they are
// the same for every replica and after every restart.
func (t *turn) reminders(now time.Time) (due int, next time.Time) {
	opened := t.f.askedAt()
	if t.RemindAfter <= 0 || opened.IsZero() {
		return 0, t.f.ExpiresAt
	}
	for after := t.RemindAfter; ; after *= 2 {
		at := opened.Add(after)
		if !at.Before(t.f.ExpiresAt) || after > 1<<61 {
			return due, t.f.ExpiresAt
		}
		if now.Before(at) {
			return due, at
		}
		due++
	}
}

// remind tells the thread whose vote is still missing, once for each reminder
// that has come due; several that came due while nobody looked are one. The note
// and the count are saved together, so a reminder is never told twice.
func (t *turn) remind(ctx context.Context) {
	due, _ := t.reminders(t.Clock.Now())
	if due <= t.f.Reminded {
		return
	}
	who, err := t.wanted(ctx)
	if err != nil {
		t.log.Warn("people can't be looked up for a reminder; the next look tries again", "error", err)
		return
	}
	t.f.Reminded, t.changed = due, true
	if len(who) > 0 {
		t.tell(Note{Code: NoteReminder, Args: map[string]string{
			"who": strings.Join(who, ","), "at": t.f.ExpiresAt.Format(time.RFC3339),
		}})
	}
}

// remindSettlers tells the thread that nobody has settled an unknown flow yet: RemindAfter
// it became so, at twice that time, and so on, as with a ballot. Several that came due
// while nobody looked are one, and two are never closer together than RemindAfter,
// however late the first was told.
func (t *turn) remindSettlers() {
	if t.RemindAfter <= 0 || t.f.End == nil {
		return
	}
	now, since := t.Clock.Now(), t.f.End.At
	var due time.Time // the last one whose time has come
	for after := t.RemindAfter; after < 1<<61 && !now.Before(since.Add(after)); after *= 2 {
		due = since.Add(after)
	}
	if due.IsZero() || !t.f.UnsettledAt.Before(due) || now.Sub(t.f.UnsettledAt) < t.RemindAfter {
		return
	}
	t.f.UnsettledAt = now
	t.tell(Note{Code: NoteUnsettled, Args: map[string]string{"at": since.Format(time.RFC3339)}})
}

// wanted are people who can still fill an open seat. Of more than one reminder can
// name, each names the next ones, so that everybody is reminded in turn: whoever
// comes first by id may be away.
func (t *turn) wanted(ctx context.Context) ([]string, error) {
	facts := *t.facts
	facts.Members = t.members(ctx, facts, func(string) bool { return true })
	skip := append(t.Policy.VotersOf(facts), facts.Requester, facts.Bot)
	before := t.f.remindersTold()
	share := max(1, remindNames/max(1, len(facts.Requirements)))
	lists := make([][]string, len(facts.Requirements)) // of each requirement its own: the first group may fill the list alone
	var look []string
	for i, q := range facts.Requirements {
		var asked []string
		for _, g := range q.Asked(facts.OpenedAt, facts.Now) {
			asked = append(asked, facts.Members[g]...)
		}
		slices.Sort(asked)
		asked = turned(slices.Compact(asked), before*share)
		asked = slices.DeleteFunc(asked, func(id string) bool { return slices.Contains(skip, id) })
		lists[i] = asked[:min(len(asked), remindLooks)]
		look = append(look, lists[i]...)
	}
	slices.Sort(look)
	found, err := t.people(ctx, slices.Compact(look))
	if err != nil {
		return nil, err
	}
	people := make(map[string]approvals.Person, len(found)+len(facts.People))
	for id, p := range facts.People {
		people[id] = p
	}
	for id, p := range found {
		people[id] = p
	}
	facts.People = people
	can := t.Policy.Wanted(facts)
	for i, list := range lists {
		lists[i] = slices.DeleteFunc(list, func(id string) bool { return !slices.Contains(can, id) })
	}
	return inTurn(turned(lists, before), remindNames), nil
}

// remindersTold is how many reminders the thread has had.
func (f *Flow) remindersTold() int {
	n := 0
	for _, note := range f.Log {
		if note.Code == NoteReminder {
			n++
		}
	}
	return n
}

// turned is a list that begins n places further on.
func turned[T any](list []T, n int) []T {
	if len(list) == 0 {
		return nil
	}
	n %= len(list)
	return slices.Concat(list[n:], list[:n])
}

// inTurn takes from lists one after the other, nobody twice, in the order of ids.
func inTurn(lists [][]string, most int) []string {
	var out []string
	for took := true; took; {
		took = false
		for i, list := range lists {
			for len(list) > 0 && slices.Contains(out, list[0]) {
				list = list[1:]
			}
			if len(list) > 0 && len(out) < most {
				out, list, took = append(out, list[0]), list[1:], true
			}
			lists[i] = list
		}
	}
	slices.Sort(out)
	return out
}

// soonest brings the next look at an open ballot forward to the next reminder
// and to the next escalation.
func (t *turn) soonest(now, due time.Time) time.Time {
	_, next := t.reminders(now)
	due = earliest(due, next)
	for _, q := range t.f.Requirements {
		if at, ok := q.EscalatesAt(t.f.opened()); ok && at.After(now) {
			due = earliest(due, at)
		}
	}
	return due
}
