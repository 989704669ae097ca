package local

import (
	"context"
	"fmt"
	"io"

	"github.com/vaultaire/vaultaire/driver"
)

// Put implements driver.Driver.
func (d *Driver) Put(ctx context.Context, _ string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
	if err := d.gate.Enter(); err != nil {
		return "", fmt.Errorf("local: put: %w", err)
	}
	defer d.gate.Leave()
	ref, err := d.put(ctx, driver.NewSource(ctx, src, opts.Size), opts.Size)
	if err != nil {
		return "", fmt.Errorf("local: put: %w", err)
	}
	return ref, nil
}

func (d *Driver) put(ctx context.Context, src *driver.Source, size int64) (driver.Ref, error) {
	if err := d.poison.check(); err != nil {
		return "", err
	}
	if size > d.smallBlob || d.smallBlob < 0 {
		return d.putLarge(src)
	}
	b, whole, err := readSmall(src, size, d.smallBlob)
	if err != nil {
		return "", fmt.Errorf("read source: %w", err)
	}
	defer b.free()
	if whole {
		return d.putSmall(ctx, b)
	}
	return d.putLarge(&resumed{head: b.data(), src: src})
}

// A resumed is a source of which the first bytes were read before.
type resumed struct {
	head []byte
	src  *driver.Source
}

func (r *resumed) Fill(p []byte) (int, error) {
	n := copy(p, r.head)
	r.head = r.head[n:]
	m, err := r.src.Fill(p[n:])
	return n + m, err
}
