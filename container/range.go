package container

import (
	"fmt"
	"math"
)

// A Range selects bytes of an artifact whose size need not be known. The zero
// Range selects all of them; build others with [Span], [From] and [Last].
type Range struct {
	kind           rangeKind
	offset, length int64
}

type rangeKind uint8

const (
	rangeAll rangeKind = iota
	rangeSpan
	rangeFrom
	rangeLast
)

// Span selects n bytes from offset off, fewer if the artifact ends earlier.
// Neither may be negative.
func Span(off, n int64) Range { return Range{rangeSpan, off, n} }

// From selects the bytes from offset off, which may not be negative, to the end.
func From(off int64) Range { return Range{rangeFrom, off, 0} }

// Last selects the last n bytes, or every byte of a shorter artifact. n may
// not be negative.
func Last(n int64) Range { return Range{rangeLast, 0, n} }

// IsAll reports whether r is the zero Range, which selects every byte.
func (r Range) IsAll() bool { return r.kind == rangeAll }

// Resolve returns the offset and the number of bytes that r selects of an
// artifact of size bytes. It returns [ErrRange] if r selects no byte at all,
// which only the zero Range may do.
func (r Range) Resolve(size int64) (off, n int64, err error) {
	if r.IsAll() {
		return 0, size, nil
	}
	end := size
	switch r.kind {
	case rangeSpan:
		off = r.offset
		if r.length < math.MaxInt64-off {
			end = min(size, off+r.length)
		}
	case rangeFrom:
		off = r.offset
	case rangeLast:
		off = max(size-r.length, 0)
	}
	if off < 0 || off >= end {
		return 0, 0, fmt.Errorf("%w: %v of %d bytes", ErrRange, r, size)
	}
	return off, end - off, nil
}

// String describes r for people.
func (r Range) String() string {
	switch r.kind {
	case rangeSpan:
		return fmt.Sprintf("%d bytes from %d", r.length, r.offset)
	case rangeFrom:
		return fmt.Sprintf("bytes from %d", r.offset)
	case rangeLast:
		return fmt.Sprintf("the last %d bytes", r.length)
	default:
		return "all bytes"
	}
}
