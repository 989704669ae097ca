package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

// compact has the drivers move blobs together until dead bytes are at most the
// share of what they keep.
func (r *reclaimer) compact(ctx context.Context, share float64, report *ReclaimReport) error {
	var errs []error
	for name, d := range r.engine.drivers {
		m := &mover{reclaimer: r, name: name, driver: d, report: report}
		err := guard(func() error { return driver.Compact(ctx, d, share, m.moved) })
		report.Moved += m.count.Load()
		if err = seriously(err); err != nil {
			errs = append(errs, reclaimError(name, fmt.Errorf("compact: %w", err)))
		}
	}
	return errors.Join(errs...)
}

// A mover follows the moves of one driver's blobs in the catalog.
type mover struct {
	reclaimer *reclaimer
	name      string
	driver    driver.Driver
	report    *ReclaimReport
	calls     atomic.Int64 // of moved, without those that failed
	count     atomic.Int64 // blobs that were moved
}

// A stay is why a blob is not moved that is no failure. The driver hands it back
// among the errors of Compact.
type stay struct {
	reason string
	brief  bool // it may be moved soon
}

func (s *stay) Error() string { return "blob stays: " + s.reason }

// Is makes a stay that is not brief match driver.ErrStay.
func (s *stay) Is(target error) bool { return target == driver.ErrStay && !s.brief }

// seriously returns err unless stays are all that there is in it.
func seriously(err error) error {
	if err == nil || onlyStays(err) {
		return nil
	}
	return err
}

func onlyStays(err error) bool {
	switch e := err.(type) {
	case *stay:
		return true
	case interface{ Unwrap() error }:
		inner := e.Unwrap()
		return inner != nil && onlyStays(inner)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if !onlyStays(inner) {
				return false
			}
		}
		return len(e.Unwrap()) > 0
	}
	return false
}

// tendAfter is how many blobs a long work goes through before it tends to others.
const tendAfter = 1000

// moved makes the catalog name the copy at to. A driver calls it, perhaps
// several times at once. On an error the driver deletes the copy.
func (m *mover) moved(ctx context.Context, from, to driver.Ref) (err error) {
	r := m.reclaimer
	if from == to || to == "" || len(to) > driver.MaxWrappedRefLength {
		return fmt.Errorf("driver moved blob %q to %q, 1 to %d other bytes are accepted", from, to, driver.MaxWrappedRefLength)
	}
	// Of the copies of a blob only one that is exact may remain.
	tail, err := catalog.VerifyBlob(ctx, m.driver, to, io.Discard)
	if errors.Is(err, catalog.ErrNoTrailer) {
		return &stay{reason: "it is not an engine's"}
	}
	if err != nil {
		return fmt.Errorf("copy of blob %q: %w", from, err)
	}
	if err := r.pace(ctx, 2*tail.Size); err != nil {
		return err
	}
	cat, trailer := r.engine.catalog, &tail.Trailer
	switch {
	case trailer.Catalog != cat.ID():
		return &stay{reason: "it is another catalog's"}
	case r.isActive(trailer.Content):
		return &stay{reason: "it is being put", brief: true}
	}
	if err := m.rename(ctx, trailer, from, to); err != nil {
		return err
	}
	if m.calls.Add(1)%tendAfter == 0 {
		// What fails here is tried again behind the moves.
		_ = r.deleteLeft(ctx)
		_ = r.tend(ctx, m.report)
	}
	return nil
}

// rename commits the move. Unless it is known that the copy is not named, the
// driver must be told that it is.
func (m *mover) rename(ctx context.Context, trailer *catalog.Trailer, from, to driver.Ref) error {
	r, id := m.reclaimer, trailer.Content
	var moved bool
	committing := false
	err := guard(func() (err error) {
		committing = true
		moved, err = r.engine.catalog.MoveReplica(ctx, trailer.Tenant, id, m.name, from, to)
		committing = false
		return err
	})
	switch {
	case committing || errors.Is(err, catalog.ErrUnknownOutcome):
		// Both copies stay in this run, and the next one knows which is named.
		r.moveUnknown(id)
		r.engine.logger.Warn("it is not known whether a blob was moved", "driver", m.name, "from", from, "to", to, "error", err)
		return nil
	case err != nil:
		return err
	case !moved:
		return &stay{reason: "no row names it"}
	}
	m.count.Add(1)
	r.hasLeft(id, location{m.name, from})
	return nil
}
