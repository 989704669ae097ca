package pebblestore

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

type writeKind uint8

const (
	writeSet    writeKind = iota // value replaces what is there
	writeDelete                  // nothing remains
	writeAdd                     // delta is added to what is there
)

// A write is all that a transaction did to one key.
type write struct {
	kind  writeKind
	value []byte
	delta int64
}

// over returns what a reader sees under a key where the snapshot holds value,
// if ok.
func (w write) over(value []byte, ok bool) ([]byte, bool) {
	switch w.kind {
	case writeSet:
		return w.value, true
	case writeDelete:
		return nil, false
	default:
		var base int64
		if ok {
			base = operandValue(value)
		}
		return encodeCounter(base + w.delta), true
	}
}

// writes are the writes of one transaction, one for each key, and the first
// violation of a limit, if there was one.
type writes struct {
	byKey map[string]write
	bytes int
	err   error
}

func (ws *writes) set(key, value []byte) {
	if len(value) > catalog.MaxStoreValue {
		ws.refuse(fmt.Errorf("%w: value under key %q has %d bytes, at most %d are accepted",
			container.ErrInvalid, key, len(value), catalog.MaxStoreValue))
		return
	}
	// The caller keeps its slice. An empty value is not nil: it is there.
	ws.put(key, write{kind: writeSet, value: append([]byte{}, value...)})
}

func (ws *writes) delete(key []byte) { ws.put(key, write{kind: writeDelete}) }

func (ws *writes) add(key []byte, delta int64) {
	switch earlier, ok := ws.byKey[string(key)]; {
	case !ok:
		ws.put(key, write{kind: writeAdd, delta: delta})
	case earlier.kind == writeAdd:
		ws.put(key, write{kind: writeAdd, delta: earlier.delta + delta})
	case earlier.kind == writeSet:
		ws.put(key, write{kind: writeSet, value: encodeCounter(operandValue(earlier.value) + delta)})
	default:
		ws.put(key, write{kind: writeSet, value: encodeCounter(delta)})
	}
}

func (ws *writes) put(key []byte, w write) {
	if err := validateKey(key); err != nil {
		ws.refuse(err)
		return
	}
	if ws.byKey == nil {
		ws.byKey = make(map[string]write)
	}
	earlier, ok := ws.byKey[string(key)]
	if !ok && len(ws.byKey) == catalog.MaxStoreWrites {
		ws.refuse(fmt.Errorf("%w: transaction writes more than %d keys", container.ErrInvalid, catalog.MaxStoreWrites))
		return
	}
	if !ok {
		ws.bytes += len(key)
	}
	ws.bytes += len(w.value) - len(earlier.value)
	ws.byKey[string(key)] = w
}

func (ws *writes) refuse(err error) {
	if ws.err == nil {
		ws.err = err
	}
}

func validateKey(key []byte) error {
	if len(key) == 0 || len(key) > catalog.MaxStoreKey {
		return fmt.Errorf("%w: store key has %d bytes, 1 to %d are accepted",
			container.ErrInvalid, len(key), catalog.MaxStoreKey)
	}
	return nil
}

// keys returns the keys that are written, ascending.
func (ws *writes) keys() []string {
	keys := make([]string, 0, len(ws.byKey))
	for key := range ws.byKey {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// A keyWrite is a write and its key.
type keyWrite struct {
	key []byte
	write
}

// within returns the writes to keys k with lower <= k < upper, ascending.
func (ws *writes) within(lower, upper []byte) []keyWrite {
	var found []keyWrite
	for key, w := range ws.byKey {
		if key >= string(lower) && key < string(upper) {
			found = append(found, keyWrite{[]byte(key), w})
		}
	}
	slices.SortFunc(found, func(a, b keyWrite) int { return bytes.Compare(a.key, b.key) })
	return found
}

// batchOverhead is what an operation costs in a batch beside key and value.
const batchOverhead = 16

// batch returns the writes as a batch of db.
func (ws *writes) batch(db *pebble.DB, keys []string) (*pebble.Batch, error) {
	batch := db.NewBatchWithSize(ws.bytes + len(keys)*(batchOverhead+counterSize))
	for _, key := range keys {
		var err error
		switch w := ws.byKey[key]; w.kind {
		case writeSet:
			err = batch.Set([]byte(key), w.value, nil)
		case writeDelete:
			err = batch.Delete([]byte(key), nil)
		default:
			err = batch.Merge([]byte(key), encodeCounter(w.delta), nil)
		}
		if err != nil {
			return nil, fmt.Errorf("pebblestore: build batch: %w", err)
		}
	}
	return batch, nil
}
