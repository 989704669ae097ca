package local

import (
	"context"
	"errors"
	"io"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

// A fileLister walks the blobs that have a file.
type fileLister struct {
	driver  *Driver
	done    bool
	after   driver.Ref
	started bool
	from    uint64   // the lowest number that is wanted
	folders []uint64 // still to be read
	numbers []uint64 // still to be yielded, of the folder read last
}

// next returns the next blob, or io.EOF.
func (l *fileLister) next(ctx context.Context) (driver.Blob, error) {
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
func (l *fileLister) number() (_ uint64, err error) {
	if !l.started {
		if l.folders, err = l.driver.blobFolders(l.from >> folderBits); err != nil {
			return 0, err
		}
		l.started = true
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
