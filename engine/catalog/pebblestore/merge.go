package pebblestore

import (
	"encoding/binary"
	"io"

	"github.com/cockroachdb/pebble/v2"
)

const counterSize = 8

// newMerger returns the operator behind Add. Pebble keeps its name on disk and
// refuses to open a store that was made with another one: it never changes.
func newMerger() *pebble.Merger {
	return &pebble.Merger{
		Name: "vaultaire.sum.int64.v1",
		Merge: func(_, operand []byte) (pebble.ValueMerger, error) {
			return &sum{total: operandValue(operand)}, nil
		},
	}
}

// A sum adds operands up. Addition commutes, so newer and older are the same,
// and a sum over some of the operands is itself an operand.
type sum struct{ total int64 }

func (s *sum) MergeNewer(operand []byte) error { s.total += operandValue(operand); return nil }
func (s *sum) MergeOlder(operand []byte) error { s.total += operandValue(operand); return nil }

func (s *sum) Finish(bool) ([]byte, io.Closer, error) {
	return encodeCounter(s.total), nil, nil
}

// operandValue returns 0 for what is no counter. An error would be worse: it
// would stop flushes and compactions, and with them the whole store, because
// of one key that was misused.
func operandValue(operand []byte) int64 {
	v, _ := decodeCounter(operand)
	return v
}

func encodeCounter(v int64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, counterSize), uint64(v))
}

func decodeCounter(b []byte) (v int64, ok bool) {
	if len(b) != counterSize {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(b)), true
}
