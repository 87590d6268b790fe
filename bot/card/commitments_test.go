package card

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/providers"
)

func TestRemindersOfPrepaidTermsReadAsPinned(t *testing.T) {
	all := terms()
	over, open, decided := termOver(), all[0], all[1]
	by := func(c flow.Commitment, choice flow.RenewalChoice) flow.Commitment {
		c.Decision = &flow.Decision{Choice: choice, By: "U0LEAD1", At: t0, N: 1}
		return c
	}
	third := over
	third.Term, third.Began, third.Until = 3, t0.AddDate(0, 0, -1), t0.AddDate(0, 1, -1)
	renewing := over
	renewing.Until = open.Until
	for _, lang := range []string{English, Chinese} {
		r := renderer(lang)
		for name, v := range map[string]flow.Renewal{
			"open":          {Commitment: open, Latest: true},
			"open-renewing": {Commitment: renewing, Latest: true},
			"earlier":       {Commitment: open},
			"renew":         {Commitment: by(open, flow.Renew), Latest: true},
			"renew-itself":  {Commitment: by(renewing, flow.Renew), Latest: true},
			"lapse":         {Commitment: by(open, flow.LetLapse), Latest: true},
			"lapse-off":     {Commitment: decided, Latest: true},
			"third":         {Commitment: third, Latest: true},
			"over":          {Commitment: over, Latest: true, Over: true},
		} {
			t.Run(name+"/"+lang, func(t *testing.T) { golden(t, "renewal/"+name+"."+lang, r.Renewal(v)) })
		}
		t.Run("list/"+lang, func(t *testing.T) { golden(t, "reply/commitments."+lang, r.Commitments(terms(), lang)) })
		t.Run("list-third/"+lang, func(t *testing.T) {
			golden(t, "reply/commitments-third."+lang, r.Commitments([]flow.Commitment{third}, lang))
		})
		t.Run("none/"+lang, func(t *testing.T) {
			golden(t, "reply/commitments-none."+lang, r.Commitments(nil, lang))
		})
		t.Run("answer/"+lang, func(t *testing.T) { golden(t, "reply/renewal."+lang, r.RenewalDecided(decided, lang)) })
		t.Run("preview/"+lang, func(t *testing.T) {
			f := situations()["prepaid-need"]
			golden(t, "reply/preview-prepaid."+lang, r.Preview(flow.Preview{
				Request: f.Request, Plan: f.Plans[0].Plan, Hourly: f.Plans[0].Hourly, At: t0, Judgement: f.Plans[0].Judgement}, lang))
		})
	}
}

// At 02:00 in Beijing it is the day before in UTC: title and text name the day that
// the console has.
func TestATermEndsOnOneDayInTitleAndText(t *testing.T) {
	c := terms()[0]
	c.From = time.Date(2026, 8, 31, 18, 0, 0, 0, time.UTC)
	c.Until = flow.TermEnd(c.From, 1)
	m := renderer(English).Renewal(flow.Renewal{Commitment: c, Latest: true})
	text := m.Text + readable(t, m.Blocks)
	require.Contains(t, text, "2026-09-01", "bought")
	require.Contains(t, text, "ends on 2026-10-01")
	require.NotContains(t, text, "2026-08-31")
	require.NotContains(t, text, "2026-09-30")
	require.NotContains(t, text, "{date_short}")
}

func TestTheTotalsCountWhatRunsAndSayWhatTheyLeaveOut(t *testing.T) {
	m := renderer(English).Commitments(terms(), English)
	require.Contains(t, m.Text, "Running terms come to ¥ 8,412.00 and $ 1,250.50 and 1 of unknown price.")
	only := terms()[2:]
	require.Contains(t, renderer(English).Commitments(only, English).Text, "Running terms come to an unknown price.")
}

func TestAButtonSaysWhichDecisionThePersonSaw(t *testing.T) {
	c := terms()[0]
	id, seen := ReadDecidable(Decidable(c))
	require.Equal(t, c.ID, id)
	require.Zero(t, seen)
	c.Decision = &flow.Decision{Choice: flow.Renew, N: 3}
	_, seen = ReadDecidable(Decidable(c))
	require.Equal(t, 3, seen)
	for _, value := range []string{"F-1", "F-1/", "F-1/x", "F-1/-2"} {
		_, seen := ReadDecidable(value)
		require.Equal(t, -1, seen, value)
	}
}

func TestARemovalAndAnHourlyPlanSayNothingOfATerm(t *testing.T) {
	for _, name := range []string{"running", "removal"} {
		f := situations()[name]
		f.Plans[0].Hourly = &providers.Quote{Known: true, Currency: "CNY", Hourly: yuan("1")}
		f.Request.Need = time.Hour
		text := readable(t, renderer(English).Card(f, 1, false).Blocks)
		require.NotContains(t, text, "Term", name)
		require.NotContains(t, text, "hourly would cost", name)
	}
}
