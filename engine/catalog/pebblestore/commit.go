package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/vaultaire/vaultaire/engine/catalog"
)

// maxConflicts is how often a transaction may lose against others before it
// runs alone.
const maxConflicts = 8

// errConflict: another commit wrote what the transaction has read.
var errConflict = errors.New("pebblestore: conflict")

// Update implements [catalog.Store]. The closure must not call Update of the
// same store.
func (s *Store) Update(ctx context.Context, fn func(ctx context.Context, t catalog.Txn) error) error {
	return s.update(ctx, fn, false)
}

// UpdateLazily implements [catalog.LazyStore]. What is said of Update holds.
func (s *Store) UpdateLazily(ctx context.Context, fn func(ctx context.Context, t catalog.Txn) error) error {
	return s.update(ctx, fn, true)
}

func (s *Store) update(ctx context.Context, fn func(ctx context.Context, t catalog.Txn) error, lazy bool) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.gate.Leave()
	for lost := 0; ; lost++ {
		if err := s.ready(ctx); err != nil {
			return err
		}
		c, err := s.run(ctx, fn, &txn{store: s, lazy: lazy, exclusive: lost == maxConflicts})
		if errors.Is(err, errConflict) {
			continue
		}
		if err != nil {
			return err
		}
		return s.settle(c)
	}
}

// run runs fn once with t, which is new, and applies what it wrote. The commit
// that it returns is visible to everyone and still to be settled.
func (s *Store) run(ctx context.Context, fn func(ctx context.Context, t catalog.Txn) error, t *txn) (*commit, error) {
	if t.exclusive {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	defer t.close()
	if err := fn(ctx, t); err != nil {
		return nil, err
	}
	t.finishReads()
	if t.writes.err != nil {
		return nil, t.writes.err
	}
	if len(t.writes.byKey) == 0 {
		return &commit{lazy: t.lazy, follows: t.after}, nil
	}
	keys := t.writes.keys()
	batch, err := t.writes.batch(s.db, keys)
	if err != nil {
		return nil, err
	}
	t.lock()
	defer t.unlock()
	return s.commitLocked(t, batch, keys)
}

// A commit is a transaction that is applied. Commits become durable in the
// order in which they were applied.
type commit struct {
	batch   *pebble.Batch // nil if it wrote nothing
	lazy    bool          // it does not wait for the disk
	follows *commit       // of one that wrote nothing: the last that it could have read
	settled chan struct{} // closed when err is set
	err     error         // why the commit may not be durable, or may not become so
}

func (s *Store) commitLocked(t *txn, batch *pebble.Batch, keys []string) (*commit, error) {
	if err := s.poison.err(); err != nil {
		return nil, errors.Join(err, batch.Close())
	}
	if t.running && s.conflicts.conflict(t.start, &t.reads) {
		return nil, errors.Join(errConflict, batch.Close())
	}
	t.endLocked()
	s.conflicts.commit(keys)
	c := &commit{batch: batch, lazy: t.lazy, settled: make(chan struct{})}
	s.last = c
	s.apply(c)
	return c, nil
}

// apply hands the batch of c over. A failure shows as poison. The log knows what
// c needs from before Pebble knows of c until c is settled.
func (s *Store) apply(c *commit) {
	defer func() {
		if reason := recover(); reason != nil {
			// Pebble may have kept its own locks.
			s.wedged.Store(true)
			s.poison.set(fmt.Errorf("pebble panicked: %v", reason))
		}
	}()
	s.needs(c).Add(1)
	if err := s.db.ApplyNoSyncWait(c.batch, pebble.Sync); err != nil {
		s.poison.set(err)
	}
}

// needs returns the count of commits that need of the log what c needs.
func (s *Store) needs(c *commit) *atomic.Int64 {
	if c.lazy {
		return &s.fence.lazy
	}
	return &s.fence.waiting
}

// settle waits until the outcome of c is known.
func (s *Store) settle(c *commit) error {
	if c.batch == nil {
		return s.settleRead(c)
	}
	if err := s.wait(c); err != nil {
		return fmt.Errorf("%w: %w", catalog.ErrUnknownOutcome, err)
	}
	return nil
}

// wait waits until Pebble has written c and, unless c is lazy, synced it. Its
// order is what makes nil mean that: a write that fails poisons the store before
// Pebble hears of it, so a store that is not poisoned after the wait had not
// lost this write.
func (s *Store) wait(c *commit) error {
	defer close(c.settled)
	if c.err = s.poison.err(); c.err == nil {
		if err := c.batch.SyncWait(); err != nil {
			s.poison.set(err)
		}
		c.err = s.poison.err()
	}
	s.needs(c).Add(-1)
	if c.err != nil {
		// The batch is left to the garbage collector: Pebble may still use it,
		// and may never signal that it does not.
		return c.err
	}
	batch := c.batch
	c.batch = nil
	if err := batch.Close(); err != nil {
		s.log.Error("catalog store: release batch", "error", err)
	}
	return nil
}

// settleRead waits until the last commit that c, which wrote nothing, could have
// read is durable, and with it all earlier ones. If that one is lazy, nobody else
// sees to it.
func (s *Store) settleRead(c *commit) error {
	switch {
	case c.follows == nil || c.lazy:
		return nil
	case c.follows.lazy:
		return s.sync()
	}
	<-c.follows.settled
	return c.follows.err
}

// sync makes durable all that is applied, by a commit that changes nothing.
func (s *Store) sync() error {
	c := &commit{batch: s.db.NewBatch(), settled: make(chan struct{})}
	if err := c.batch.LogData(nil, nil); err != nil {
		return fmt.Errorf("pebblestore: build batch: %w", err)
	}
	s.apply(c)
	return s.wait(c)
}
