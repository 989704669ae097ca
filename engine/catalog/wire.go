package catalog

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/vaultaire/vaultaire/container"
)

// Rows are written in the wire format of Protocol Buffers behind one byte that
// names the format, so that a later version can add fields, and an earlier one
// keeps those it does not know when it rewrites a row.
const rowFormat = 1

// errCorruptRow: a row cannot be read. It is not a caller's fault.
var errCorruptRow = fmt.Errorf("catalog: %w: unreadable row", container.ErrCorrupt)

// A message is a row, or a part of one.
type message interface {
	// appendFields appends the message's fields, the unknown ones last.
	appendFields(b []byte) []byte
	// setField takes one field; it reports whether the field is known.
	setField(f field) (known bool, err error)
	// keepUnknown takes a field that is not known, to be written again.
	keepUnknown(raw []byte)
}

// unknownFields is embedded in each message.
type unknownFields []byte

func (u *unknownFields) keepUnknown(raw []byte) { *u = append(*u, raw...) }

// encodeRow returns m as a row.
func encodeRow(m message) []byte {
	return m.appendFields(append(make([]byte, 0, 256), rowFormat))
}

// decodeRow reads a row into m, which is zero. Nothing of m refers to b.
func decodeRow(b []byte, m message) error {
	if len(b) == 0 || b[0] != rowFormat {
		return fmt.Errorf("%w: format is not %d", errCorruptRow, rowFormat)
	}
	return decodeMessage(b[1:], m)
}

func decodeMessage(b []byte, m message) error {
	for len(b) > 0 {
		f, n := consumeField(b)
		if n < 0 {
			return fmt.Errorf("%w: %w", errCorruptRow, protowire.ParseError(n))
		}
		known, err := m.setField(f)
		if err != nil {
			return err
		}
		if !known {
			m.keepUnknown(b[:n])
		}
		b = b[n:]
	}
	return nil
}

// A field is one field of a message as it came over the wire.
type field struct {
	num   protowire.Number
	typ   protowire.Type
	value uint64 // of a varint
	data  []byte // of a string or a message
}

func consumeField(b []byte) (field, int) {
	num, typ, tag := protowire.ConsumeTag(b)
	if tag < 0 {
		return field{}, tag
	}
	f := field{num: num, typ: typ}
	var n int
	switch typ {
	case protowire.VarintType:
		f.value, n = protowire.ConsumeVarint(b[tag:])
	case protowire.BytesType:
		f.data, n = protowire.ConsumeBytes(b[tag:])
	default:
		n = protowire.ConsumeFieldValue(num, typ, b[tag:])
	}
	if n < 0 {
		return field{}, n
	}
	return f, tag + n
}

// isUint reports whether f is the field num and holds a number.
func (f field) isUint(num protowire.Number) bool {
	return f.num == num && f.typ == protowire.VarintType
}

// isBytes reports whether f is the field num and holds a string or a message.
func (f field) isBytes(num protowire.Number) bool {
	return f.num == num && f.typ == protowire.BytesType
}

func (f field) time() time.Time { return time.Unix(0, int64(f.value)).UTC() }

func (f field) contentID() (ContentID, error) {
	if len(f.data) != len(ContentID{}) {
		return ContentID{}, fmt.Errorf("%w: content ID of %d bytes", errCorruptRow, len(f.data))
	}
	return ContentID(f.data), nil
}

// Fields that hold a zero value are left out.

func appendUint(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

func appendBool(b []byte, num protowire.Number, v bool) []byte {
	return appendUint(b, num, protowire.EncodeBool(v))
}

func appendTime(b []byte, num protowire.Number, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return appendUint(b, num, uint64(t.UnixNano()))
}

func appendString[S ~string | ~[]byte](b []byte, num protowire.Number, s S) []byte {
	if len(s) == 0 {
		return b
	}
	b = protowire.AppendTag(b, num, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(s)))
	return append(b, s...)
}

// appendMessage appends m even if it is empty, because its presence counts.
func appendMessage(b []byte, num protowire.Number, m message) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return protowire.AppendBytes(b, m.appendFields(nil))
}
