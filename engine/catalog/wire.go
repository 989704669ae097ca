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

// decodeRow reads a row into m, which is zero. Nothing of m refers to b. The
// strings of m share one copy of the row, which costs less than one each.
func decodeRow(b []byte, m message) error {
	if len(b) == 0 || b[0] != rowFormat {
		return fmt.Errorf("%w: format is not %d", errCorruptRow, rowFormat)
	}
	return decodeMessage(b[1:], string(b[1:]), m)
}

// decodeMessage reads b into m; text is the same bytes as b.
func decodeMessage(b []byte, text string, m message) error {
	for len(b) > 0 {
		f, n := consumeField(b, text)
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
		b, text = b[n:], text[n:]
	}
	return nil
}

// A field is one field of a message as it came over the wire.
type field struct {
	num   protowire.Number
	typ   protowire.Type
	value uint64 // of a varint
	data  []byte // of a string or a message; the row's own
	text  string // the same, to be kept
}

func consumeField(b []byte, text string) (field, int) {
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
		if f.data, n = protowire.ConsumeBytes(b[tag:]); n > 0 {
			end := tag + n
			f.text = text[end-len(f.data) : end]
		}
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

// message reads the message in f into m.
func (f field) message(m message) error { return decodeMessage(f.data, f.text, m) }

func (f field) time() time.Time { return time.Unix(0, int64(f.value)).UTC() }

// id returns the ID in f, a ContentID or a ULID.
func (f field) id() (id [16]byte, err error) {
	if len(f.data) != len(id) {
		return id, fmt.Errorf("%w: ID of %d bytes", errCorruptRow, len(f.data))
	}
	return [16]byte(f.data), nil
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
