package local

import (
	"slices"
	"sync"
)

// A segment is what is known of a segment that has records: little, and
// nothing of the blobs that are in it and not deleted.
type segment struct {
	segmentID
	end     int64 // records are in [markSize, end)
	sealed  bool  // never changes again
	damaged bool  // neither its header nor its seal is sound, so nothing can be read

	dead      deadSet
	deadCount int64 // records in dead
	deadBytes int64 // and their bytes
	emptied   bool  // somebody is removing it, or found that it must stay
	moved     bool  // Compact has moved all that was in it
	stuck     int64 // what deadBytes was when Compact was told that all else stays; -1 before
}

// used returns how many bytes records have.
func (s *segment) used() int64 { return s.end - markSize }

// allDead reports whether the bytes of deleted records are all there are.
func (s *segment) allDead() bool { return s.sealed && s.deadBytes >= s.used() }

// segments are all segments. They may be used concurrently; what they return
// is a copy.
type segments struct {
	mu       sync.RWMutex
	byNumber map[uint64]*segment
	numbers  []uint64 // ascending
}

func newSegments() *segments { return &segments{byNumber: make(map[uint64]*segment)} }

// put adds a segment.
func (s *segments) put(seg segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg.dead, seg.stuck = make(deadSet), -1
	s.byNumber[seg.number] = &seg
	i, _ := slices.BinarySearch(s.numbers, seg.number)
	s.numbers = slices.Insert(s.numbers, i, seg.number)
}

// remove forgets a segment, whose number is never used again.
func (s *segments) remove(number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byNumber, number)
	if i, found := slices.BinarySearch(s.numbers, number); found {
		s.numbers = slices.Delete(s.numbers, i, i+1)
	}
}

// get reports false if there is no such segment. The dead set is not for the
// caller to look at.
func (s *segments) get(number uint64) (segment, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if seg := s.byNumber[number]; seg != nil {
		return *seg, true
	}
	return segment{}, false
}

// from returns the first segment whose number is not lower.
func (s *segments) from(number uint64) (segment, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, _ := slices.BinarySearch(s.numbers, number)
	if i == len(s.numbers) {
		return segment{}, false
	}
	return *s.byNumber[s.numbers[i]], true
}

// all returns all segments, ascending.
func (s *segments) all() []segment {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]segment, 0, len(s.numbers))
	for _, number := range s.numbers {
		out = append(out, *s.byNumber[number])
	}
	return out
}

// update changes a segment, if it is there.
func (s *segments) update(number uint64, change func(*segment)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seg := s.byNumber[number]; seg != nil {
		change(seg)
	}
}

// bury says that the record at ref is deleted. It reports whether that leaves
// nothing in the segment, the first time that it does.
func (s *segments) bury(ref smallRef) (emptied bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg := s.byNumber[ref.segment]
	if seg == nil || ref.offset < markSize || ref.end() > seg.end || !seg.dead.add(ref.place()) {
		return false
	}
	seg.deadCount++
	seg.deadBytes += recordSize(ref.size)
	if !seg.allDead() || seg.emptied {
		return false
	}
	seg.emptied = true
	return true
}

// deadRecords returns how many records are deleted in segments that are there.
func (s *segments) deadRecords() (n int64) {
	for _, seg := range s.all() {
		n += seg.deadCount
	}
	return n
}

// bytes returns how many bytes records have in all segments.
func (s *segments) bytes() (n int64) {
	for _, seg := range s.all() {
		n += seg.used()
	}
	return n
}

// isDead reports whether the record in a segment at a place was deleted.
func (s *segments) isDead(number uint64, place uint32) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	seg := s.byNumber[number]
	return seg == nil || seg.dead.has(place)
}
