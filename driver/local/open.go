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
	"github.com/vaultaire/vaultaire/driver/local/internal/vfs"
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

func (d *Driver) open(ctx context.Context, ref driver.Ref, off, n int64) (*reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	id, ok := parseRef(ref)
	if !ok {
		return nil, fmt.Errorf("%w: this driver never mints such a ref", container.ErrNotFound)
	}
	f, err := d.openFile(id.number)
	if err != nil {
		return nil, err
	}
	if f.nonce != id.nonce {
		return nil, errors.Join(container.ErrNotFound, f.Close())
	}
	if off < 0 || off > f.size || n > f.size-off {
		return nil, errors.Join(fmt.Errorf("%w: %d bytes from %d of %d", container.ErrRange, n, off, f.size), f.Close())
	}
	if n < 0 {
		n = f.size - off
	}
	return &reader{ctx: ctx, ref: ref, file: f, pos: off, end: off + n}, nil
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
