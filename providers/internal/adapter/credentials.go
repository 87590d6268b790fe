package adapter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// CredentialWait bounds the search for credentials for callers without a deadline:
// outside the cloud's own machines the metadata address may never answer.
const CredentialWait = 10 * time.Second

var (
	// ErrCredentialsSlow is a search that took longer than its caller could wait.
	ErrCredentialsSlow = errors.New("the search for credentials (environment, profile file, role or agency of the instance) takes too long")
	// ErrNoCredentials is a search that found nothing to sign with.
	ErrNoCredentials = errors.New("the credentials found are empty")
)

// Search finds the keys of each call where config has none. The SDKs' own chains
// read files and the metadata address without a context, so a search runs in one
// goroutine that callers wait for no longer than they want to; a second caller joins
// the first's search instead of starting another. The keys are known before a
// change is sent, so a search that takes too long puts no change in doubt. The zero
// value is ready.
type Search[K any] struct {
	mu      sync.Mutex
	running *round[K]
}

type round[K any] struct {
	done chan struct{}
	keys K
	err  error
}

// Get waits for the keys that find finds. find is never run twice at a time, so it
// may keep what it has found for its next run.
func (s *Search[K]) Get(ctx context.Context, find func() (K, error)) (K, error) {
	s.mu.Lock()
	r := s.running
	if r == nil {
		r = &round[K]{done: make(chan struct{})}
		s.running = r
		go s.run(r, find)
	}
	s.mu.Unlock()
	limit := time.NewTimer(CredentialWait)
	defer limit.Stop()
	var none K
	select {
	case <-r.done:
		return r.keys, r.err
	case <-ctx.Done():
		return none, fmt.Errorf("%w: %w", ErrCredentialsSlow, ctx.Err())
	case <-limit.C:
		return none, ErrCredentialsSlow
	}
}

func (s *Search[K]) run(r *round[K], find func() (K, error)) {
	r.keys, r.err = find()
	s.mu.Lock()
	s.running = nil
	s.mu.Unlock()
	close(r.done)
}
