package engine

import (
	"context"
	"fmt"
	"hash"
	"io"

	"github.com/vaultaire/vaultaire/container"
)

// A Reader reads the bytes of an artifact that a Get selected. One goroutine at
// a time uses it. Until it is closed, Engine.Close waits for it, and the bytes
// stay where they are.
//
// The bytes are verified: by the driver before it returns them, and, of an
// artifact that is read whole, once more at the end.
type Reader struct {
	op       *operation
	ctx      context.Context // of the Get
	body     io.ReadCloser
	artifact container.Artifact
	pin      *pin
	off, n   int64
	sent     int64
	sum      hash.Hash // over a whole artifact; nil over a part
	err      error     // what reading ended with, other than io.EOF
	closed   bool
}

func newReader(ctx context.Context, op *operation, body io.ReadCloser, a container.Artifact, pin *pin, off, n int64) *Reader {
	r := &Reader{op: op, ctx: ctx, body: body, artifact: a, pin: pin, off: off, n: n}
	if n == a.Size {
		r.sum, _ = NewHash(container.CRC64NVME) // which there always is
	}
	return r
}

// Artifact describes the whole artifact.
func (r *Reader) Artifact() container.Artifact { return r.artifact.Clone() }

// Range returns the offset and the number of the bytes that the Reader yields.
func (r *Reader) Range() (off, n int64) { return r.off, r.n }

// Read implements io.Reader. Instead of io.EOF an ErrCorrupt says that bytes are
// damaged or missing.
func (r *Reader) Read(p []byte) (int, error) {
	if r.closed {
		return 0, container.ErrClosed
	}
	if r.err != nil {
		return 0, r.err
	}
	n, err := guardedRead(r.body, "driver", p)
	if err := r.take(p[:n]); err != nil {
		return 0, r.end(err)
	}
	if err == nil {
		return n, nil
	}
	return n, r.end(err)
}

// take counts and checks bytes that the driver has yielded, before they are
// passed on: who counts bytes and stops at the last one knows that all are right.
func (r *Reader) take(p []byte) error {
	if int64(len(p)) > r.n-r.sent {
		return fmt.Errorf("%w: driver yields more than the %d bytes that it was asked for", container.ErrCorrupt, r.n)
	}
	r.sent += int64(len(p))
	if r.sum != nil {
		r.sum.Write(p) // never fails: hash.Hash
	}
	if r.sent == r.n {
		return r.verify()
	}
	return nil
}

// end notes what reading ended with, and returns it as the caller is to see it.
func (r *Reader) end(err error) error {
	switch {
	case err != io.EOF:
		err = r.op.blobError(r.ctx, err)
	case r.sent < r.n:
		err = fmt.Errorf("%w: driver yielded %d of %d bytes", container.ErrCorrupt, r.sent, r.n)
	default:
		return io.EOF
	}
	r.err = r.op.wrap(err)
	return r.err
}

// verify compares what was read with the digest that was taken when it was put.
func (r *Reader) verify() error {
	want, ok := r.artifact.Digests.Get(container.CRC64NVME)
	if r.sum == nil || !ok || want.Sum == string(r.sum.Sum(nil)) {
		return nil
	}
	return fmt.Errorf("%w: driver yielded bytes of another %s than was put", container.ErrCorrupt, want.Algorithm)
}

// Close releases the Reader and records the event of the Get: OK if everything
// was read, what reading failed with, or canceled. Closing again does nothing.
func (r *Reader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	err := guard(r.body.Close)
	if err != nil {
		err = r.op.wrap(r.op.driverError(r.ctx, err))
	}
	r.op.engine.unpin(r.pin)
	switch {
	case r.err != nil:
	case err != nil:
		r.err = err
	case r.sent < r.n:
		r.err = fmt.Errorf("%w: closed after %d of %d bytes", context.Canceled, r.sent, r.n)
	}
	r.op.event.Bytes = r.sent
	_ = r.op.finish(r.err)
	return err
}
