package engine

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/vaultaire/vaultaire/container"
)

// A copy needs a buffer unless the driver's reader brings its own.
const copyBufferSize = 64 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copyBufferSize]byte) }}

// copyBytes is io.Copy with a buffer of ours.
func copyBytes(dst io.Writer, src io.Reader) error {
	buf := copyBuffers.Get().(*[copyBufferSize]byte)
	defer copyBuffers.Put(buf)
	_, err := io.CopyBuffer(dst, src, buf[:])
	return err
}

// WriteTo implements io.WriterTo, and leaves the copying to the driver's reader
// if that can do it better. Of a range, whose bytes need not be seen, it lets w
// take pieces of files from the driver, as a socket can.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	if r.closed {
		return 0, container.ErrClosed
	}
	if r.err != nil {
		return 0, r.err
	}
	dst := &destination{reader: r, w: w}
	err := guard(func() error {
		if to, ok := w.(io.ReaderFrom); ok && r.sum == nil {
			return copyBytes(&readingDestination{dst, to}, r.body)
		}
		return copyBytes(dst, r.body)
	})
	switch {
	case dst.err != nil:
		r.err = r.op.wrap(fmt.Errorf("%w: writer of the bytes failed: %w", context.Canceled, dst.err))
		return dst.written, dst.err
	case err == nil:
		err = io.EOF
	}
	if err = r.end(err); err == io.EOF {
		err = nil
	}
	return dst.written, err
}

// A destination is the writer of a WriteTo, and knows whether it was that which
// failed.
type destination struct {
	reader  *Reader
	w       io.Writer
	written int64
	err     error // of w
}

func (d *destination) Write(p []byte) (int, error) {
	if err := d.reader.take(p); err != nil {
		return 0, err
	}
	n, err := d.w.Write(p)
	d.written += int64(n)
	if err != nil {
		d.err = err
	}
	return n, err
}

// A readingDestination is the destination of bytes that nobody needs to see on
// their way: to can take them from a file by itself.
type readingDestination struct {
	*destination
	to io.ReaderFrom
}

// ReadFrom implements io.ReaderFrom. It passes a piece of a file, which is what
// comes limited, on as it is, unless it is more than was asked for.
func (d *readingDestination) ReadFrom(src io.Reader) (int64, error) {
	r := d.reader
	piece, ok := src.(*io.LimitedReader)
	if !ok || piece.N > r.n-r.sent {
		before := d.written
		err := copyBytes(struct{ io.Writer }{d.destination}, src)
		return d.written - before, err
	}
	n, err := d.to.ReadFrom(piece)
	if n < 0 || n > r.n-r.sent {
		return 0, fmt.Errorf("writer claims to have read %d of %d bytes", n, r.n-r.sent)
	}
	r.sent += n
	d.written += n
	if err != nil && !fails(piece) {
		d.err = err
	}
	return n, err
}

// fails reports whether it is the reader that fails, and not who read from it.
func fails(src io.Reader) bool {
	_, err := src.Read(make([]byte, 1))
	return err != nil && err != io.EOF
}
