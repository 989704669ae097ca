package catalog

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/vaultaire/vaultaire/tenant"
)

// The tables. A key is the byte of its table and the parts listed here. Names
// of tenants and containers hold no zero byte, so one ends each of them; a
// part of fixed length, or the last one, ends by itself.
const (
	tableMeta        = 'm' // name
	tableDriver      = 'd' // name
	tableIncarnation = 'i' // incarnation
	tableContainer   = 'c' // tenant, container
	tableHead        = 'h' // tenant, container, key
	tablePast        = 'p' // tenant, container, escaped key, ^sequence
	tableContent     = 'b' // tenant, content
	tableCondemned   = 'q' // tenant, content
	tableUsage       = 'n' // tenant, container, counter
	tableUndo        = 'u' // ^epoch, ^number
)

const nameEnd = 0x00

// keyOf joins the byte of a table and names that each end in nameEnd.
func keyOf(table byte, names ...string) []byte {
	size := 1
	for _, n := range names {
		size += len(n) + 1
	}
	// Room for a key or an ID to be appended without another allocation.
	k := append(make([]byte, 0, size+32), table)
	for _, n := range names {
		k = append(append(k, n...), nameEnd)
	}
	return k
}

func (s Scope) containerKey(name string) []byte { return append(s.containers(), name...) }
func (s Scope) containers() []byte              { return keyOf(tableContainer, string(s.tenant)) }

func (s Scope) headKey(name, key string) []byte { return append(s.heads(name), key...) }
func (s Scope) heads(name string) []byte        { return keyOf(tableHead, string(s.tenant), name) }
func (s Scope) pasts(name string) []byte        { return keyOf(tablePast, string(s.tenant), name) }

func (s Scope) contentKey(id ContentID) []byte {
	return append(keyOf(tableContent, string(s.tenant)), id[:]...)
}

func (s Scope) condemnedKey(id ContentID) []byte {
	return append(keyOf(tableCondemned, string(s.tenant)), id[:]...)
}

func (s Scope) usageKey(name string, c counter) []byte {
	return append(keyOf(tableUsage, string(s.tenant), name), byte(c))
}

// parseHeadKey is the inverse of headKey.
func parseHeadKey(k []byte) (id tenant.ID, name, key string, err error) {
	parts := bytes.SplitN(k[1:], []byte{nameEnd}, 3)
	if len(parts) != 3 {
		return "", "", "", fmt.Errorf("%w: head has the key %x", errCorruptRow, k)
	}
	return tenant.ID(parts[0]), string(parts[1]), string(parts[2]), nil
}

// parseCondemnedKey is the inverse of condemnedKey.
func parseCondemnedKey(k []byte) (tenant.ID, ContentID, error) {
	name, id, ok := bytes.Cut(k[1:], []byte{nameEnd})
	if !ok || len(id) != len(ContentID{}) {
		return "", ContentID{}, fmt.Errorf("%w: reclaim queue has the key %x", errCorruptRow, k)
	}
	return tenant.ID(name), ContentID(id), nil
}

func metaKey(name string) []byte   { return append([]byte{tableMeta}, name...) }
func driverKey(name string) []byte { return append([]byte{tableDriver}, name...) }

func (i Incarnation) key() []byte {
	return binary.BigEndian.AppendUint64([]byte{tableIncarnation}, uint64(i))
}

// parseIncarnationKey is the inverse of Incarnation.key.
func parseIncarnationKey(k []byte) (Incarnation, error) {
	if len(k) != 9 {
		return 0, fmt.Errorf("%w: incarnation has the key %x", errCorruptRow, k)
	}
	return Incarnation(binary.BigEndian.Uint64(k[1:])), nil
}

// prefixEnd returns the first key behind all keys that begin with prefix, which
// has a byte other than 0xff.
func prefixEnd(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] != 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}
