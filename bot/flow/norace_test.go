//go:build !race

package flow_test

const fewSeeds = false
