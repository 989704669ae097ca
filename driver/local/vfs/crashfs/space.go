package crashfs

import (
	"math"

	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

// A space counts what is stored. A file takes its size, from its first byte
// until its last name is removed; holes count.
type space struct {
	limited bool
	limit   int64
	stored  int64
	written int64
}

// SetLimit makes operations fail as on a full disk that would store more than
// limit bytes; a write stores what there is room for. A negative limit is none.
func (f *FS) SetLimit(limit int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.space.limited, f.space.limit = limit >= 0, limit
}

// Stored returns how many bytes are stored.
func (f *FS) Stored() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.space.stored
}

// Free returns how many bytes more there is room for.
func (f *FS) Free() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.space.limited {
		return math.MaxInt64 - f.space.stored
	}
	return max(0, f.space.limit-f.space.stored)
}

// Written returns how many bytes were written since the file system was made,
// by New or by Crash.
func (f *FS) Written() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.space.written
}

// grow takes the room for a file to have a size. It returns the size for which
// there is room.
func (s *space) grow(n *node, size int64) (int64, error) {
	more := size - n.now.size
	if more <= 0 || n.links == 0 {
		return size, nil
	}
	if s.limited && s.stored+more > s.limit {
		room := max(0, s.limit-s.stored)
		s.stored += room
		return n.now.size + room, vfs.ErrNoSpace
	}
	s.stored += more
	return size, nil
}

// shrink gives back what a file of the size does not need.
func (s *space) shrink(n *node, size int64) {
	if n.links > 0 {
		s.stored -= max(0, n.now.size-size)
	}
}

// release gives back a file that has no name any more.
func (s *space) release(n *node) {
	if n.links == 0 {
		s.stored -= n.now.size
	}
}
