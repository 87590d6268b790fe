//go:build !race

package flowsim_test

const usualSeeds = 20
