package slackapp

import (
	"context"
	"sync"
)

// pool is a bounded set of workers with a bounded queue.
type pool struct {
	jobs    chan func(context.Context)
	workers sync.WaitGroup

	mu     sync.Mutex
	closed bool
}

// newPool starts n workers, which run until the pool is closed and its queue is
// done. The context goes to the jobs. broken is told about a job that panicked:
// one bad event must not end the process.
func newPool(ctx context.Context, n, queue int, broken func(any)) *pool {
	p := &pool{jobs: make(chan func(context.Context), queue)}
	for range n {
		p.workers.Go(func() {
			for job := range p.jobs {
				func() {
					defer func() {
						if r := recover(); r != nil {
							broken(r)
						}
					}()
					job(ctx)
				}()
			}
		})
	}
	return p
}

// offer queues a job and never waits. It reports false when the queue is full or
// the pool is closed.
func (p *pool) offer(job func(context.Context)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	select {
	case p.jobs <- job:
		return true
	default:
		return false
	}
}

// close takes no more jobs; those queued are still done.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		close(p.jobs)
	}
}

// wait waits until all jobs of a closed pool are done, or the context ends, and
// reports which.
func (p *pool) wait(ctx context.Context) bool {
	done := make(chan struct{})
	go func() {
		p.workers.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}
