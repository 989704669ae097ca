package engine

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/event"
)

// free deletes what is known to be needed no more.
func (r *reclaimer) free(ctx context.Context, report *ReclaimReport) error {
	return errors.Join(
		guard(func() error { return r.deleteDiscarded(ctx) }),
		guard(func() error { return r.freeCondemned(ctx, report) }),
		guard(func() error { return r.deleteLeft(ctx) }),
	)
}

// tend frees what has come up meanwhile. Work that takes long calls it now and
// then. Of several calls at a time one does it.
func (r *reclaimer) tend(ctx context.Context, report *ReclaimReport) error {
	if !r.tending.CompareAndSwap(false, true) {
		return nil
	}
	defer r.tending.Store(false)
	select {
	case <-r.wake:
		return r.free(ctx, report)
	default:
		return nil
	}
}

// deleteDiscarded deletes the blobs of failed puts. Those that it cannot delete
// remain on the list.
func (r *reclaimer) deleteDiscarded(ctx context.Context) error {
	r.mu.Lock()
	list := r.discarded
	r.discarded = nil
	r.mu.Unlock()
	errs := r.deleteBlobs(ctx, list)
	var left []location
	for i, blob := range list {
		if errs[i] != nil {
			left = append(left, blob)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.discarded = append(r.discarded, left...)
	return errors.Join(errs...)
}

// maxDeletes is how many blobs are deleted at a time: drivers make what comes
// together durable together.
const maxDeletes = 32

// deleteBlobs deletes blobs and returns one error for each.
func (r *reclaimer) deleteBlobs(ctx context.Context, list []location) []error {
	errs := make([]error, len(list))
	var group errgroup.Group
	group.SetLimit(maxDeletes)
	for i, blob := range list {
		group.Go(func() error {
			errs[i] = r.deleteBlob(ctx, blob)
			return nil
		})
	}
	_ = group.Wait()
	return errs
}

func (r *reclaimer) deleteBlob(ctx context.Context, blob location) error {
	d, err := r.engine.driver(blob.driver)
	if err != nil {
		return err
	}
	if err := guard(func() error { return d.Delete(ctx, blob.ref) }); err != nil {
		return reclaimError(blob.driver, err)
	}
	return nil
}

func reclaimError(name string, err error) error {
	return &container.Error{Op: string(event.Reclaim), Driver: name, Err: err}
}

// condemnedPage is how many condemned contents are freed together.
const condemnedPage = 400

// freeCondemned frees condemned contents in three steps, each of which can be
// repeated after a crash: they were condemned by the transaction that took away
// the last reference; here their blobs are deleted, once no reader that began
// earlier is open; and then their rows are removed.
func (r *reclaimer) freeCondemned(ctx context.Context, report *ReclaimReport) error {
	report.Pinned = 0 // only the last look counts
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
	var blobs []location
	var owners []int // of blobs: places in page
	kept := make([]bool, len(page))
	for i, c := range page {
		if kept[i] = r.engine.readers.isPinned(c.ID); kept[i] {
			report.Pinned++
			continue
		}
		for _, replica := range c.Content.Replicas {
			blobs, owners = append(blobs, location{replica.Driver, replica.Ref}), append(owners, i)
		}
	}
	errs := r.deleteBlobs(ctx, blobs)
	for j, err := range errs {
		kept[owners[j]] = kept[owners[j]] || err != nil
	}
	var freed []catalog.Condemned
	for i, c := range page {
		if !kept[i] {
			freed = append(freed, c)
		}
	}
	if len(freed) > 0 {
		if err := r.engine.catalog.Forget(ctx, freed); err != nil {
			return errors.Join(append(errs, err)...)
		}
		report.Freed += int64(len(freed))
	}
	return errors.Join(errs...)
}
