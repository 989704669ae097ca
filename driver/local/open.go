package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

// Open implements driver.Driver.
func (d *Driver) Open(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
	if err := d.gate.Enter(); err != nil {
		return nil, fmt.Errorf("local: open %q: %w", ref, err)
	}
	defer d.gate.Leave()
	r, err := d.open(ctx, ref, off, n)
	if err != nil {
		return nil, fmt.Errorf("local: open %q: %w", ref, err)
	}
	return r, nil
}

func (d *Driver) open(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if small, ok := parseSmallRef(ref); ok {
		return d.openSmall(ctx, small, off, n)
	}
	if id, ok := parseRef(ref); ok {
		return d.openLarge(ctx, id, off, n)
	}
	return nil, fmt.Errorf("%w: this driver never mints such a ref", container.ErrNotFound)
}

// openLarge opens a blob that has a file of its own.
func (d *Driver) openLarge(ctx context.Context, id blobID, off, n int64) (io.ReadCloser, error) {
	f, err := d.openFile(id.number)
	if err != nil {
		return nil, err
	}
	if f.nonce != id.nonce {
		return nil, errors.Join(container.ErrNotFound, f.Close())
	}
	if n, err = clip(off, n, f.size); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &reader{ctx: ctx, ref: id.ref(), verify: !d.skipVerify, file: f, pos: off, end: off + n}, nil
}

// clip returns how many bytes n, where negative means all, are of a blob of
// size bytes from off on.
func clip(off, n, size int64) (int64, error) {
	if off < 0 || off > size || n > size-off {
		return 0, fmt.Errorf("%w: %d bytes from %d of %d", container.ErrRange, n, off, size)
	}
	if n < 0 {
		n = size - off
	}
	return n, nil
}

// A blobFile is a blob's file, open to be read, whose footer is sound.
type blobFile struct {
	vfs.ReadFile
	footer
	modified time.Time
}

// openFile opens the blob with the number, whatever its nonce.
func (d *Driver) openFile(number uint64) (_ *blobFile, err error) {
	f, err := d.fs.Open(d.blobPath(number))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, container.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: it is no regular file", container.ErrCorrupt)
	}
	foot, err := readFooter(f, info.Size())
	if err != nil {
		return nil, err
	}
	return &blobFile{ReadFile: f, footer: foot, modified: info.ModTime().UTC()}, nil
}
