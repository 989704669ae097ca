package local

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

// A smallLister walks the blobs in segments.
type smallLister struct {
	driver  *Driver
	number  uint64 // of the segment to go on in
	pos     int64  // and where in it
	after   int64  // only records behind this offset are wanted, in the first segment
	records []record
	of      uint64 // the segment of records
}

// listBatch is how many records a list reads ahead at most.
const listBatch = 256

// next returns the next blob, or io.EOF.
func (l *smallLister) next(ctx context.Context) (driver.Blob, error) {
	for {
		if err := ctx.Err(); err != nil {
			return driver.Blob{}, err
		}
		if len(l.records) == 0 {
			if err := l.read(); err != nil {
				return driver.Blob{}, err
			}
			continue
		}
		r := l.records[0]
		l.records = l.records[1:]
		ref := smallRef{segment: l.of, offset: r.offset, size: r.size, nonce: r.nonce}
		if r.offset > l.after && !l.driver.segments.isDead(l.of, ref.place()) {
			return driver.Blob{Ref: ref.ref(), Size: r.size, Created: r.created}, nil
		}
	}
}

// read reads some of the records that follow, or none if it comes to the end
// of a segment. At the end of the last it returns io.EOF.
func (l *smallLister) read() error {
	seg, ok := l.driver.segments.from(l.number)
	if !ok {
		return io.EOF
	}
	if seg.number != l.number {
		l.number, l.pos, l.after = seg.number, markSize, 0
	}
	if seg.damaged || l.pos >= seg.end {
		l.number, l.pos, l.after = seg.number+1, markSize, 0
		return nil
	}
	f, err := l.driver.acquireSegment(seg.number)
	if errors.Is(err, container.ErrNotFound) {
		if _, ok := l.driver.segments.get(seg.number); ok {
			return fmt.Errorf("%w: segment %d is not there any more", container.ErrCorrupt, seg.number)
		}
		return nil // removed meanwhile, so it is not met again
	}
	if err != nil {
		return err
	}
	defer l.driver.files.release(f)
	w := walker{file: f, segment: seg.segmentID, pos: max(l.pos, markSize), end: seg.end}
	l.records, l.of = make([]record, 0, listBatch), seg.number
	for len(l.records) < listBatch {
		r, err := w.next()
		if err == io.EOF {
			w.pos = seg.end // what is left, if anything, is too short for a record
			break
		}
		if err != nil {
			return err
		}
		l.records = append(l.records, r)
	}
	l.pos = w.pos
	return nil
}
