package flow

import "strconv"

// Episode names what is unknown about an unknown flow: the attempt that was made
// last, and since when nobody can tell. A flow may be unknown several times, and a
// decision stands for the one that a person looked into. "" = it is not unknown.
func (f *Flow) Episode() string {
	if f.State != Unknown {
		return ""
	}
	// Not how often it was: that is counted anew in a record that came back older.
	var since int64
	if f.End != nil {
		since = f.End.At.UnixMilli()
	}
	return strconv.Itoa(f.Attempts) + "/" + strconv.FormatInt(since, 36)
}

// settles reports whether a signal decides about an unknown flow.
func (k SignalKind) settles() bool {
	switch k {
	case SignalHappened, SignalRetry, SignalClose:
		return true
	case SignalCancel, SignalPause, SignalResume, SignalStop, SignalApprove, SignalDeny, SignalTakeBack, SignalHalt:
	}
	return false
}

// dropOutdated takes the effect from decisions that are about an earlier episode, in
// whatever state the flow is now: one may have been under way to the record while the
// flow was settled by another, and maybe sent again and lost again. The signals stay in their places, since the store
// takes off as many as the step has read. Who decided is told, so that nobody
// waits for what comes of it.
func (t *turn) dropOutdated() {
	now := t.f.Episode()
	for i, s := range t.signals {
		// One without was recorded by a version whose cards did not say.
		if !s.Kind.settles() || s.Episode == "" || s.Episode == now {
			continue
		}
		t.tell(Note{Code: NoteOutdated, By: s.By, Args: map[string]string{"how": string(s.Kind)}})
		t.outdated = append(t.outdated, s)
		t.signals[i].Kind = ""
	}
}
