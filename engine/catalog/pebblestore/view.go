package pebblestore

import (
	"bytes"
	"context"
	"fmt"

	"github.com/vaultaire/vaultaire/engine/catalog"
)

// View implements [catalog.Store]. The snapshot keeps the memory tables and
// files of its moment alive, so fn should be short.
func (s *Store) View(ctx context.Context, fn func(ctx context.Context, r catalog.Reader) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.gate.Leave()
	if err := s.ready(ctx); err != nil {
		return err
	}
	snap, err := newSnapshot(s.db)
	if err != nil {
		return err
	}
	r := &reader{snap: snap}
	defer r.close()
	return fn(ctx, r)
}

// enter admits a call, which leaves the gate when it ends, or returns an
// ErrClosed.
func (s *Store) enter() error {
	if err := s.gate.Enter(); err != nil {
		return fmt.Errorf("pebblestore: %w", err)
	}
	return nil
}

// ready returns why no transaction may begin now, if so.
func (s *Store) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.poison.err()
}

// A reader is the catalog.Reader of a View.
type reader struct {
	snap  *snapshot
	iters []*iterator
	ended bool
}

func (r *reader) Get(ctx context.Context, key []byte) ([]byte, bool, error) {
	if err := r.check(ctx, key); err != nil {
		return nil, false, err
	}
	return r.snap.get(key)
}

func (r *reader) GetCounter(ctx context.Context, key []byte) (int64, error) {
	value, ok, err := r.Get(ctx, key)
	if err != nil {
		return 0, err
	}
	return counterValue(key, value, ok)
}

func (r *reader) Scan(ctx context.Context, lower, upper []byte) (catalog.Iterator, error) {
	if r.ended {
		return nil, errEnded
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	it, err := newIterator(ctx, r.snap, bytes.Clone(lower), bytes.Clone(upper), nil, nil)
	if err != nil {
		return nil, err
	}
	r.iters = append(r.iters, it)
	return it, nil
}

func (r *reader) check(ctx context.Context, key []byte) error {
	if r.ended {
		return errEnded
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return validateKey(key)
}

// close releases the snapshot, and the iterators that fn forgot: Pebble could
// not be closed otherwise. What they report came too late to matter to fn.
func (r *reader) close() {
	r.ended = true
	for _, it := range r.iters {
		_ = it.Close()
	}
	_ = r.snap.close()
}
