package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

// List implements driver.Driver. The order is that of refs. It reads one
// folder at a time, and none before that of after. A file whose footer is
// damaged no longer says which blob it is, so it is not listed; Open returns
// ErrCorrupt to whoever knows its ref.
func (d *Driver) List(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
	return func(yield func(driver.Blob, error) bool) {
		l := lister{driver: d, after: after}
		for {
			b, err := l.next(ctx)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(driver.Blob{}, fmt.Errorf("local: list: %w", err))
				return
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

// A lister walks the blobs. Between two steps it holds nothing, because the
// caller's code runs there.
type lister struct {
	driver  *Driver
	after   driver.Ref
	started bool
	from    uint64   // the lowest number that is wanted
	folders []uint64 // still to be read
	numbers []uint64 // still to be yielded, of the folder read last
}

// next returns the next blob, or io.EOF.
func (l *lister) next(ctx context.Context) (driver.Blob, error) {
	if err := l.driver.gate.Enter(); err != nil {
		return driver.Blob{}, err
	}
	defer l.driver.gate.Leave()
	for {
		if err := ctx.Err(); err != nil {
			return driver.Blob{}, err
		}
		number, err := l.number()
		if err != nil {
			return driver.Blob{}, err
		}
		b, err := l.driver.describe(number)
		switch {
		case errors.Is(err, container.ErrNotFound), errors.Is(err, container.ErrCorrupt):
			continue
		case err != nil:
			return driver.Blob{}, err
		case b.Ref > l.after:
			return b, nil
		}
	}
}

// number returns the number of the next file, or io.EOF.
func (l *lister) number() (uint64, error) {
	if err := l.start(); err != nil {
		return 0, err
	}
	for len(l.numbers) == 0 {
		if len(l.folders) == 0 {
			return 0, io.EOF
		}
		numbers, err := l.driver.numbers(l.folders[0], l.from)
		if err != nil {
			return 0, err
		}
		l.folders, l.numbers = l.folders[1:], numbers
	}
	number := l.numbers[0]
	l.numbers = l.numbers[1:]
	return number, nil
}

func (l *lister) start() (err error) {
	if l.started {
		return nil
	}
	if l.after != "" {
		id, ok := parseRef(l.after)
		if !ok {
			return fmt.Errorf("%w: list after %q; accepted is a ref of this driver", container.ErrInvalid, l.after)
		}
		l.from = id.number
	}
	l.folders, err = l.driver.folders(l.from >> folderBits)
	l.started = err == nil
	return err
}

// describe returns what List tells of the blob with the number.
func (d *Driver) describe(number uint64) (driver.Blob, error) {
	f, err := d.openFile(number)
	if err != nil {
		return driver.Blob{}, err
	}
	if err := f.Close(); err != nil {
		return driver.Blob{}, err
	}
	id := blobID{number: number, nonce: f.nonce}
	return driver.Blob{Ref: id.ref(), Size: f.size, Created: f.modified}, nil
}
