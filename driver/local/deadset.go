package local

import "slices"

// A deadSet holds the places in a segment, in units of 64 bytes, whose records
// are deleted. A place takes about two bytes, because it shares all but its
// lowest twelve bits with the others in its 256 KiB of the segment.
type deadSet map[uint32][]uint16

const placeBits = 12

// add reports whether place is new.
func (s deadSet) add(place uint32) bool {
	chunk, low := s.split(place)
	i, found := slices.BinarySearch(chunk, low)
	if !found {
		s[place>>placeBits] = slices.Insert(chunk, i, low)
	}
	return !found
}

func (s deadSet) has(place uint32) bool {
	chunk, low := s.split(place)
	_, found := slices.BinarySearch(chunk, low)
	return found
}

func (s deadSet) split(place uint32) (chunk []uint16, low uint16) {
	return s[place>>placeBits], uint16(place & (1<<placeBits - 1))
}
