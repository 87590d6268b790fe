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

// wanted are people who can still fill an open seat.
func (t *turn) wanted(ctx context.Context) ([]string, error) {
	facts := *t.facts
	facts.Members = t.members(ctx, facts, func(string) bool { return true })
	skip := append(t.Policy.VotersOf(facts), facts.Requester, facts.Bot)
	var look []string
	for _, q := range facts.Requirements {
		n := 0 // of each requirement some: the first group may fill the list alone
		for _, g := range q.Asked(facts.OpenedAt, facts.Now) {
			for _, id := range facts.Members[g] {
				if n < remindLooks && !slices.Contains(skip, id) && !slices.Contains(look, id) {
					look, n = append(look, id), n+1
				}
			}
		}
	}
	found, err := t.people(ctx, look)
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
	who := t.Policy.Wanted(facts)
	return who[:min(len(who), remindNames)], nil
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
