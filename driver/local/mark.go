package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

// A mark is the first 64 bytes of a segment and of a deletion log, and the
// last 64 of a segment that is sealed. It says what the file is:
//
//	 0  magic "vltrsegm", "vltrdead" or "vltrseal"
//	 8  version of this format, 4 bytes
//	12  zeros
//	16  number of the file, 8 bytes
//	24  nonce of the file, 8 bytes
//	32  extra, 8 bytes: of a seal, where it is; of a log, the highest number
//	    that a segment had when the log was made
//	40  zeros
//	60  CRC-32C of bytes 0 to 59
//
// A seal repeats what the header says, so that damage to one of them does no
// harm: without the nonce no record could be told from chance.
type mark struct {
	magic  string
	number uint64
	nonce  uint64
	extra  uint64
}

const (
	segmentMagic = "vltrsegm"
	logMagic     = "vltrdead"
	sealMagic    = "vltrseal"
	markVersion  = 1
	markSize     = 64
)

func (m mark) append(b []byte) []byte {
	start := len(b)
	b = append(b, m.magic...)
	b = binary.LittleEndian.AppendUint32(b, markVersion)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint64(b, m.number)
	b = binary.LittleEndian.AppendUint64(b, m.nonce)
	b = binary.LittleEndian.AppendUint64(b, m.extra)
	b = append(b, make([]byte, 20)...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// readMark reads the mark at off, which must have the magic and the number.
func readMark(f vfs.ReadFile, off int64, magic string, number uint64) (mark, error) {
	var b [markSize]byte
	if err := readAt(f, b[:], off); err != nil {
		return mark{}, err
	}
	m, err := parseMark(b, magic)
	if err != nil {
		return mark{}, fmt.Errorf("the mark at %d: %w", off, err)
	}
	if m.extra > maxSegment {
		return mark{}, fmt.Errorf("%w: the mark at %d says %d", container.ErrCorrupt, off, m.extra)
	}
	if m.number != number {
		return mark{}, fmt.Errorf("%w: the mark at %d is that of file %d", container.ErrCorrupt, off, m.number)
	}
	return m, nil
}

func parseMark(b [markSize]byte, magic string) (mark, error) {
	if string(b[:8]) != magic || binary.LittleEndian.Uint32(b[60:]) != crc32.Checksum(b[:60], castagnoli) {
		return mark{}, fmt.Errorf("%w: it fails its checksum", container.ErrCorrupt)
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != markVersion {
		return mark{}, fmt.Errorf("%w: the file is of version %d; this program reads version %d",
			errors.ErrUnsupported, v, markVersion)
	}
	return mark{
		magic:  magic,
		number: binary.LittleEndian.Uint64(b[16:]),
		nonce:  binary.LittleEndian.Uint64(b[24:]),
		extra:  binary.LittleEndian.Uint64(b[32:]),
	}, nil
}
