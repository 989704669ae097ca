package local

import (
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

// List implements driver.Driver. Blobs that have a file come first, in the
// order of their numbers, then those in segments, in the order of segments and
// places: the order of refs within each. Compact moves a blob to a place that
// is higher than all, so a List that runs meanwhile meets it there or met it
// before. What is damaged so that it no longer says which blob it is, is not
// listed; Open returns ErrCorrupt to whoever knows its ref.
//
// List reads one folder of files, or some of the records of one segment, at a
// time, and nothing that comes before after.
func (d *Driver) List(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
	return func(yield func(driver.Blob, error) bool) {
		l := lister{driver: d}
		err := l.start(after)
		for err == nil {
			var b driver.Blob
			if b, err = l.next(ctx); err == nil && !yield(b, nil) {
				return
			}
		}
		if err != io.EOF {
			yield(driver.Blob{}, fmt.Errorf("local: list: %w", err))
		}
	}
}

// A lister walks the blobs. Between two steps it holds nothing, because the
// caller's code runs there.
type lister struct {
	driver *Driver
	files  fileLister
	small  smallLister
}

func (l *lister) start(after driver.Ref) error {
	l.files = fileLister{driver: l.driver}
	l.small = smallLister{driver: l.driver}
	if after == "" {
		return nil
	}
	if ref, ok := parseSmallRef(after); ok {
		l.files.done = true
		l.small.number, l.small.pos, l.small.after = ref.segment, ref.offset, ref.offset
		return nil
	}
	if id, ok := parseRef(after); ok {
		l.files.from, l.files.after = id.number, after
		return nil
	}
	return fmt.Errorf("%w: list after %q; accepted is a ref of this driver", container.ErrInvalid, after)
}

// next returns the next blob, or io.EOF.
func (l *lister) next(ctx context.Context) (driver.Blob, error) {
	if err := l.driver.gate.Enter(); err != nil {
		return driver.Blob{}, err
	}
	defer l.driver.gate.Leave()
	if !l.files.done {
		if b, err := l.files.next(ctx); err != io.EOF {
			return b, err
		}
		l.files.done = true
	}
	return l.small.next(ctx)
}
