package pebblestore

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

var _ catalog.Checkpointer = (*Store)(nil)

// Checkpoint implements [catalog.Checkpointer]. Tables are linked, which takes
// no room and little time, where dir is on the same file system. ctx is asked
// before the work begins, and governs prepare.
func (s *Store) Checkpoint(ctx context.Context, dir string, prepare func(ctx context.Context, copied catalog.Store) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.gate.Leave()
	if err := s.ready(ctx); err != nil {
		return err
	}
	if err := s.checkpoint(ctx, dir, prepare); err != nil {
		return fmt.Errorf("pebblestore: checkpoint to %s: %w", dir, err)
	}
	return nil
}

func (s *Store) checkpoint(ctx context.Context, dir string, prepare func(ctx context.Context, copied catalog.Store) error) error {
	disk := s.fence.fs
	if dir == "" || !s.fence.isOutside(dir) {
		return fmt.Errorf("%w: it is not outside of the store", container.ErrInvalid)
	}
	// The log is synced with it, and so has all that was applied before.
	if err := s.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return errors.Join(s.poison.err(), err)
	}
	// Behind the fence Pebble does not learn that it could not sync the log.
	if err := s.poison.err(); err != nil {
		return err
	}
	if err := publishMarker(disk, dir); err != nil {
		return err
	}
	copied, err := Open(ctx, dir, Options{FS: disk, Logger: s.log})
	if err != nil {
		return err
	}
	return errors.Join(prepare(ctx, copied), copied.Close(context.WithoutCancel(ctx)))
}
