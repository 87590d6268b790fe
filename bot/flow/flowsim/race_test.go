//go:build race

package flowsim_test

// The race detector makes a seed four times as long.
const usualSeeds = 6
