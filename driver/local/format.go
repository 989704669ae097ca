package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

// A blob's file is a row of groups and a footer. A group is up to 1 GiB of
// data in blocks of 64 KiB, of which only the blob's last may be shorter, and
// then a sum for each block. So the file of any blob of up to 1 GiB is
//
//	data | sums | footer
//
// with the data in one piece, and a Put never remembers more than one group's
// sums, 64 KiB, however large the blob. A sum is the CRC-32C of
//
//	nonce of the blob, 8 bytes | number of the block, 8 bytes | the block
//
// and all numbers are little endian. The footer is
//
//	 0  magic "vltrblob"
//	 8  version of this format, 4 bytes
//	12  blocks in a full group, 4 bytes
//	16  bytes of data, 8 bytes
//	24  nonce, 8 bytes
//	32  CRC-32C of bytes 0 to 31
const (
	blobMagic   = "vltrblob"
	blobVersion = 1
	blockSize   = 64 << 10
	sumSize     = 4
	footerSize  = 36
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// blockSum returns the sum of a block. The seed makes it wrong for the same
// bytes in another place, or in another blob that was in the same place.
func blockSum(nonce uint64, block int64, data []byte) uint32 {
	var seed [16]byte
	binary.LittleEndian.PutUint64(seed[:8], nonce)
	binary.LittleEndian.PutUint64(seed[8:], uint64(block))
	return crc32.Update(crc32.Checksum(seed[:], castagnoli), castagnoli, data)
}

// A geometry says where things are in a blob's file.
type geometry struct {
	groupBlocks int64
}

var defaultGeometry = geometry{groupBlocks: (1 << 30) / blockSize}

func blocksIn(size int64) int64 {
	n := size / blockSize
	if size%blockSize > 0 {
		n++
	}
	return n
}

// fileSize returns the size of the file of a blob of size bytes.
func (g geometry) fileSize(size int64) int64 {
	return size + blocksIn(size)*sumSize + footerSize
}

// blockOffset returns where a block begins.
func (g geometry) blockOffset(block int64) int64 {
	sumsBefore := block / g.groupBlocks * g.groupBlocks * sumSize
	return block*blockSize + sumsBefore
}

// groupLeft returns how many blocks there are from a block on in its group.
func (g geometry) groupLeft(block int64) int64 { return g.groupBlocks - block%g.groupBlocks }

// sumOffset returns where the sum of a block begins, in a blob of size bytes.
func (g geometry) sumOffset(block, size int64) int64 {
	first := block / g.groupBlocks * g.groupBlocks
	data := min(g.groupBlocks*blockSize, size-first*blockSize)
	return g.blockOffset(first) + data + (block-first)*sumSize
}

// A footer says what its file is.
type footer struct {
	geometry geometry
	size     int64
	nonce    uint64
}

func (f footer) append(b []byte) []byte {
	start := len(b)
	b = append(b, blobMagic...)
	b = binary.LittleEndian.AppendUint32(b, blobVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(f.geometry.groupBlocks))
	b = binary.LittleEndian.AppendUint64(b, uint64(f.size))
	b = binary.LittleEndian.AppendUint64(b, f.nonce)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// readFooter reads the footer of a file of fileSize bytes. What it returns
// agrees with that size.
func readFooter(f vfs.ReadFile, fileSize int64) (footer, error) {
	if fileSize < footerSize {
		return footer{}, fmt.Errorf("%w: the file has %d bytes, fewer than its footer", container.ErrCorrupt, fileSize)
	}
	var b [footerSize]byte
	if err := readAt(f, b[:], fileSize-footerSize); err != nil {
		return footer{}, fmt.Errorf("read footer: %w", err)
	}
	return parseFooter(b[:], fileSize)
}

func parseFooter(b []byte, fileSize int64) (footer, error) {
	if string(b[:8]) != blobMagic || binary.LittleEndian.Uint32(b[32:]) != crc32.Checksum(b[:32], castagnoli) {
		return footer{}, fmt.Errorf("%w: the footer fails its checksum", container.ErrCorrupt)
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != blobVersion {
		return footer{}, fmt.Errorf("%w: the file is of version %d; this program reads version %d",
			errors.ErrUnsupported, v, blobVersion)
	}
	f := footer{
		geometry: geometry{groupBlocks: int64(binary.LittleEndian.Uint32(b[12:]))},
		size:     int64(binary.LittleEndian.Uint64(b[16:])),
		nonce:    binary.LittleEndian.Uint64(b[24:]),
	}
	if f.geometry.groupBlocks == 0 || f.size < 0 || f.size > math.MaxInt64/2 || f.geometry.fileSize(f.size) != fileSize {
		return footer{}, fmt.Errorf("%w: the file has %d bytes, which its footer does not explain", container.ErrCorrupt, fileSize)
	}
	return f, nil
}

// readAt fills b from off. A file that ends earlier than its own footer said
// has lost bytes.
func readAt(f io.ReaderAt, b []byte, off int64) error {
	n, err := f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the file ends at %d, within the bytes to read", container.ErrCorrupt, off+int64(n))
	}
	return err
}
