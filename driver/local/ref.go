package local

import (
	"fmt"
	"strconv"

	"github.com/vaultaire/vaultaire/driver"
)

// A smallRef is what the ref of a blob in a segment says, which is enough to
// read it at once.
type smallRef struct {
	segment uint64
	offset  int64
	size    int64
	nonce   uint64
}

// Numbers of segments end where their names do, offsets where the refs do.
const (
	maxSegment = 1e12 - 1
	maxOffset  = 1<<32 - 1
)

// ref returns, for example, "000000000017+00004c40+001000+9f86d081884c7d65".
func (r smallRef) ref() driver.Ref {
	return driver.Ref(fmt.Sprintf("%012d+%08x+%06x+%016x", r.segment, r.offset, r.size, r.nonce))
}

// parseSmallRef reports false for whatever ref did not return.
func parseSmallRef(ref driver.Ref) (smallRef, bool) {
	if len(ref) != 45 {
		return smallRef{}, false
	}
	segment, err1 := strconv.ParseUint(string(ref[:12]), 10, 64)
	offset, err2 := strconv.ParseUint(string(ref[13:21]), 16, 64)
	size, err3 := strconv.ParseUint(string(ref[22:28]), 16, 64)
	nonce, err4 := strconv.ParseUint(string(ref[29:]), 16, 64)
	r := smallRef{segment, int64(offset), int64(size), nonce}
	ok := err1 == nil && err2 == nil && err3 == nil && err4 == nil
	return r, ok && offset%recordAlign == 0 && size <= maxSmallBlob && r.ref() == ref
}

// end returns where the record ends.
func (r smallRef) end() int64 { return r.offset + recordSize(r.size) }

// place returns the offset as it is kept where it must be small.
func (r smallRef) place() uint32 { return uint32(r.offset / recordAlign) }

// A position is where a blob is in the order of List.
type position struct {
	small  bool
	number uint64 // of the file or the segment
	offset int64  // in the segment
	nonce  uint64
}

// parsePosition accepts refs of both kinds.
func parsePosition(ref driver.Ref) (position, bool) {
	if r, ok := parseSmallRef(ref); ok {
		return position{small: true, number: r.segment, offset: r.offset, nonce: r.nonce}, true
	}
	id, ok := parseRef(ref)
	return position{number: id.number, nonce: id.nonce}, ok
}
