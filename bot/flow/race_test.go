//go:build race

package flow_test

// fewSeeds: the race detector makes a seed several times as long, and what it looks
// for shows in a few of them.
const fewSeeds = true
