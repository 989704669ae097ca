package engine

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

// A Reader reads the bytes of an artifact that a Get selected, verified on the
// way. One goroutine at a time uses it. Until it is closed, Engine.Close waits
// for it, and the bytes stay where they are.
type Reader struct {
	op       *operation
	body     io.ReadCloser
	artifact container.Artifact
	content  catalog.ContentID
	off, n   int64
	sent     int64
	err      error // what reading ended with, other than io.EOF
	closed   bool
}

// Artifact describes the whole artifact.
func (r *Reader) Artifact() container.Artifact { return r.artifact.Clone() }

// Range returns the offset and the number of the bytes that the Reader yields.
func (r *Reader) Range() (off, n int64) { return r.off, r.n }

// Read implements io.Reader. An ErrCorrupt says that what follows is damaged;
// no wrong byte is returned before it.
func (r *Reader) Read(p []byte) (int, error) {
	if r.closed {
		return 0, container.ErrClosed
	}
	if r.err != nil {
		return 0, r.err
	}
	var n int
	err := guard(func() (err error) {
		n, err = r.body.Read(p)
		return err
	})
	r.sent += int64(n)
	if err == nil {
		return n, nil
	}
	return n, r.end(err)
}

// WriteTo implements io.WriterTo, and leaves the copying to the driver's reader
// if that can do it better.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	if r.closed {
		return 0, container.ErrClosed
	}
	if r.err != nil {
		return 0, r.err
	}
	dst := &destination{w: w}
	var n int64
	err := guard(func() (err error) {
		buf := copyBuffers.Get().(*[copyBufferSize]byte)
		defer copyBuffers.Put(buf)
		n, err = io.CopyBuffer(dst, r.body, buf[:])
		return err
	})
	r.sent += n
	if dst.err != nil {
		r.err = r.op.wrap(fmt.Errorf("%w: reader of the bytes failed: %w", context.Canceled, dst.err))
		return n, dst.err
	}
	if err == nil {
		err = io.EOF
	}
	if err = r.end(err); err == io.EOF {
		err = nil
	}
	return n, err
}

// end notes what reading ended with, and returns it as the caller is to see it.
func (r *Reader) end(err error) error {
	switch {
	case err == io.EOF && r.sent == r.n:
		return io.EOF
	case err == io.EOF:
		err = fmt.Errorf("%w: driver yielded %d of %d bytes", container.ErrCorrupt, r.sent, r.n)
	default:
		err = blobError(err)
	}
	r.err = r.op.wrap(err)
	return r.err
}

// Close releases the Reader and records the event of the Get: OK if everything
// was read, what reading failed with, or canceled. Closing again does nothing.
func (r *Reader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	err := guard(r.body.Close)
	r.op.engine.unpin(r.content)
	if r.err == nil && r.sent < r.n {
		r.err = fmt.Errorf("%w: closed after %d of %d bytes", context.Canceled, r.sent, r.n)
	}
	r.op.event.Bytes = r.sent
	_ = r.op.finish(r.err)
	if err != nil {
		return r.op.wrap(err)
	}
	return nil
}

// A copy needs a buffer unless the driver's reader brings its own.
const copyBufferSize = 64 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copyBufferSize]byte) }}

// A destination is the writer of a WriteTo. It remembers whether it was the one
// that failed.
type destination struct {
	w   io.Writer
	err error
}

func (d *destination) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	if err != nil {
		d.err = err
	}
	return n, err
}
