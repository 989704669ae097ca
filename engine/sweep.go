package engine

import (
	"context"
	"errors"
	"fmt"
	"io"

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
	return cat.MarkSwept(ctx, unclean)
}

// maxSweepErrors is how many blobs may fail before a sweep of a driver gives up:
// one damaged blob must not keep the others, but a driver that is out of reach
// fails for each of them.
const maxSweepErrors = 100

func (r *reclaimer) sweepDriver(ctx context.Context, name string, d driver.Driver, report *ReclaimReport) error {
	var errs []error
	for blob, err := range d.List(ctx, "") {
		if err != nil {
			return errors.Join(append(errs, err)...)
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
	verdict, err := r.judge(ctx, d, blob)
	if err != nil {
		return err
	}
	switch verdict {
	case orphan:
		if err := r.deleteBlob(ctx, location{name, blob.Ref}); err != nil {
			return err
		}
		report.Orphans++
	case foreign:
		report.Foreign++
	}
	return nil
}

// A verdict says what a blob is to a catalog.
type verdict int

const (
	named   verdict = iota // a row has its ID, or may come to have it
	orphan                 // no row has its ID, and none ever will
	foreign                // not this catalog's, or nobody can tell
)

// judge decides about a blob. It is an orphan only if its trailer names this
// catalog, the catalog knows the incarnation that wrote it, no row has its ID,
// and its put has ended. Its age is never a reason.
func (r *reclaimer) judge(ctx context.Context, d driver.Driver, blob driver.Blob) (verdict, error) {
	cat := r.engine.catalog
	trailer, err := readTrailer(ctx, d, blob)
	switch {
	case errors.Is(err, container.ErrNotFound): // deleted since it was listed
		return named, nil
	case errors.Is(err, container.ErrCorrupt):
		r.engine.logger.Warn("kept a blob that cannot be told", "ref", blob.Ref, "error", err)
		return foreign, nil
	case err != nil:
		return named, err
	case trailer.Catalog != cat.ID():
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
	has, err := cat.HasContent(ctx, trailer.Tenant, trailer.Content)
	if err != nil || has {
		return named, err
	}
	return orphan, nil
}

// readTrailer reads the end of a blob. It returns an ErrCorrupt if that is not a
// trailer.
func readTrailer(ctx context.Context, d driver.Driver, blob driver.Blob) (catalog.Trailer, error) {
	size := blob.Size
	if size < 0 {
		var err error
		if size, err = measure(ctx, d, blob.Ref); err != nil {
			return catalog.Trailer{}, err
		}
	}
	if size < catalog.TrailerFooterLength {
		return catalog.Trailer{}, fmt.Errorf("%w: blob of %d bytes has no trailer", container.ErrCorrupt, size)
	}
	footer, err := readRange(ctx, d, blob.Ref, size-catalog.TrailerFooterLength, catalog.TrailerFooterLength)
	if err != nil {
		return catalog.Trailer{}, err
	}
	length, err := catalog.TrailerLength(footer)
	if err != nil {
		return catalog.Trailer{}, err
	}
	if int64(length) > size {
		return catalog.Trailer{}, fmt.Errorf("%w: blob of %d bytes has a trailer of %d", container.ErrCorrupt, size, length)
	}
	b, err := readRange(ctx, d, blob.Ref, size-int64(length), int64(length))
	if err != nil {
		return catalog.Trailer{}, err
	}
	return catalog.DecodeTrailer(b)
}

// measure returns the size of a blob whose driver does not know it.
func measure(ctx context.Context, d driver.Driver, ref driver.Ref) (int64, error) {
	body, err := d.Open(ctx, ref, 0, -1)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, body)
	return n, errors.Join(err, body.Close())
}

// readRange reads a few bytes of a blob.
func readRange(ctx context.Context, d driver.Driver, ref driver.Ref, off, n int64) ([]byte, error) {
	body, err := d.Open(ctx, ref, off, n)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(body, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = fmt.Errorf("%w: blob ends before the size that it was listed with", container.ErrCorrupt)
	}
	return b, errors.Join(err, body.Close())
}
