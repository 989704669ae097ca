package pebblestore

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/vaultaire/vaultaire/container"
)

// A snapshot reads the store as it was at one moment. A Pebble iterator is one
// already, costs less than a Pebble snapshot to make and to seek, and makes
// further iterators over the same moment by cloning itself.
type snapshot struct {
	points *pebble.Iterator
}

func newSnapshot(db *pebble.DB) (*snapshot, error) {
	it, err := db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return nil, readError(err)
	}
	return &snapshot{points: it}, nil
}

// get returns a copy of the value under key, and whether there is one.
func (s *snapshot) get(key []byte) ([]byte, bool, error) {
	// The prefix of a key is the whole key, so this asks the Bloom filters.
	if !s.points.SeekPrefixGE(key) {
		return nil, false, readError(s.points.Error())
	}
	value, err := s.points.ValueAndErr()
	if err != nil {
		return nil, false, readError(err)
	}
	return bytes.Clone(value), true, nil
}

// scan returns an iterator over lower <= k < upper, which must not be empty.
func (s *snapshot) scan(lower, upper []byte) (*pebble.Iterator, error) {
	if len(lower) == 0 {
		lower = nil // Pebble takes only nil for "no bound"
	}
	it, err := s.points.Clone(pebble.CloneOptions{
		IterOptions: &pebble.IterOptions{LowerBound: lower, UpperBound: upper},
	})
	return it, readError(err)
}

func (s *snapshot) close() error { return readError(s.points.Close()) }

func readError(err error) error {
	switch {
	case err == nil:
		return nil
	case pebble.IsCorruptionError(err):
		return fmt.Errorf("pebblestore: read: %w: %w", container.ErrCorrupt, err)
	default:
		return fmt.Errorf("pebblestore: read: %w", err)
	}
}

// errEnded answers the use of a Reader or Txn after its closure has returned.
var errEnded = errors.New("pebblestore: transaction has ended")

func counterValue(key, value []byte, ok bool) (int64, error) {
	if !ok {
		return 0, nil
	}
	v, isCounter := decodeCounter(value)
	if !isCounter {
		return 0, fmt.Errorf("%w: key %q holds a value of %d bytes, not a counter", container.ErrInvalid, key, len(value))
	}
	return v, nil
}
