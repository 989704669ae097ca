package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

// A smallReader yields a range of a blob in a segment. All of it is in memory
// and verified before the reader is there.
type smallReader struct {
	ctx    context.Context
	ref    driver.Ref
	use    closing
	buffer *recordBuffer
	rest   []byte // what is not yet yielded, within buffer
}

// openSmall opens a blob in a segment.
func (d *Driver) openSmall(ctx context.Context, ref smallRef, off, n int64) (io.ReadCloser, error) {
	f, seg, err := d.segmentOf(ref)
	if err != nil {
		return nil, err
	}
	defer d.files.release(f)
	if n, err = clip(off, n, ref.size); err != nil {
		return nil, cmp.Or(d.checkHead(f, seg, ref), err)
	}
	b := getRecordBuffer(ref.size)
	data, err := load(f, seg.segmentID, ref, b, off, n, !d.skipVerify)
	if errors.Is(err, errUnsound) {
		err = d.unsound(f, seg, ref)
	}
	if err != nil {
		b.free()
		return nil, err
	}
	return &smallReader{ctx: ctx, ref: ref.ref(), buffer: b, rest: data}, nil
}

// segmentOf returns the segment that has ref, if it has not been deleted, and
// its file, which must be released.
func (d *Driver) segmentOf(ref smallRef) (*cachedFile, segment, error) {
	seg, ok := d.segments.get(ref.segment)
	if !ok || ref.offset < markSize || ref.end() > seg.end || d.segments.isDead(ref.segment, ref.place()) {
		return nil, seg, container.ErrNotFound
	}
	if seg.damaged {
		return nil, seg, fmt.Errorf("%w: segment %d has neither a sound header nor a sound seal", container.ErrCorrupt, ref.segment)
	}
	f, err := d.acquireSegment(ref.segment)
	return f, seg, err
}

// acquireSegment opens the file of a segment, which must be released.
func (d *Driver) acquireSegment(number uint64) (*cachedFile, error) {
	f, err := d.files.acquire(number)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, container.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	if _, ok := d.segments.get(number); !ok {
		d.files.drop(number) // whoever removed it may have done so before it was in the cache
	}
	return f, nil
}

// errUnsound is returned for a record whose head fails its checksum.
var errUnsound = errors.New("the head of the record fails its checksum")

// load reads n bytes of ref from off on into b, and verifies them if it is
// told to. If they begin in the first block, it takes one read for all; else
// one for the head and one for the blocks.
func load(f io.ReaderAt, id segmentID, ref smallRef, b *recordBuffer, off, n int64, verify bool) ([]byte, error) {
	b.size = ref.size
	head, data := b.head(), b.data()
	first, last := off/blockSize, blocksIn(off+n)
	from, to := first*blockSize, min(last*blockSize, ref.size)
	if first == 0 {
		if err := readAt(f, b.record()[:int64(len(head))+to], ref.offset); err != nil {
			return nil, err
		}
	} else if err := readAt(f, head, ref.offset); err != nil {
		return nil, err
	}
	r, ok := id.parseHead(head, ref.offset)
	switch {
	case !ok:
		return nil, errUnsound
	case r.nonce != ref.nonce || r.size != ref.size:
		return nil, container.ErrNotFound
	}
	if first > 0 {
		if err := readAt(f, data[from:to], ref.offset+int64(len(head))+from); err != nil {
			return nil, err
		}
	}
	if verify {
		if bad := r.badBlock(head, data[from:to], first); bad >= 0 {
			return nil, fmt.Errorf("%w: block %d fails its checksum", container.ErrCorrupt, bad)
		}
	}
	return data[off : off+n], nil
}

// checkHead returns nil if the record is there.
func (d *Driver) checkHead(f io.ReaderAt, seg segment, ref smallRef) error {
	b := getRecordBuffer(ref.size)
	defer b.free()
	_, err := load(f, seg.segmentID, ref, b, 0, 0, false)
	if errors.Is(err, errUnsound) {
		return d.unsound(f, seg, ref)
	}
	return err
}

// unsound says what it means that there is no sound head at ref: if its place
// is within another record, then ref is of a segment that had the same number
// before the folder was restored from a copy; else there was one.
func (d *Driver) unsound(f io.ReaderAt, seg segment, ref smallRef) error {
	w := walker{file: f, segment: seg.segmentID, pos: markSize, end: seg.end}
	for {
		r, err := w.next()
		if err == io.EOF || err == nil && r.offset >= ref.end() {
			return fmt.Errorf("%w: %w", container.ErrCorrupt, errUnsound)
		}
		if err != nil {
			return err
		}
		if r.end() > ref.offset {
			return container.ErrNotFound
		}
	}
}

// Read implements io.Reader.
func (r *smallReader) Read(p []byte) (int, error) {
	if err := r.use.enter(); err != nil {
		return 0, fmt.Errorf("local: read %q: %w", r.ref, err)
	}
	defer r.use.leave(r.giveBack)
	if len(p) == 0 {
		return 0, nil
	}
	if err := r.prepare(); err != nil {
		return 0, err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// WriteTo implements io.WriterTo.
func (r *smallReader) WriteTo(w io.Writer) (int64, error) {
	if err := r.use.enter(); err != nil {
		return 0, fmt.Errorf("local: read %q: %w", r.ref, err)
	}
	defer r.use.leave(r.giveBack)
	if err := r.prepare(); err != nil {
		return 0, notEOF(err)
	}
	n, err := writeAll(w, r.rest)
	r.rest = r.rest[n:]
	return int64(n), err
}

func (r *smallReader) prepare() error {
	if len(r.rest) == 0 {
		return io.EOF
	}
	if err := r.ctx.Err(); err != nil {
		return fmt.Errorf("local: read %q: %w", r.ref, err)
	}
	return nil
}

// Close implements io.Closer. Closing again does nothing.
func (r *smallReader) Close() error { return r.use.close(r.giveBack) }

func (r *smallReader) giveBack() error {
	r.buffer.free()
	r.buffer, r.rest = nil, nil
	return nil
}
