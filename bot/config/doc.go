// Package config turns the config file into typed, checked values: the Slack
// and Redis settings, the provider accounts with their groups, the catalogue of
// clusters, the price table and the approvals section (design.md section 6, a
// contract that deployments depend on).
//
// It is strict and complete: an unknown key is an error, and all problems of a
// file are reported at once, each with file, line, column, key path, what is
// wrong and what was probably meant. It is the only place that reads the
// environment, through a function that the caller hands in: ${NAME} in a value
// is replaced after the YAML was parsed, so that the content of a variable can
// neither add keys nor move line numbers; $${NAME} stands for the literal text.
// What came from a variable is written as ${NAME} in every message.
//
// The structs in keys.go are the one description of the file: decoder, defaults,
// form checks and JSON Schema are all read from their tags.
//
// It refuses to judge what others own: params are checked by the provider's
// kind, rules and freezes by approvals.Compile. It does no I/O except reading
// the file, and it does not read the clock.
package config
