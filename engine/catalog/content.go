package catalog

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

// An Incarnation is one run of an engine over a catalog. Its number is random,
// so that the runs of a catalog and of a restored copy of it differ.
type Incarnation uint64

// String returns the incarnation as 16 hexadecimal digits.
func (i Incarnation) String() string { return fmt.Sprintf("%016x", uint64(i)) }

// A ContentID names a content for ever: 8 bytes of the incarnation that minted
// it, and 8 bytes that count within it.
type ContentID [16]byte

func newContentID(i Incarnation, n uint64) (id ContentID) {
	binary.BigEndian.PutUint64(id[:8], uint64(i))
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

// Incarnation returns the incarnation that minted the ID.
func (id ContentID) Incarnation() Incarnation {
	return Incarnation(binary.BigEndian.Uint64(id[:8]))
}

// String returns the ID as "incarnation/number" in hexadecimal digits, which is
// a part of the names of blobs.
func (id ContentID) String() string {
	return hex.EncodeToString(id[:8]) + "/" + hex.EncodeToString(id[8:])
}

// A Content is the bytes that versions point to, and the number of those that
// do. It is either one blob, of which Replicas are the copies, or a list of
// extents of other contents.
type Content struct {
	unknownFields
	// Refs counts the versions, and the contents with extents, that point here.
	// A content without any is condemned: it is never referred to again, and
	// its blobs are deleted once nobody reads them.
	Refs     uint64
	Size     int64 // bytes that versions see
	Replicas []Replica
	Extents  []Extent
}

// A Replica is one copy of a blob.
type Replica struct {
	unknownFields
	Driver string // the driver's name in the engine
	Ref    driver.Ref
}

// HasReplica reports whether one of the copies is there.
func (c *Content) HasReplica(name string, ref driver.Ref) bool { return c.findReplica(name, ref) >= 0 }

func (c *Content) findReplica(name string, ref driver.Ref) int {
	return slices.IndexFunc(c.Replicas, func(r Replica) bool { return r.Driver == name && r.Ref == ref })
}

// An Extent is a part of another content.
type Extent struct {
	unknownFields
	Content ContentID
	Offset  int64
	Length  int64
}

func (c *Content) appendFields(b []byte) []byte {
	b = appendUint(b, 1, c.Refs)
	b = appendUint(b, 2, uint64(c.Size))
	for i := range c.Replicas {
		b = appendMessage(b, 3, &c.Replicas[i])
	}
	for i := range c.Extents {
		b = appendMessage(b, 4, &c.Extents[i])
	}
	return append(b, c.unknownFields...)
}

func (c *Content) setField(f field) (bool, error) {
	switch {
	case f.isUint(1):
		c.Refs = f.value
	case f.isUint(2):
		c.Size = int64(f.value)
	case f.isBytes(3):
		var r Replica
		if err := f.message(&r); err != nil {
			return true, err
		}
		c.Replicas = append(c.Replicas, r)
	case f.isBytes(4):
		var e Extent
		if err := f.message(&e); err != nil {
			return true, err
		}
		c.Extents = append(c.Extents, e)
	default:
		return false, nil
	}
	return true, nil
}

func (r *Replica) appendFields(b []byte) []byte {
	b = appendString(b, 1, r.Driver)
	b = appendString(b, 2, r.Ref)
	return append(b, r.unknownFields...)
}

func (r *Replica) setField(f field) (bool, error) {
	switch {
	case f.isBytes(1):
		r.Driver = f.text
	case f.isBytes(2):
		r.Ref = driver.Ref(f.text)
	default:
		return false, nil
	}
	return true, nil
}

func (e *Extent) appendFields(b []byte) []byte {
	b = appendString(b, 1, e.Content[:])
	b = appendUint(b, 2, uint64(e.Offset))
	b = appendUint(b, 3, uint64(e.Length))
	return append(b, e.unknownFields...)
}

func (e *Extent) setField(f field) (bool, error) {
	var err error
	switch {
	case f.isBytes(1):
		e.Content, err = f.id()
	case f.isUint(2):
		e.Offset = int64(f.value)
	case f.isUint(3):
		e.Length = int64(f.value)
	default:
		return false, nil
	}
	return true, err
}

// A digestField is a container.Digest as a message.
type digestField struct {
	unknownFields
	container.Digest
}

func (d *digestField) appendFields(b []byte) []byte {
	b = appendString(b, protowire.Number(1), d.Algorithm)
	b = appendString(b, protowire.Number(2), d.Sum)
	return append(b, d.unknownFields...)
}

func (d *digestField) setField(f field) (bool, error) {
	switch {
	case f.isBytes(1):
		d.Algorithm = container.Algorithm(f.text)
	case f.isBytes(2):
		d.Sum = f.text
	default:
		return false, nil
	}
	return true, nil
}
