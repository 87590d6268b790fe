package redistest

import (
	"io/fs"
	"math"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// FillDisk lets no file of a real server grow any more, as on a full disk. With
// appendfsync everysec it then refuses writes; with always it would end itself.
func (s Server) FillDisk(t testing.TB) {
	t.Helper()
	var largest int64
	err := filepath.WalkDir(s.run.dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && filepath.Ext(d.Name()) != ".log" {
			largest = max(largest, info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.limitFiles(t, uint64(largest))
}

// FreeDisk ends what FillDisk did.
func (s Server) FreeDisk(t testing.TB) {
	t.Helper()
	s.limitFiles(t, math.MaxUint64)
}

func (s Server) limitFiles(t testing.TB, size uint64) {
	t.Helper()
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	// The hard limit stays: only root may raise it again.
	limit := unix.Rlimit{Cur: size, Max: math.MaxUint64}
	if err := unix.Prlimit(s.run.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		t.Fatalf("the size of redis-server's files can't be limited: %v", err)
	}
}
