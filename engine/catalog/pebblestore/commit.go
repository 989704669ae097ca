package pebblestore

import (
	"context"
	"errors"
	"fmt"

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
	if err := s.enter(); err != nil {
		return err
	}
	defer s.gate.Leave()
	for lost := 0; ; lost++ {
		if err := s.ready(ctx); err != nil {
			return err
		}
		c, err := s.run(ctx, fn, lost == maxConflicts)
		if errors.Is(err, errConflict) {
			continue
		}
		if err != nil {
			return err
		}
		return s.settle(c)
	}
}

// run runs fn once and applies what it wrote. The commit that it returns is
// visible to everyone and still to be settled.
func (s *Store) run(ctx context.Context, fn func(ctx context.Context, t catalog.Txn) error, exclusive bool) (*commit, error) {
	t := &txn{store: s, exclusive: exclusive}
	if exclusive {
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
		return &commit{follows: t.after}, nil
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
	follows *commit       // of one that wrote nothing: the last that it could have read
	settled chan struct{} // closed when err is set
	err     error         // why the commit may not be durable
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
	c := &commit{batch: batch, settled: make(chan struct{})}
	s.last = c
	s.apply(batch)
	return c, nil
}

// apply hands the batch over. A failure shows as poison.
func (s *Store) apply(batch *pebble.Batch) {
	defer func() {
		if reason := recover(); reason != nil {
			// Pebble may have kept its own locks.
			s.wedged.Store(true)
			s.poison.set(fmt.Errorf("pebble panicked: %v", reason))
		}
	}()
	if err := s.db.ApplyNoSyncWait(batch, pebble.Sync); err != nil {
		s.poison.set(err)
	}
}

// settle waits until the outcome of c is known. Its order is what makes nil
// mean durable: a write that fails poisons the store before Pebble hears of
// it, so a store that is not poisoned after the wait had not lost this write.
func (s *Store) settle(c *commit) error {
	if c.batch == nil {
		return s.settleRead(c.follows)
	}
	defer close(c.settled)
	if c.err = s.poison.err(); c.err == nil {
		if err := c.batch.SyncWait(); err != nil {
			s.poison.set(err)
		}
		c.err = s.poison.err()
	}
	if c.err != nil {
		// The batch is left to the garbage collector: Pebble may still use it,
		// and may never signal that it does not.
		return fmt.Errorf("%w: %w", catalog.ErrUnknownOutcome, c.err)
	}
	batch := c.batch
	c.batch = nil
	if err := batch.Close(); err != nil {
		s.log.Error("catalog store: release batch", "error", err)
	}
	return nil
}

// settleRead waits until the last commit that a transaction without writes
// could have read is durable, and with it all earlier ones.
func (s *Store) settleRead(last *commit) error {
	if last == nil {
		return nil
	}
	<-last.settled
	return last.err
}
