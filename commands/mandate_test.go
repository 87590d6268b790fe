package commands

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhenAMandateEnds(t *testing.T) {
	shanghai := time.FixedZone("CST", 8*3600)
	friday := time.Date(2026, 11, 27, 15, 30, 0, 0, shanghai)
	for typed, want := range map[string]string{
		"until friday":            "2026-11-28T00:00:00+08:00", // today, whole
		"until fri 18:00":         "2026-11-27T18:00:00+08:00",
		"until friday 15:00":      "2026-12-04T15:00:00+08:00", // today's has passed
		"until thursday":          "2026-12-04T00:00:00+08:00",
		"until 周日":                "2026-11-30T00:00:00+08:00",
		"until today":             "2026-11-28T00:00:00+08:00",
		"until 明天":                "2026-11-29T00:00:00+08:00",
		"until 2026-12-24":        "2026-12-25T00:00:00+08:00",
		"until 2026-12-24T18:00":  "2026-12-24T18:00:00+08:00",
		"until 2026-12-24 18:00Z": "2026-12-24T18:00:00Z",
		"until 18:00":             "2026-11-27T18:00:00+08:00",
		"until 15:00":             "2026-11-28T15:00:00+08:00",
		"for 36h":                 "2026-11-29T03:30:00+08:00",
		"until 2020-01-01":        "2020-01-02T00:00:00+08:00", // the caller refuses it
	} {
		cmd, err := Parse("mandate emr-m620 task up to +10 "+typed, vocabulary())
		require.NoError(t, err, typed)
		got, err := cmd.Mandate.Until.In(friday, shanghai)
		require.NoError(t, err, typed)
		require.Equal(t, want, got.Format(time.RFC3339), typed)
		again, err := Parse(cmd.String(), vocabulary())
		require.NoError(t, err, cmd.String())
		require.Equal(t, cmd.Mandate, again.Mandate, cmd.String())
	}
}

func TestMoneyIsReadAsItIsWritten(t *testing.T) {
	for typed, want := range map[string]string{
		"3000 CNY": "3000 CNY", "3000CNY": "3000 CNY", "cny 3000": "3000 CNY", "¥3000": "3000 CNY", "￥3,000": "3000 CNY", "3,000.50 USD": "3000.50 USD",
		"$0.5": "0.5 USD", "3000 元": "3000 CNY", "3000 rmb": "3000 CNY", "1,234,567 eur": "1234567 EUR", "007 CNY": "7 CNY",
	} {
		cmd, err := Parse("mandate emr-m620 task up to +10 until friday max "+typed, vocabulary())
		require.NoError(t, err, typed)
		require.Equal(t, want, cmd.Mandate.Max+" "+cmd.Mandate.Currency, typed)
	}
	for _, typed := range []string{"3000", "CNY", "-5 CNY", "0 CNY", "0.00 CNY", "3.000,50 EUR", "30,00 CNY", "1e9 CNY", "3000 C", "9999999999999 CNY", "¥3000CNY", "3000.123 CNY", ""} {
		_, err := Parse("mandate emr-m620 task up to +10 until friday max "+typed, vocabulary())
		require.Error(t, err, typed)
	}
}
