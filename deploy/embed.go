// Package deploy holds what an operator starts from: the image, the compose file, the
// commented sample config and the manifest of the Slack app. The last two are in the
// binary, which prints them. There is no secret here and no code that runs.
package deploy

import _ "embed"

// SampleConfig is scalebot.yaml: what `scalebot config example` prints. It loads
// as it is once the environment variables it names are set.
//
//go:embed scalebot.yaml
var SampleConfig []byte

// SlackManifest is slack-manifest.yaml: what `scalebot manifest` prints, the Slack
// app with the reason of each scope and event.
//
//go:embed slack-manifest.yaml
var SlackManifest []byte
