package main

import (
	"github.com/spf13/cobra"

	"scalebot/bot/config"
	"scalebot/deploy"
)

func configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config example|schema", Short: "Print a commented sample config, or its JSON Schema", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(
		&cobra.Command{Use: "example", Short: "Print a commented sample config", Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(deploy.SampleConfig)
			return err
		}},
		&cobra.Command{Use: "schema", Short: "Print the JSON Schema of the config file", Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(config.Schema())
			return err
		}},
	)
	return cmd
}
