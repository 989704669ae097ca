package local

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

// A reader yields a range of a blob. It holds one block at a time, and yields
// of it only once it is verified.
type reader struct {
	ctx context.Context
	ref driver.Ref

	// mu lets Close come from another goroutine than Read, as it does when a
	// client goes away: the buffer returns to the pool and must not be in use.
	mu   sync.Mutex
	file *blobFile // nil once closed
	pos  int64     // in the blob, of the next byte to yield
	end  int64
	err  error   // the first failure
	buf  *buffer // nil until needed

	rest             []byte // what is verified and not yet yielded, within buf.block
	sumFirst, sumEnd int64  // blocks whose sums are in buf.sums
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return 0, fmt.Errorf("local: read %q: the reader is %w", r.ref, container.ErrClosed)
	}
	if r.err == nil && len(p) > 0 {
		r.err = r.prepare()
	}
	if r.err != nil {
		return 0, r.err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	r.pos += int64(n)
	return n, nil
}

// prepare makes sure that there is something in rest, or fails.
func (r *reader) prepare() error {
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

// load reads and verifies a block, and sets rest to its bytes from pos to end.
func (r *reader) load(block int64) error {
	if r.buf == nil {
		r.buf = buffers.Get().(*buffer)
	}
	want, err := r.sum(block)
	if err != nil {
		return err
	}
	start := block * blockSize
	data := r.buf.block[:min(blockSize, r.file.size-start)]
	if err := readAt(r.file, data, r.file.geometry.blockOffset(block)); err != nil {
		return err
	}
	if blockSum(r.file.nonce, block, data) != want {
		return fmt.Errorf("%w: block %d fails its checksum", container.ErrCorrupt, block)
	}
	r.rest = data[r.pos-start : min(int64(len(data)), r.end-start)]
	return nil
}

// sum returns the stored sum of a block. It reads those of the following
// blocks with it, as far as the range and the group go.
func (r *reader) sum(block int64) (uint32, error) {
	if block < r.sumFirst || block >= r.sumEnd {
		group := r.file.geometry.groupBlocks
		end := min(blocksIn(r.end), block-block%group+group, block+sumsPerRead)
		sums := r.buf.sums[:(end-block)*sumSize]
		if err := readAt(r.file, sums, r.file.geometry.sumOffset(block, r.file.size)); err != nil {
			return 0, err
		}
		r.sumFirst, r.sumEnd = block, end
	}
	return binary.LittleEndian.Uint32(r.buf.sums[(block-r.sumFirst)*sumSize:]), nil
}

// Close implements io.Closer. Closing again does nothing.
func (r *reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	if r.buf != nil {
		buffers.Put(r.buf)
		r.buf, r.rest = nil, nil
	}
	err := r.file.Close()
	r.file = nil
	if err != nil {
		return fmt.Errorf("local: close %q: %w", r.ref, err)
	}
	return nil
}
