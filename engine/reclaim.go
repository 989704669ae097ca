package engine

import (
	"context"
	"errors"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/event"
)

// A ReclaimReport counts what a Reclaim found.
type ReclaimReport struct {
	Freed   int64 // condemned contents whose bytes are gone now
	Pinned  int64 // condemned contents that are being read, and kept until later
	Orphans int64 // blobs without a name that are gone now
	Foreign int64 // blobs that are not this catalog's, or cannot be told; kept
}

// Reclaim frees at once all bytes that nothing refers to, also those that are
// found only by looking at every blob of every driver. The engine frees bytes
// in the background by itself; call this to do it now and to be told. It
// concerns all tenants, so its event names none.
func (e *Engine) Reclaim(ctx context.Context) (report ReclaimReport, err error) {
	op := e.begin(ctx, event.Reclaim, "", "")
	defer op.end(&err)
	if op.refused != nil {
		return report, op.refused
	}
	return e.reclaimer.pass(ctx, sweepAll)
}

// pass goes once through everything there is to reclaim. One pass runs at a
// time.
func (r *reclaimer) pass(ctx context.Context, scope sweepScope) (report ReclaimReport, err error) {
	select {
	case r.passing <- struct{}{}:
		defer func() { <-r.passing }()
	case <-ctx.Done():
		return report, ctx.Err()
	}
	err = errors.Join(
		guard(func() error { return r.deleteDiscarded(ctx) }),
		guard(func() error { return r.freeCondemned(ctx, &report) }),
		guard(func() error { return r.sweep(ctx, scope, &report) }),
	)
	return report, err
}

// deleteDiscarded deletes the blobs of failed puts. Those that it cannot delete
// remain on the list.
func (r *reclaimer) deleteDiscarded(ctx context.Context) error {
	r.mu.Lock()
	list := r.discarded
	r.discarded = nil
	r.mu.Unlock()
	var left []location
	var errs []error
	for _, blob := range list {
		if err := r.deleteBlob(ctx, blob); err != nil {
			left, errs = append(left, blob), append(errs, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.discarded = append(r.discarded, left...)
	return errors.Join(errs...)
}

func (r *reclaimer) deleteBlob(ctx context.Context, blob location) error {
	d, err := r.engine.driver(blob.driver)
	if err != nil {
		return err
	}
	if err := guard(func() error { return d.Delete(ctx, blob.ref) }); err != nil {
		return &container.Error{Op: string(event.Reclaim), Driver: blob.driver, Err: err}
	}
	return nil
}

// condemnedPage is how many condemned contents are freed together.
const condemnedPage = 400

// freeCondemned frees condemned contents in three steps, each of which can be
// repeated after a crash: they were condemned by the transaction that took away
// the last reference; here their blobs are deleted, once no reader that began
// earlier is open; and then their rows are removed.
func (r *reclaimer) freeCondemned(ctx context.Context, report *ReclaimReport) error {
	var errs []error
	var after *catalog.Condemned
	for {
		page, err := r.engine.catalog.Condemned(ctx, after, condemnedPage)
		if err != nil || len(page) == 0 {
			return errors.Join(append(errs, err)...)
		}
		if err := r.engine.readers.settle(ctx); err != nil {
			return errors.Join(append(errs, err)...)
		}
		errs = append(errs, r.freePage(ctx, page, report))
		after = &page[len(page)-1]
	}
}

// freePage frees those of a page that nobody reads. One that cannot be freed
// does not keep the others.
func (r *reclaimer) freePage(ctx context.Context, page []catalog.Condemned, report *ReclaimReport) error {
	var errs []error
	var freed []catalog.Condemned
	for _, c := range page {
		if r.engine.readers.isPinned(c.ID) {
			report.Pinned++
			continue
		}
		if err := r.deleteReplicas(ctx, c.Content); err != nil {
			errs = append(errs, err)
			continue
		}
		freed = append(freed, c)
	}
	if len(freed) > 0 {
		if err := r.engine.catalog.Forget(ctx, freed); err != nil {
			return errors.Join(append(errs, err)...)
		}
		report.Freed += int64(len(freed))
	}
	return errors.Join(errs...)
}

func (r *reclaimer) deleteReplicas(ctx context.Context, content catalog.Content) error {
	for _, replica := range content.Replicas {
		if err := r.deleteBlob(ctx, location{replica.Driver, replica.Ref}); err != nil {
			return err
		}
	}
	return nil
}
