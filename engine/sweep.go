package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

// A sweepScope says which runs' orphans a sweep looks for.
type sweepScope int

const (
	sweepNothing sweepScope = iota
	sweepUnclean            // those of earlier runs that did not end cleanly, if there are any
	sweepAll                // those of every run
)

// sweep looks at every blob of every driver and deletes the orphans.
func (r *reclaimer) sweep(ctx context.Context, scope sweepScope, report *ReclaimReport) error {
	if scope == sweepNothing {
		return nil
	}
	cat := r.engine.catalog
	unclean, err := cat.Unclean(ctx)
	if err != nil || (scope == sweepUnclean && len(unclean) == 0) {
		return err
	}
	before := *report
	var errs []error
	for name, d := range r.engine.drivers {
		if err := guard(func() error { return r.sweepDriver(ctx, name, d, report) }); err != nil {
			errs = append(errs, fmt.Errorf("sweep driver %q: %w", name, err))
		}
	}
	if orphans, foreign := report.Orphans-before.Orphans, report.Foreign-before.Foreign; orphans+foreign > 0 {
		r.engine.logger.Info("swept the drivers", "orphans", orphans, "foreign", foreign)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	// Or else a power cut might bring orphans back that nobody looks for.
	if err := r.engine.flush(ctx); err != nil {
		return err
	}
	return cat.MarkSwept(ctx, unclean)
}

// maxSweepErrors is how many blobs may fail before a sweep of a driver gives up:
// one damaged blob must not keep the others, but a driver that is out of reach
// fails for each of them.
const maxSweepErrors = 100

func (r *reclaimer) sweepDriver(ctx context.Context, name string, d driver.Driver, report *ReclaimReport) error {
	var errs []error
	looked := 0
	for blob, err := range d.List(ctx, "") {
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		if looked++; looked%tendAfter == 0 {
			_ = r.tend(ctx, report) // what fails is tried again behind the sweep
		}
		if err := r.sweepBlob(ctx, name, d, blob, report); err != nil {
			errs = append(errs, fmt.Errorf("blob %q: %w", blob.Ref, err))
		}
		if len(errs) == maxSweepErrors || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(append(errs, ctx.Err())...)
}

func (r *reclaimer) sweepBlob(ctx context.Context, name string, d driver.Driver, blob driver.Blob, report *ReclaimReport) error {
	verdict, err := r.judge(ctx, name, d, blob)
	if err != nil {
		return err
	}
	switch verdict {
	case orphan:
		if err := r.deleteBlob(ctx, location{name, blob.Ref}); err != nil {
			return err
		}
		report.Orphans++
	case held:
		report.Held++
	case foreign:
		report.Foreign++
	}
	return nil
}

// A verdict says what a blob is to a catalog.
type verdict int

const (
	named   verdict = iota // a row names it, or may come to name it
	orphan                 // no row names it, and none ever will
	held                   // an orphan that somebody may miss
	foreign                // not this catalog's, or nobody can tell
)

// judge decides about a blob. It is an orphan only if its trailer names this
// catalog, the catalog knows the incarnation that wrote it, its put has ended,
// and no row has its ID or the row that has it names another copy in its stead.
// Its age is never a reason.
func (r *reclaimer) judge(ctx context.Context, name string, d driver.Driver, blob driver.Blob) (verdict, error) {
	cat := r.engine.catalog
	if err := r.pace(ctx, sweepCost); err != nil {
		return named, err
	}
	tail, err := catalog.ReadTail(ctx, d, blob)
	if err := r.pace(ctx, tail.Read-sweepCost); err != nil {
		return named, err
	}
	trailer := &tail.Trailer
	switch {
	case errors.Is(err, container.ErrNotFound): // deleted since it was listed
		return named, nil
	case errors.Is(err, container.ErrCorrupt):
		r.engine.logger.Warn("kept a blob that cannot be told", "driver", name, "ref", blob.Ref, "error", err)
		return foreign, nil
	case err != nil:
		return named, err
	case trailer.Catalog != cat.ID(), trailer.Kind != 0:
		return foreign, nil
	}
	if !cat.KnowsIncarnation(trailer.Content.Incarnation()) {
		// Another run has taken over, or a copy of this catalog went on
		// elsewhere, and the blob is its.
		return foreign, nil
	}
	// In this order: a put that is not active any more has its row already.
	if r.isActive(trailer.Content) {
		return named, nil
	}
	content, ok, err := cat.Content(ctx, trailer.Tenant, trailer.Content)
	switch {
	case err != nil:
		return named, err
	case !ok:
		return r.orphanOf(trailer), nil
	case content.HasReplica(name, blob.Ref), r.isLeft(location{name, blob.Ref}):
		return named, nil
	}
	return r.judgeCopy(ctx, name, d, blob, trailer, content)
}

// judgeCopy decides about a blob whose content's row does not name it: a move of
// bytes that was cut short leaves two copies of them. It is an orphan only if
// the row names another copy on the same driver, and that one is there: without
// it, this may be the last.
func (r *reclaimer) judgeCopy(ctx context.Context, name string, d driver.Driver, blob driver.Blob, trailer *catalog.Trailer, content catalog.Content) (verdict, error) {
	for _, replica := range content.Replicas {
		if replica.Driver != name {
			continue
		}
		tail, err := catalog.ReadTail(ctx, d, driver.Blob{Ref: replica.Ref, Size: blob.Size})
		switch {
		case err == nil && tail.Trailer.Content == trailer.Content:
			return r.orphanOf(trailer), nil
		case err != nil && !errors.Is(err, container.ErrNotFound) && !errors.Is(err, container.ErrCorrupt):
			return named, err
		}
		r.engine.logger.Error("kept a stray copy of a blob that is damaged where the catalog says it is",
			"driver", name, "ref", blob.Ref, "named", replica.Ref, "error", err)
	}
	return foreign, nil
}

// orphanOf returns what an orphan is, that of a held incarnation included.
func (r *reclaimer) orphanOf(trailer *catalog.Trailer) verdict {
	if r.engine.catalog.IsHeld(trailer.Content.Incarnation()) {
		return held
	}
	return orphan
}
