// Command scalebot is the bot and its tools. It wires rooms together and decides
// nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // budgets.zone must mean the same in an image without zone files

	"github.com/spf13/cobra"

	"scalebot/bot/config"
	"scalebot/bot/redisstore"
	"scalebot/deploy"
	"scalebot/providers"
	"scalebot/providers/alibabaack"
	"scalebot/providers/huaweimrs"
	"scalebot/providers/tencentemr"
)

// The exit codes are a contract (design.md section 7).
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// version is set by the release build with -ldflags.
var version = "dev"

// usageError is wrong usage or a wrong config: exit code 2.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is main without the process: arguments in, exit code out.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	// The Redis client would print between our lines. What a tool has to say of
	// Redis it says itself; the bot takes these lines into its log.
	redisstore.LogTo(slog.New(slog.DiscardHandler))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	var usage usageError
	var wrong *config.Errors
	fmt.Fprintln(stderr, err)
	if errors.As(err, &usage) || errors.As(err, &wrong) {
		return exitUsage
	}
	return exitFailed
}

// kinds is the table of clouds that this binary has.
func kinds() providers.Registry {
	return providers.NewRegistry(tencentemr.Kind(), alibabaack.Kind(), huaweimrs.Kind())
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "scalebot",
		Short: "Resize cloud clusters from Slack, with the approvals that money and production need",
		Long: `scalebot lets engineers resize cloud clusters from Slack, asks the right people
first when a change costs money or removes capacity, carries it out exactly once
through the cloud's own API, and tells everyone how it goes.

Try it with nothing installed:   scalebot demo
Run it:                          scalebot run --config scalebot.yaml`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("scalebot: there is no command %q; `scalebot --help` lists them", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%s: %w; see `%s --help`", cmd.CommandPath(), err, cmd.CommandPath())}
	})
	root.AddCommand(
		runCommand(), demoCommand(), checkCommand(), policyCommand(), flowsCommand(), auditCommand(), benchCommand(), configCommand(),
		&cobra.Command{
			Use: "manifest", Short: "Print the manifest of the Slack app, to paste where Slack asks for one", Args: noArgs,
			Long: "Print the manifest of the Slack app: https://api.slack.com/apps, Create New App,\nFrom a manifest. Each scope and event has its reason beside it. After an upgrade\npaste it again and reinstall the app: `scalebot check` names scopes that are missing.",
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := cmd.OutOrStdout().Write(deploy.SlackManifest)
				return err
			},
		},
		&cobra.Command{
			Use: "version", Short: "Print the version", Args: noArgs,
			Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), "scalebot "+version) },
		},
	)
	return root
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no argument %q; see `%s --help`", cmd.CommandPath(), args[0], cmd.CommandPath())}
	}
	return nil
}

// configFlag adds the required --config.
func configFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("config", "", "the config file (required); `scalebot config example` prints one")
}

// load reads the config file named by --config.
func load(path string) (*config.Config, error) {
	if path == "" {
		return nil, usageError{errors.New("scalebot: --config FILE is required; `scalebot config example > scalebot.yaml` makes one to start from")}
	}
	return config.Load(path, os.LookupEnv, kinds())
}
