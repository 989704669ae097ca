package pebblestore

import (
	"bytes"
	"context"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// An iterator merges a range of a snapshot with a transaction's own writes to
// that range, and tells the transaction which part of the range it has shown.
type iterator struct {
	ctx          context.Context
	lower, upper []byte
	base         *pebble.Iterator // nil if the range is empty, and once closed
	own          []keyWrite       // ascending
	ownAt        int
	reads        *readSet // nil if nobody needs to know

	place         place
	onBase, onOwn bool // which of the two the position is taken from
	key, value    []byte
	seen          []byte // the lowest key of the part that is being shown
	err           error
}

// place is where an iterator stands.
type place uint8

const (
	atStart place = iota // before the first key
	atKey
	atEnd
)

// newIterator returns an iterator over lower <= k < upper of s. Its caller
// keeps lower and upper unchanged.
func newIterator(ctx context.Context, s *snapshot, lower, upper []byte, own []keyWrite, reads *readSet) (*iterator, error) {
	it := &iterator{ctx: ctx, lower: lower, upper: upper, own: own, reads: reads, seen: lower}
	if bytes.Compare(lower, upper) >= 0 {
		it.place = atEnd
		return it, nil
	}
	var err error
	it.base, err = s.scan(lower, upper)
	return it, err
}

func (it *iterator) Next() bool {
	if it.base == nil || it.place == atEnd || !it.mayMove() {
		return false
	}
	switch {
	case it.place == atStart:
		it.base.First()
	case it.onBase:
		it.base.Next()
	}
	if it.onOwn {
		it.ownAt++
	}
	return it.settle()
}

func (it *iterator) SeekGE(key []byte) bool {
	if it.base == nil || !it.mayMove() {
		return false
	}
	it.record()
	if bytes.Compare(key, it.lower) < 0 {
		key = it.lower
	}
	it.seen = bytes.Clone(key) // key may be a part of base, which moves now
	if len(it.seen) == 0 {
		it.base.First() // Pebble does not take an empty key
	} else {
		it.base.SeekGE(it.seen)
	}
	it.ownAt, _ = slices.BinarySearchFunc(it.own, it.seen, func(w keyWrite, key []byte) int {
		return bytes.Compare(w.key, key)
	})
	return it.settle()
}

// mayMove reports whether the iterator has not failed and its context has not
// ended.
func (it *iterator) mayMove() bool {
	if it.err == nil {
		it.err = it.ctx.Err()
	}
	return it.err == nil
}

// settle takes the position from the lower of the two sources, and steps over
// keys that the transaction has deleted.
func (it *iterator) settle() bool {
	for {
		it.choose()
		if !it.onBase && !it.onOwn {
			it.place, it.key, it.value = atEnd, nil, nil
			it.err = readError(it.base.Error())
			return false
		}
		if it.take() {
			it.place = atKey
			return true
		}
		if it.err != nil {
			it.place, it.key, it.value = atEnd, nil, nil
			return false
		}
		if it.onBase {
			it.base.Next()
		}
		it.ownAt++
	}
}

// choose finds which sources hold the lowest key: one of them, both or none.
func (it *iterator) choose() {
	it.onBase, it.onOwn = it.base.Valid(), it.ownAt < len(it.own)
	if !it.onBase || !it.onOwn {
		// A base that failed is not at its end: keys may be missing.
		it.onOwn = it.onOwn && it.base.Error() == nil
		return
	}
	order := bytes.Compare(it.base.Key(), it.own[it.ownAt].key)
	it.onBase, it.onOwn = order <= 0, order >= 0
}

// take reads key and value at the chosen position. It returns false if the
// transaction has deleted the key, and on failure.
func (it *iterator) take() bool {
	var value []byte
	if it.onBase {
		if value, it.err = it.base.ValueAndErr(); it.err != nil {
			it.err = readError(it.err)
			return false
		}
		it.key = it.base.Key()
	}
	if !it.onOwn {
		it.value = value
		return true
	}
	w := it.own[it.ownAt]
	it.key = w.key
	var ok bool
	it.value, ok = w.over(value, it.onBase)
	return ok
}

func (it *iterator) Key() []byte   { return it.key }
func (it *iterator) Value() []byte { return it.value }

// record tells the transaction what was shown since the last seek. A scan that
// stopped early has seen nothing behind its last key.
func (it *iterator) record() {
	if it.reads == nil {
		return
	}
	switch it.place {
	case atKey:
		it.reads.addRange(string(it.seen), string(it.key)+"\x00")
	case atEnd:
		it.reads.addRange(string(it.seen), string(it.upper))
	}
}

func (it *iterator) Close() error {
	if it.base == nil {
		return it.err
	}
	it.record()
	err := readError(it.base.Close())
	it.base, it.place, it.key, it.value = nil, atEnd, nil, nil
	if it.err == nil {
		it.err = err
	}
	return it.err
}
