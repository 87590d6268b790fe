//go:build !linux

package redistest

import "testing"

// FillDisk needs Linux.
func (s Server) FillDisk(t testing.TB) {
	t.Skip("the size of another process's files can be limited only on Linux")
}

// FreeDisk needs Linux.
func (s Server) FreeDisk(testing.TB) {}
