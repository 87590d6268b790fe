package flow

import (
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

type standing struct{}

func (standing) Now() time.Time { return time.Unix(1, 0) }

func TestALogIsBoundedAndTellsWhatMatters(t *testing.T) {
	e := NewEngine(Options{Clock: standing{}, Workers: 1})
	tn := &turn{Engine: e}
	for i := range 1000 {
		tn.tell(Note{Code: NoteStage, Args: map[string]string{"stage": strconv.Itoa(i)}})
		if i%100 == 99 {
			tn.tell(Note{Code: NoteInDoubt})
		}
	}
	tn.tell(Note{Code: NoteSucceeded})
	log := tn.f.Log
	require.Less(t, len(log), 320)
	require.Equal(t, "0", log[0].Args["stage"], "nothing that stands there is taken out: it is told by its place")
	quiet := 0
	for _, n := range log {
		if n.Code == NoteQuiet {
			quiet++
		}
	}
	require.Equal(t, 1, quiet)
	require.Equal(t, NoteSucceeded, log[len(log)-1].Code)
	for range 1000 {
		tn.tell(Note{Code: NoteInDoubt})
		tn.whisper(Note{Code: NoteTooLate})
	}
	require.Len(t, tn.f.Log, logMost)
	require.Len(t, tn.f.Whispers, logMost)

	args := map[string]string{"nodes": strings.Repeat("节", 10_000)}
	tn = &turn{Engine: e}
	tn.tell(Note{Code: NoteJoined, Args: args})
	cut := tn.f.Log[0].Args["nodes"]
	require.Equal(t, noteRunes, utf8.RuneCountInString(cut))
	require.True(t, utf8.ValidString(cut))
	require.Len(t, []rune(args["nodes"]), 10_000, "what was handed in is left alone")
}

// What is known of an attempt, against what a record may say.
func TestWhatIsKnownAndWhatIsRecordedAddUp(t *testing.T) {
	e := NewEngine(Options{Clock: standing{}, Workers: 1})
	intent := Flow{ID: "F-1", State: Submitting, Attempts: 2, SentBy: "me", Version: 7}
	record := func(s State, attempts int, by, op string) *Flow {
		f := &Flow{ID: "F-1", State: s, Attempts: attempts, SentBy: by, Version: 5}
		f.Submission = intent.Submission
		if op != "" {
			f.Operation = &providers.Operation{ID: op}
		}
		return f
	}
	yes := func() *known { return &known{flow: intent, op: providers.Operation{ID: "op-1"}} }
	lost := func() *known { return &known{flow: intent, err: errLost} }
	later := func() *known { return &known{flow: intent, err: errLater} }
	no := func() *known { return &known{flow: intent, err: errNo} }
	for name, c := range map[string]struct {
		k       *known
		now     *Flow // nil = none
		want    State // "" = nothing to add
		doubled bool
	}{
		"nothing there, accepted":               {yes(), nil, Running, false},
		"nothing there, refused":                {no(), nil, Failed, false},
		"nothing there, lost":                   {lost(), nil, Submitting, false},
		"nothing there, put off":                {later(), nil, Queued, false},
		"planning again, accepted":              {yes(), record(Planning, 1, "", ""), Running, false},
		"cancelled meanwhile, accepted":         {yes(), record(Cancelled, 1, "", ""), Running, false},
		"queued before it, lost":                {lost(), record(Queued, 1, "", ""), Submitting, false},
		"queued before it, put off":             {later(), record(Queued, 1, "", ""), "", false},
		"queued before it, refused":             {no(), record(Queued, 1, "", ""), Failed, false},
		"waiting for it, accepted":              {yes(), record(Submitting, 2, "me", ""), Running, false},
		"waiting for it, put off":               {later(), record(Submitting, 2, "me", ""), Queued, false},
		"a person asked, accepted":              {yes(), record(Unknown, 2, "me", ""), Running, false},
		"a person asked, put off":               {later(), record(Unknown, 2, "me", ""), Queued, false},
		"a person asked, lost":                  {lost(), record(Unknown, 2, "me", ""), "", false},
		"a person said it did not, accepted":    {yes(), record(Queued, 2, "me", ""), Running, false},
		"a person said it did not, lost":        {lost(), record(Queued, 2, "me", ""), "", false},
		"closed by a person, accepted":          {yes(), record(Failed, 2, "me", ""), Running, false},
		"found by another":                      {yes(), record(Running, 2, "me", "op-1"), "", false},
		"found without an id":                   {yes(), record(Succeeded, 2, "you", ""), Running, false},
		"found as another operation":            {yes(), record(Running, 2, "you", "op-2"), Unknown, true},
		"ended as another operation":            {yes(), record(Succeeded, 2, "you", "op-2"), Unknown, true},
		"sent by another too, put off":          {later(), record(Submitting, 2, "you", ""), "", false},
		"sent by another too, accepted":         {yes(), record(Submitting, 2, "you", ""), Running, false},
		"sent again in doubt, accepted":         {yes(), record(Submitting, 3, "you", ""), Unknown, true},
		"sent again and put off, accepted":      {yes(), record(Queued, 3, "you", ""), Running, false},
		"sent again and accepted, accepted":     {yes(), record(Running, 3, "you", "op-2"), Unknown, true},
		"sent again and accepted, lost":         {lost(), record(Running, 3, "you", "op-2"), "", false},
		"a person was asked about both already": {yes(), asked(record(Unknown, 3, "you", "op-2")), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			tn := &turn{Engine: e}
			if c.now != nil {
				tn.f, tn.from = *c.now, c.now.State
			}
			_, _, _, more := tn.merge(c.k, c.now != nil)
			require.Equal(t, c.want != "", more)
			if !more {
				return
			}
			require.Equal(t, c.want, tn.f.State)
			require.Equal(t, c.doubled, tn.f.Doubled)
			require.GreaterOrEqual(t, tn.f.Attempts, 2)
			if c.k.err == nil {
				require.NotNil(t, tn.f.Operation)
			}
			if c.doubled {
				require.Contains(t, tn.f.End.Text.EN, "op-1")
			}
			require.Equal(t, tn.f.State.Ended(), !tn.f.EndedAt.IsZero())
		})
	}
}

