package memory

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

// Chunks double from the smallest to the largest, so that a small blob costs
// little and a large one is never copied to grow.
const (
	minChunk = 512
	maxChunk = 1 << 20
)

// readBlob reads src to its end, chunk by chunk.
func readBlob(src *driver.Source) (*blob, error) {
	b := &blob{created: time.Now().UTC()}
	for size := minChunk; ; size = min(2*size, maxChunk) {
		chunk := make([]byte, size)
		n, err := src.Fill(chunk)
		if n > 0 {
			b.chunks = append(b.chunks, chunk[:n])
			b.size += int64(n)
		}
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// Open implements driver.Driver.
func (d *Driver) Open(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
	if err := d.gate.Enter(); err != nil {
		return nil, fmt.Errorf("memory: open %q: %w", ref, err)
	}
	defer d.gate.Leave()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memory: open %q: %w", ref, err)
	}
	b, err := d.lookup(ref)
	if err != nil {
		return nil, fmt.Errorf("memory: open %q: %w", ref, err)
	}
	if off < 0 || off > b.size || n > b.size-off {
		return nil, fmt.Errorf("memory: open %q: %w: %d bytes from %d of %d", ref, container.ErrRange, n, off, b.size)
	}
	if n < 0 {
		n = b.size - off
	}
	r := &reader{ctx: ctx, chunks: b.chunks, left: n}
	r.skip(off)
	return r, nil
}

// A reader yields the bytes of chunks from pos in the first of them.
type reader struct {
	ctx    context.Context
	chunks [][]byte
	pos    int
	left   int64
	closed bool
}

func (r *reader) skip(off int64) {
	for len(r.chunks) > 0 && off >= int64(len(r.chunks[0])) {
		off -= int64(len(r.chunks[0]))
		r.chunks = r.chunks[1:]
	}
	r.pos = int(off)
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if r.closed {
		return 0, fmt.Errorf("memory: read: %w", container.ErrClosed)
	}
	if err := r.ctx.Err(); err != nil {
		return 0, fmt.Errorf("memory: read: %w", err)
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.left)]
	n := copy(p, r.chunks[0][r.pos:])
	r.left -= int64(n)
	r.pos += n
	if r.pos == len(r.chunks[0]) {
		r.chunks, r.pos = r.chunks[1:], 0
	}
	return n, nil
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.closed = true
	r.chunks = nil
	return nil
}
