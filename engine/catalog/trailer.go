package catalog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/tenant"
)

// A Trailer ends each blob and says what the blob belongs to, so that an
// orphan can be told from a stranger's blob, and a lost catalog can be made
// anew. Drivers keep it without knowing; no extent ever covers it.
//
// On disk it is a row (a format byte and fields), zeros up to the length that
// was promised beforehand, and a footer of [TrailerFooterLength] bytes: the row's
// length, the whole trailer's length and the CRC32C of the row and both lengths,
// 32 bits each and big endian, and 8 bytes of magic.
type Trailer struct {
	unknownFields
	// Kind says what the blob is, as far as this version knows: 0 is the bytes of
	// an artifact that was put in one call.
	Kind      uint64
	Catalog   string // Catalog.ID
	Content   ContentID
	Tenant    tenant.ID
	Container string
	Key       string
	Written   time.Time // when the bytes had all arrived
	// Owner and Created are the container's.
	Owner   container.Owner
	Created time.Time
	// Version is what was to be committed, without the sequence that the
	// commit would have given it.
	Version Version
}

// Lengths of trailers in bytes.
const (
	TrailerFooterLength = 20
	MaxTrailerLength    = 16 << 10
)

// ErrNoTrailer: a blob does not end in a trailer at all.
var ErrNoTrailer = fmt.Errorf("catalog: %w: blob has no trailer", container.ErrCorrupt)

var trailerMagic = [8]byte{'V', 'L', 'T', 'T', 'R', 'L', 'R', '1'}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (t *Trailer) appendFields(b []byte) []byte {
	b = appendString(b, 1, t.Catalog)
	b = appendString(b, 2, t.Content[:])
	b = appendString(b, 3, t.Tenant)
	b = appendString(b, 4, t.Container)
	b = appendString(b, 5, t.Key)
	b = appendTime(b, 6, t.Written)
	b = appendMessage(b, 7, &t.Version)
	b = appendUint(b, 8, t.Kind)
	b = appendString(b, 9, t.Owner.ID)
	b = appendString(b, 10, t.Owner.DisplayName)
	b = appendTime(b, 11, t.Created)
	return append(b, t.unknownFields...)
}

func (t *Trailer) setField(f field) (bool, error) {
	var err error
	switch {
	case f.isBytes(1):
		t.Catalog = f.text
	case f.isBytes(2):
		t.Content, err = f.id()
	case f.isBytes(3):
		t.Tenant = tenant.ID(f.text)
	case f.isBytes(4):
		t.Container = f.text
	case f.isBytes(5):
		t.Key = f.text
	case f.isUint(6):
		t.Written = f.time()
	case f.isBytes(7):
		err = f.message(&t.Version)
	case f.isUint(8):
		t.Kind = f.value
	case f.isBytes(9):
		t.Owner.ID = f.text
	case f.isBytes(10):
		t.Owner.DisplayName = f.text
	case f.isUint(11):
		t.Created = f.time()
	default:
		return false, nil
	}
	return true, err
}

// Encode returns the trailer in exactly length bytes, which must be enough.
func (t *Trailer) Encode(length int) ([]byte, error) {
	row := encodeRow(t)
	if len(row)+TrailerFooterLength > length || length > MaxTrailerLength {
		return nil, fmt.Errorf("catalog: trailer of %d bytes does not fit into %d", len(row)+TrailerFooterLength, length)
	}
	b := make([]byte, length)
	copy(b, row)
	f := b[length-TrailerFooterLength:]
	binary.BigEndian.PutUint32(f, uint32(len(row)))
	binary.BigEndian.PutUint32(f[4:], uint32(length))
	binary.BigEndian.PutUint32(f[8:], trailerSum(row, f))
	copy(f[12:], trailerMagic[:])
	return b, nil
}

// EncodedLength returns the length of the trailer's shortest encoding.
func (t *Trailer) EncodedLength() int { return len(encodeRow(t)) + TrailerFooterLength }

// TrailerLength returns the length of the trailer that ends in footer, which
// has TrailerFooterLength bytes, or an ErrNoTrailer if it is not a trailer's.
func TrailerLength(footer []byte) (int, error) {
	if len(footer) != TrailerFooterLength || [8]byte(footer[12:]) != trailerMagic {
		return 0, ErrNoTrailer
	}
	n := binary.BigEndian.Uint32(footer[4:])
	if n < TrailerFooterLength || n > MaxTrailerLength {
		return 0, fmt.Errorf("catalog: %w: trailer of %d bytes", container.ErrCorrupt, n)
	}
	return int(n), nil
}

// DecodeTrailer reads a whole trailer.
func DecodeTrailer(b []byte) (Trailer, error) {
	if len(b) < TrailerFooterLength {
		return Trailer{}, fmt.Errorf("catalog: %w: trailer of %d bytes", container.ErrCorrupt, len(b))
	}
	f := b[len(b)-TrailerFooterLength:]
	n, err := TrailerLength(f)
	if err != nil {
		return Trailer{}, err
	}
	row := int(binary.BigEndian.Uint32(f))
	if n != len(b) || row > n-TrailerFooterLength {
		return Trailer{}, fmt.Errorf("catalog: %w: trailer of %d bytes says it has %d", container.ErrCorrupt, len(b), n)
	}
	if trailerSum(b[:row], f) != binary.BigEndian.Uint32(f[8:]) {
		return Trailer{}, fmt.Errorf("catalog: %w: trailer's checksum does not match", container.ErrCorrupt)
	}
	var t Trailer
	if err := decodeRow(b[:row], &t); err != nil {
		return Trailer{}, err
	}
	return t, nil
}

func trailerSum(row, footer []byte) uint32 {
	return crc32.Update(crc32.Checksum(row, castagnoli), castagnoli, footer[:8])
}