var (
	errLost  = &providers.Error{Kind: providers.Unknown}
	errLater = &providers.Error{Kind: providers.Occupied}
	errNo    = &providers.Error{Kind: providers.Refused}
)

func asked(f *Flow) *Flow { f.Doubled = true; return f }

// Another replica that works on the older record counts its version up: a
// cancellation that the store forgot is missing all the same.
func TestAForgottenEndIsNotKnownByItsVersion(t *testing.T) {
	k := &known{what: knowsEnd, flow: Flow{ID: "F-1", State: Cancelled, Version: 10}, version: 10}
	for s, in := range map[State]bool{Queued: false, AwaitingApproval: false, Scheduled: false, Cancelled: true, Submitting: true, Running: true, Denied: true} {
		if got := k.in(&Flow{ID: "F-1", State: s, Version: 12}); got != in {
			t.Errorf("%s: %v", s, got)
		}
	}
	if k.in(nil) {
		t.Error("a record that is gone knows it")
	}
}

// What is known does not grow old while the store can't be asked.
func TestWhatIsKnownAgesOnlyWhileTheStoreIsThere(t *testing.T) {
	m, now := NewMemory(), time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	k := m.sent(Flow{ID: "F-1"}, providers.Operation{ID: "1"}, nil, now)
	for range 20 { // ten minutes
		now = now.Add(30 * time.Second)
		m.again(k, now)
		if len(m.due(now.Add(memoryTick))) != 1 {
			t.Fatal("it was forgotten while the store was away")
		}
	}
	if len(m.due(now.Add(memoryFor+time.Minute))) != 0 {
		t.Error("it is kept for ever")
	}
}

// A replica whose own send never left learns nothing about the repeat that another
// one made of the same attempt: flowsim, seed 201504.
func TestThatOursWasNotTakenSaysNothingOfARepeat(t *testing.T) {
	sent := Flow{ID: "F-1", State: Submitting, Attempts: 1, SentBy: "a"}
	k := &known{what: knowsAnswer, flow: sent, err: &providers.Error{Kind: providers.Retry}}
	repeated := sent
	repeated.Repeats = 1
	tn := &turn{Engine: &Engine{}, f: repeated, from: Submitting}
	if action, _, _, more := tn.merge(k, true); more {
		t.Errorf("it concluded %q", action)
	}
}

// A move that the table does not have ends before the store is asked: there is none here.
func TestAnIllegalMoveIsNotWritten(t *testing.T) {
	w := &turn{from: Succeeded, f: Flow{ID: "F-1", State: Running}}
	require.ErrorIs(t, w.write(t.Context(), "look", time.Time{}, time.Time{}, nil), ErrIllegal)
}
