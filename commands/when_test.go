package commands

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhenIn(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	apia, err := time.LoadLocation("Pacific/Apia")
	require.NoError(t, err)
	for _, c := range []struct {
		name, at, now string
		loc           *time.Location
		want          string // "" = jumped over
	}{
		{"a time still ahead is today", "14:30", "2026-06-01T10:00:00+08:00", shanghai, "2026-06-01T14:30:00+08:00"},
		{"a time that passed is tomorrow", "02:00", "2026-06-01T10:00:00+08:00", shanghai, "2026-06-02T02:00:00+08:00"},
		{"this very moment is now", "10:00", "2026-06-01T10:00:00+08:00", shanghai, "2026-06-01T10:00:00+08:00"},
		{"a second late is tomorrow", "10:00", "2026-06-01T10:00:01+08:00", shanghai, "2026-06-02T10:00:00+08:00"},
		{"today is the person's, not the server's", "02:00", "2026-05-31T17:00:00Z", shanghai, "2026-06-01T02:00:00+08:00"},
		{"over the end of a year", "02:00", "2026-12-31T10:00:00+08:00", shanghai, "2027-01-01T02:00:00+08:00"},
		{"a time of day in another zone", "02:00Z", "2026-06-01T10:00:01+08:00", shanghai, "2026-06-02T02:00:00Z"},
		{"a date and a time", "2026-12-24 02:00", "2026-06-01T10:00:00+08:00", shanghai, "2026-12-24T02:00:00+08:00"},
		{"a date that passed stays itself", "2020-12-24T02:00", "2026-06-01T10:00:00+08:00", shanghai, "2020-12-24T02:00:00+08:00"},
		{"a typed offset wins", "2026-12-24T02:00:30-05:30", "2026-06-01T10:00:00+08:00", shanghai, "2026-12-24T07:30:30Z"},
		{"jumped over on a date", "2026-03-29 02:30", "2026-01-01T00:00:00Z", berlin, ""},
		{"jumped over tonight", "02:30", "2026-03-28T23:00:00+01:00", berlin, ""},
		{"jumped over this morning is tomorrow", "02:30", "2026-03-29T10:00:00+02:00", berlin, "2026-03-30T02:30:00+02:00"},
		{"right before the jump", "2026-03-29 01:59", "2026-01-01T00:00:00Z", berlin, "2026-03-29T01:59:00+01:00"},
		{"right after the jump", "2026-03-29 03:00", "2026-01-01T00:00:00Z", berlin, "2026-03-29T03:00:00+02:00"},
		{"twice: the first", "2026-10-25 02:30", "2026-01-01T00:00:00Z", berlin, "2026-10-25T02:30:00+02:00"},
		{"twice, the first passed: the second", "02:30", "2026-10-25T02:45:00+02:00", berlin, "2026-10-25T02:30:00+01:00"},
		{"twice, both passed: tomorrow", "02:30", "2026-10-25T02:45:00+01:00", berlin, "2026-10-26T02:30:00+01:00"},
		{"twice, dated, both passed: the first", "2026-10-25 02:30", "2026-11-01T00:00:00Z", berlin, "2026-10-25T02:30:00+02:00"},
		{"a whole day that was jumped over", "2011-12-30 12:00", "2011-01-01T00:00:00Z", apia, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, ok := readWhen(c.at)
			require.True(t, ok)
			again, ok := readWhen(w.String())
			require.True(t, ok)
			require.Equal(t, w, again)
			now, err := time.Parse(time.RFC3339, c.now)
			require.NoError(t, err)
			got, err := w.In(now, c.loc)
			if c.want == "" {
				var wrong *UsageError
				require.ErrorAs(t, err, &wrong)
				require.Equal(t, CodeSkipped, wrong.Code)
				require.Contains(t, wrong.In("zh"), c.loc.String())
				return
			}
			require.NoError(t, err)
			want, err := time.Parse(time.RFC3339, c.want)
			require.NoError(t, err)
			require.True(t, want.Equal(got), "got %s", got)
		})
	}
}

func TestWhatIsNoTime(t *testing.T) {
	for _, s := range []string{
		"", "2", "24:00", "02:60", "2:5", "02:00:60", "2026-12-24", "2026-02-30 02:00", "1999-01-01 02:00", "2026-13-01T02:00",
		"02:00+15:00", "02:00+8", "02:00 PM", "2026-12-24T02", "002:00", "-02:00", "02:00:00:00", "２:00",
	} {
		w, ok := readWhen(s)
		require.False(t, ok, "%q became %s", s, w)
	}
}

func TestDurations(t *testing.T) {
	for s, want := range map[string]time.Duration{"30m": 30 * time.Minute, "6H": 6 * time.Hour, "2d": 2 * day, "3650d": MaxDuration, "90m": 90 * time.Minute} {
		d, ok := readDuration(s)
		require.True(t, ok, s)
		require.Equal(t, want, d)
		again, ok := readDuration(spellDuration(d))
		require.True(t, ok)
		require.Equal(t, d, again)
	}
	for _, s := range []string{"", "0m", "m", "30", "30s", "1.5h", "-2h", "1h30m", "3651d", "9999999d", "99999999999999999999h", "2 h"} {
		d, ok := readDuration(s)
		require.False(t, ok, "%q became %s", s, d)
	}
	for s, want := range map[string]string{"1h30m": "90m", "2hours": "2h", "90min": "90m", "1周": "7d", "6": "", "9999999w": "", "3650d1m": "", "h": "", "0h": ""} {
		require.Equal(t, want, guessDuration(s), s)
	}
}
