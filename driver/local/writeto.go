package local

import (
	"fmt"
	"io"

	"github.com/vaultaire/vaultaire/container"
)

// WriteTo implements io.WriterTo. It hands over blocks as they were read and
// verified, without another copy. A driver that does not verify hands over the
// file itself, so that the kernel may move its bytes to a socket.
func (r *reader) WriteTo(w io.Writer) (n int64, err error) {
	if err := r.use.enter(); err != nil {
		return 0, fmt.Errorf("local: read %q: %w", r.ref, err)
	}
	defer r.use.leave(r.giveBack)
	if f, ok := r.file.ReadFile.(io.ReadSeeker); ok && !r.verify {
		return r.send(w, f)
	}
	for {
		if err := r.prepare(); err != nil {
			return n, notEOF(err)
		}
		m, err := writeAll(w, r.rest)
		n += int64(m)
		r.advance(m)
		if err != nil {
			return n, err
		}
	}
}

// sendAtOnce is after how many bytes a transfer asks whether its context has
// ended.
const sendAtOnce = 16 << 20

// send copies from f, the blob's file, piece by piece as the data lies there. A
// piece is passed as an io.LimitedReader of a file at its place, which is what
// net.TCPConn knows how to send without seeing the bytes.
func (r *reader) send(w io.Writer, f io.ReadSeeker) (n int64, err error) {
	r.rest = nil
	for r.err == nil && r.pos < r.end {
		if err := r.ctx.Err(); err != nil {
			r.err = fmt.Errorf("local: read %q: %w", r.ref, err)
			break
		}
		block := r.pos / blockSize
		piece := min(r.end, (block+r.file.geometry.groupLeft(block))*blockSize, r.pos+sendAtOnce) - r.pos
		if _, err := f.Seek(r.file.geometry.blockOffset(block)+r.pos%blockSize, io.SeekStart); err != nil {
			return n, fmt.Errorf("local: read %q: %w", r.ref, err)
		}
		m, err := io.CopyBuffer(w, &io.LimitedReader{R: f, N: piece}, r.buffer().blocks[:])
		n += m
		r.pos += m
		if err != nil {
			return n, err
		}
		if m < piece {
			r.err = fmt.Errorf("local: read %q: %w: the file ends within its data", r.ref, container.ErrCorrupt)
		}
	}
	return n, notEOF(r.err)
}

func notEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// writeAll writes p to w, which may not know that it must take all or fail.
func writeAll(w io.Writer, p []byte) (int, error) {
	n, err := w.Write(p)
	if n < 0 || n > len(p) {
		return 0, fmt.Errorf("local: the writer claims to have written %d of %d bytes", n, len(p))
	}
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}
