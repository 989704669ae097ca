package local

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

// A reader yields a range of a blob that has a file. It holds a few blocks at a
// time, and yields of them only once they are verified.
type reader struct {
	ctx  context.Context
	ref  driver.Ref
	use  closing
	file *blobFile

	verify bool
	pos    int64 // in the blob, of the next byte to yield
	end    int64
	err    error   // the first failure
	buf    *buffer // nil until needed

	rest             []byte // what is verified and not yet yielded, within buf.blocks
	sumFirst, sumEnd int64  // blocks whose sums are in buf.sums
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if err := r.use.enter(); err != nil {
		return 0, fmt.Errorf("local: read %q: %w", r.ref, err)
	}
	defer r.use.leave(r.giveBack)
	if len(p) == 0 {
		return 0, r.err
	}
	if err := r.prepare(); err != nil {
		return 0, err
	}
	n := copy(p, r.rest)
	r.advance(n)
	return n, nil
}

// advance says that n bytes of rest were yielded.
func (r *reader) advance(n int) {
	r.rest = r.rest[n:]
	r.pos += int64(n)
}

// prepare makes sure that there is something in rest, or fails for ever.
func (r *reader) prepare() error {
	if r.err == nil {
		r.err = r.tryPrepare()
	}
	return r.err
}

func (r *reader) tryPrepare() error {
	if r.pos == r.end {
		return io.EOF
	}
	if err := r.ctx.Err(); err != nil {
		return fmt.Errorf("local: read %q: %w", r.ref, err)
	}
	if len(r.rest) > 0 {
		return nil
	}
	if err := r.load(r.pos / blockSize); err != nil {
		return fmt.Errorf("local: read %q: at byte %d: %w", r.ref, r.pos, err)
	}
	return nil
}

// load reads and verifies some blocks, and sets rest to their bytes from pos to
// end.
func (r *reader) load(first int64) error {
	blocks := min(blocksAtOnce, blocksIn(r.end)-first, r.file.geometry.groupLeft(first))
	start := first * blockSize
	data := r.buffer().blocks[:min(blocks*blockSize, r.file.size-start)]
	if err := readAt(r.file, data, r.file.geometry.blockOffset(first)); err != nil {
		return err
	}
	if r.verify {
		sound, err := r.sound(first, data)
		if err != nil {
			return err
		}
		if sound == 0 {
			return fmt.Errorf("%w: block %d fails its checksum", container.ErrCorrupt, first)
		}
		data = data[:min(sound*blockSize, int64(len(data)))]
	}
	r.rest = data[r.pos-start : min(int64(len(data)), r.end-start)]
	return nil
}

// sound returns how many blocks are as they were put, up to the first that is
// not.
func (r *reader) sound(first int64, data []byte) (n int64, err error) {
	for ; n < blocksIn(int64(len(data))); n++ {
		want, err := r.sum(first + n)
		if err != nil {
			return 0, err
		}
		if blockSum(r.file.nonce, first+n, blockOf(data, n)) != want {
			break
		}
	}
	return n, nil
}

// sum returns the stored sum of a block. It reads those of the following
// blocks with it, as far as the range and the group go.
func (r *reader) sum(block int64) (uint32, error) {
	if block < r.sumFirst || block >= r.sumEnd {
		n := min(blocksIn(r.end)-block, r.file.geometry.groupLeft(block), sumsPerRead)
		sums := r.buf.sums[:n*sumSize]
		if err := readAt(r.file, sums, r.file.geometry.sumOffset(block, r.file.size)); err != nil {
			return 0, err
		}
		r.sumFirst, r.sumEnd = block, block+n
	}
	return binary.LittleEndian.Uint32(r.buf.sums[(block-r.sumFirst)*sumSize:]), nil
}

func (r *reader) buffer() *buffer {
	if r.buf == nil {
		r.buf = buffers.Get().(*buffer)
	}
	return r.buf
}

// Close implements io.Closer. Closing again does nothing.
func (r *reader) Close() error {
	if err := r.use.close(r.giveBack); err != nil {
		return fmt.Errorf("local: close %q: %w", r.ref, err)
	}
	return nil
}

func (r *reader) giveBack() error {
	if r.buf != nil {
		buffers.Put(r.buf)
		r.buf, r.rest = nil, nil
	}
	return r.file.Close()
}
