package pebblestore

import (
	"bytes"
	"context"

	"github.com/vaultaire/vaultaire/engine/catalog"
)

// A txn is one run of the closure of an Update: a snapshot, taken at the first
// read, and the writes over it.
type txn struct {
	store     *Store
	lazy      bool // its commit does not wait for the disk
	exclusive bool // the store's mutex is held for the whole run

	snap    *snapshot // nil until the first read
	start   uint64    // the last commit that snap shows
	after   *commit   // that commit, or nil if it is known to be durable
	running bool      // registered with store.conflicts
	ended   bool

	reads  readSet
	writes writes
	iters  []*iterator
}

func (t *txn) Get(ctx context.Context, key []byte) ([]byte, bool, error) {
	if err := t.check(ctx); err != nil {
		return nil, false, err
	}
	if err := validateKey(key); err != nil {
		return nil, false, err
	}
	own, written := t.writes.byKey[string(key)]
	if written && own.kind != writeAdd {
		value, ok := own.over(nil, false)
		return value, ok, nil
	}
	if err := t.open(); err != nil {
		return nil, false, err
	}
	t.reads.addPoint(key)
	value, ok, err := t.snap.get(key)
	if err != nil || !written {
		return value, ok, err
	}
	value, ok = own.over(value, ok)
	return value, ok, nil
}

func (t *txn) GetCounter(ctx context.Context, key []byte) (int64, error) {
	value, ok, err := t.Get(ctx, key)
	if err != nil {
		return 0, err
	}
	return counterValue(key, value, ok)
}

func (t *txn) Scan(ctx context.Context, lower, upper []byte) (catalog.Iterator, error) {
	if err := t.check(ctx); err != nil {
		return nil, err
	}
	if err := t.open(); err != nil {
		return nil, err
	}
	own := t.writes.within(lower, upper)
	it, err := newIterator(ctx, t.snap, bytes.Clone(lower), bytes.Clone(upper), own, &t.reads)
	if err != nil {
		return nil, err
	}
	t.iters = append(t.iters, it)
	return it, nil
}

func (t *txn) Set(key, value []byte)       { t.writes.set(key, value) }
func (t *txn) Delete(key []byte)           { t.writes.delete(key) }
func (t *txn) Add(key []byte, delta int64) { t.writes.add(key, delta) }

func (t *txn) check(ctx context.Context) error {
	if t.ended {
		return errEnded
	}
	return ctx.Err()
}

// open takes the snapshot, together with the number of the last commit in it.
// A transaction that reads nothing needs neither.
func (t *txn) open() error {
	if t.snap != nil {
		return nil
	}
	t.lock()
	defer t.unlock()
	snap, err := newSnapshot(t.store.db)
	if err != nil {
		return err
	}
	t.snap, t.after = snap, t.store.last
	t.start, t.running = t.store.conflicts.begin(), true
	return nil
}

// finishReads closes the iterators, so that reads holds all that was read.
func (t *txn) finishReads() {
	t.ended = true
	for _, it := range t.iters {
		_ = it.Close() // fn had its chance to ask
	}
	t.iters = nil
}

// close releases what the run holds, however it ended.
func (t *txn) close() {
	t.finishReads()
	if t.running {
		t.lock()
		t.endLocked()
		t.unlock()
	}
	if t.snap != nil {
		_ = t.snap.close()
	}
}

func (t *txn) endLocked() {
	if t.running {
		t.running = false
		t.store.conflicts.end(t.start)
	}
}

func (t *txn) lock() {
	if !t.exclusive {
		t.store.mu.Lock()
	}
}

func (t *txn) unlock() {
	if !t.exclusive {
		t.store.mu.Unlock()
	}
}
