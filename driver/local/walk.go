package local

import (
	"io"
)

// A walker finds the records of a segment, one after the other. Where there is
// no sound one it looks for the next at every place, so that damage hides only
// what it hit.
type walker struct {
	file    io.ReaderAt
	segment segmentID
	pos     int64 // where the next record should be
	end     int64 // where the records end
	damaged int64 // bytes before pos that belong to no sound record

	window []byte // read ahead
	start  int64  // where window begins
}

const (
	walkFar  = 64 << 10 // read at once where records are small
	walkNear = 4 << 10  // and where the next is far away
)

// next returns the next record, or io.EOF. Its data is not verified.
func (w *walker) next() (record, error) {
	for w.pos+recordHeader <= w.end {
		head, err := w.peek(maxRecordHead)
		if err != nil {
			return record{}, err
		}
		if r, ok := w.segment.parseHead(head, w.pos); ok && r.end() <= w.end {
			w.pos = r.end()
			return r, nil
		}
		w.pos += recordAlign
		w.damaged += recordAlign
	}
	return record{}, io.EOF
}

// peek returns at least n bytes from pos on, if there are so many.
func (w *walker) peek(n int64) ([]byte, error) {
	n = min(n, w.end-w.pos)
	if off := w.pos - w.start; off >= 0 && off+n <= int64(len(w.window)) {
		return w.window[off:], nil
	}
	size := int64(walkFar)
	if w.pos-w.start > 2*walkFar {
		size = walkNear
	}
	if w.window == nil {
		w.window = make([]byte, walkFar)
	}
	w.start = w.pos
	w.window = w.window[:min(size, w.end-w.pos)]
	if err := readAt(w.file, w.window, w.start); err != nil {
		w.window = w.window[:0]
		return nil, err
	}
	return w.window, nil
}
