package engine

import (
	"context"
	"fmt"

	"github.com/vaultaire/vaultaire/container"
)

// A reserve is space that puts leave free, so that the catalog, which may share
// the disk, never meets a full one: deletes, which give space back, are written
// down too.
type reserve struct {
	min  int64
	free func(ctx context.Context) (int64, error) // nil: there is no reserve
}

// admit returns an ErrNoSpace if the reserve would be touched by size bytes more.
func (r reserve) admit(ctx context.Context, size int64) error {
	if r.free == nil {
		return nil
	}
	var free int64
	err := guard(func() (err error) { // it may be called on a driver's goroutine
		free, err = r.free(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("ask for free space: %w", err)
	}
	if free-size < r.min {
		return fmt.Errorf("%w: %d bytes are free, and %d of them are kept in reserve", container.ErrNoSpace, free, r.min)
	}
	return nil
}
