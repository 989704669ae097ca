package engine

import (
	"context"
	"errors"

	"github.com/vaultaire/vaultaire/event"
)

// A ReclaimReport counts what a Reclaim found.
type ReclaimReport struct {
	Freed   int64 // condemned contents whose bytes are gone now
	Pinned  int64 // condemned contents that are being read, and kept until later
	Orphans int64 // blobs without a name, and stray copies, that are gone now
	Foreign int64 // blobs that are not this catalog's, or cannot be told; kept
	Held    int64 // blobs without a name, and stray copies, that are kept until ReleaseOrphans
	Moved   int64 // blobs that were moved together, so that the space between them is given back
}

// Reclaim frees at once all bytes that nothing refers to, also those that are
// found only by looking at every blob of every driver, and has drivers give back
// nearly all the space that freed bytes took. The engine does both in the
// background by itself, more lazily; call this to do it now and to be told. What
// others delete meanwhile may be left for the background. Reclaim concerns all
// tenants, so its event names none.
func (e *Engine) Reclaim(ctx context.Context) (report ReclaimReport, err error) {
	op := e.begin(ctx, event.Reclaim, "", "")
	defer op.end(&err)
	if op.refused != nil {
		return report, op.refused
	}
	if e.barrier != nil { // or else what was condemned last would have to stay
		if err := e.barrier.raise(ctx, false); err != nil {
			return report, err
		}
	}
	// A pass in the background that is at it already takes its time no longer.
	e.reclaimer.hurried.Add(1)
	defer e.reclaimer.hurried.Add(-1)
	return e.reclaimer.pass(ctx, sweepAll)
}

// pass goes once through everything there is to reclaim. One pass runs at a
// time.
func (r *reclaimer) pass(ctx context.Context, scope sweepScope) (report ReclaimReport, err error) {
	err = r.pause(ctx, func() (err error) {
		report, err = r.passAlone(ctx, scope)
		return err
	})
	return report, err
}

// pause calls fn while no pass runs, so that no blob is deleted or moved.
func (r *reclaimer) pause(ctx context.Context, fn func() error) error {
	select {
	case r.passing <- struct{}{}:
		defer func() { <-r.passing }()
		return fn()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *reclaimer) passAlone(ctx context.Context, scope sweepScope) (report ReclaimReport, err error) {
	err = errors.Join(
		r.free(ctx, &report),
		guard(func() error { return r.sweep(ctx, scope, &report) }),
	)
	share, rounds := lazyShare, 1
	if scope == sweepAll {
		share, rounds = eagerShare, maxRounds
	}
	for range rounds {
		moved := report.Moved
		// What was moved is deleted where it was; that again is to be told.
		err = errors.Join(err, r.compact(ctx, share, &report), r.free(ctx, &report))
		if report.Moved == moved || ctx.Err() != nil {
			break
		}
	}
	return report, err
}

// The share of dead bytes that a driver may keep among the living. The less it
// is, the more is copied to get there: at one half, as much as was freed. An
// eager pass leaves less than 5 % of what lives.
const (
	lazyShare  = 0.5
	eagerShare = 0.04
	maxRounds  = 8 // of an eager pass, while others go on deleting
)
