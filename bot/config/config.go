package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

// Config is a file that was found right. It prints without secrets.
type Config struct {
	Slack  Slack
	Redis  Redis
	HTTP   HTTP
	Engine Engine
	Limits flow.Limits

	Accounts []providers.Account // by name, each with its groups by cluster and group
	Catalog  flow.Catalog
	Prices   providers.PriceTable

	Budgets flow.Budgets // without centres: none

	Approvals   approvals.Config
	RemindAfter time.Duration   // 0 = no reminders; then doubling
	Renewals    []time.Duration // before the end of a prepaid term people are reminded; empty = not at all
	Grace       time.Duration   // between the last vote and execution
	Settle      []string        // names of Approvals.Groups whose members settle an unknown flow; at least one if there are groups

	// Warnings are not wrong but likely not meant, or worth knowing. The bot logs
	// them, `scalebot check` shows them.
	Warnings []Problem
}

// Slack is how to reach Slack.
type Slack struct {
	AppToken providers.Secret
	BotToken providers.Secret
	APIURL   string // ends in "/", as slack-go needs it
	Command  string // with its slash
	Language string // en or zh
	Sockets  int    // 1..10
}

// Redis is where flows are recorded.
type Redis struct {
	RedisTarget
	KeyPrefix      string
	AuditRetention time.Duration // > 0
}

// HTTP is the address of health and metrics.
type HTTP struct {
	Listen string // host:port; "" = off
}

// Engine is how flows are driven. All durations are greater than zero.
type Engine struct {
	Lease       time.Duration
	CallTimeout time.Duration // below Lease
	PollMin     time.Duration // at most PollMax
	PollMax     time.Duration
	Doubt       time.Duration // looking for proof after a lost answer, before a person is asked
	Follow      time.Duration // following a running operation, before a person is asked
	Workers     int
}

// Load reads and checks a config file. env looks a variable up (os.LookupEnv);
// kinds are the providers that this binary has.
//
// Every error it returns is an *Errors and means that nothing can start: exit
// code 2. It names the file as path was given.
func Load(path string, env func(string) (string, bool), kinds providers.Registry) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		reason := err
		var pe *fs.PathError
		if errors.As(err, &pe) {
			reason = pe.Err // the path stands in front already
		}
		p := Problem{File: path, Text: fmt.Sprintf("can't be read: %v; `scalebot config example` prints one to start from", reason)}
		return nil, &Errors{Problems: []Problem{p}, cause: err}
	}
	return Parse(path, data, env, kinds)
}

// Parse is Load on the content of a file; name is what messages call it.
func Parse(name string, data []byte, env func(string) (string, bool), kinds providers.Registry) (*Config, error) {
	rep := &report{file: name, hide: map[string]string{}}
	rd := &reader{report: rep, env: env}
	rep.root = rd.read(data)
	if rep.root == nil {
		return nil, rep.errors()
	}
	b := &builder{report: rep, kinds: kinds, cfg: &Config{}}
	b.build()
	if err := rep.errors(); err != nil {
		return nil, err
	}
	byLine(rep.warnings)
	b.cfg.Warnings = rep.warnings
	return b.cfg, nil
}
