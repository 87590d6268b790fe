package redistest

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"scalebot/bot/redisstore"
)

// Disk is one numbered database of a server, for a simulator that wipes it, keeps
// images of it and puts them back.
type Disk struct {
	rdb   redis.UniversalClient
	store *redisstore.Store
}

// Disk opens database n. Whoever opens it closes it.
func (s Server) Disk(n int) *Disk {
	rdb := redisstore.Open(redisstore.Target{Addrs: []string{s.Addr}, DB: n})
	return &Disk{rdb: rdb, store: redisstore.New(rdb, "sim", fmt.Sprintf("T%d", n))}
}

// Store is the real store on it.
func (d *Disk) Store() *redisstore.Store { return d.store }

// Wipe empties it.
func (d *Disk) Wipe(ctx context.Context) error { return d.rdb.FlushDB(ctx).Err() }

// Take reads all of it; the func that it gives puts that back.
func (d *Disk) Take(ctx context.Context) (func(context.Context) error, error) {
	image, err := Take(ctx, d.rdb)
	return func(ctx context.Context) error { return image.Restore(ctx, d.rdb) }, err
}

// Close closes the connections.
func (d *Disk) Close() error { return d.rdb.Close() }
