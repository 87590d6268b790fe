// Package deploy carries the files that an operator starts from, so that the
// binary can print them: the commented sample config and the manifest of the
// Slack app. It holds no secret and no code that runs.
package deploy

import _ "embed"

// SampleConfig is scalebot.yaml: what `scalebot config example` prints. It loads
// as it is once the environment variables it names are set.
//
//go:embed scalebot.yaml
var SampleConfig []byte

// SlackManifest is slack-manifest.yaml: the Slack app, with the reason of each
// scope and event.
//
//go:embed slack-manifest.yaml
var SlackManifest []byte
