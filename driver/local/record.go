package local

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// A segment is a header (see mark), records, and once it is sealed a seal.
// Each record begins at a multiple of 64 bytes and is
//
//	 0  magic "vrec"
//	 4  CRC-32C, 4 bytes
//	 8  bytes of data, 4 bytes
//	12  synced, 4 bytes: up to which multiple of 64 bytes the segment was known
//	    to be durable when this record was written
//	16  nonce of the blob, 8 bytes
//	24  when it was put, in nanoseconds since 1970, 8 bytes
//	32  a sum for each block of 64 KiB; see blockSum
//	    the data
//	    zeros up to the next multiple of 64
//
// All numbers are little endian. The CRC is that of
//
//	nonce of the segment, 8 bytes | its number, 8 bytes | offset of the record, 8 bytes
//
// and of the record from byte 8 on, up to its data. So a record that is stale,
// that is another's, that is in the wrong place, or that somebody put as data
// in the hope that it be taken for one, fails.
const (
	recordMagic  = "vrec"
	recordHeader = 32
	recordAlign  = 64

	// maxSmallBlob is the most data that a record may have, and maxRecordHead the
	// most bytes before its data.
	maxSmallBlob  = 1 << 20
	maxRecordHead = recordHeader + maxSmallBlob/blockSize*sumSize
)

// A record is what a record's header says.
type record struct {
	offset  int64 // where in its segment it is
	size    int64 // of its data
	synced  int64 // in bytes
	nonce   uint64
	created time.Time
}

// headSize returns the size of what comes before the data.
func headSize(size int64) int64 { return recordHeader + blocksIn(size)*sumSize }

// recordSize returns the size of a record with so much data.
func recordSize(size int64) int64 {
	n := headSize(size) + size
	return (n + recordAlign - 1) / recordAlign * recordAlign
}

func (r record) end() int64 { return r.offset + recordSize(r.size) }

// A segmentID tells one segment from all others.
type segmentID struct {
	number uint64
	nonce  uint64
}

// recordSum returns the CRC of a record whose bytes up to its data are head.
func (s segmentID) recordSum(offset int64, head []byte) uint32 {
	var seed [24]byte
	binary.LittleEndian.PutUint64(seed[:], s.nonce)
	binary.LittleEndian.PutUint64(seed[8:], s.number)
	binary.LittleEndian.PutUint64(seed[16:], uint64(offset))
	return crc32.Update(crc32.Checksum(seed[:], castagnoli), castagnoli, head[8:])
}

// putHead writes what is known of a record before its place is, and the sums
// of its data, to head.
func (r record) putHead(head, data []byte) {
	copy(head, recordMagic)
	binary.LittleEndian.PutUint32(head[8:], uint32(r.size))
	binary.LittleEndian.PutUint64(head[16:], r.nonce)
	binary.LittleEndian.PutUint64(head[24:], uint64(r.created.UnixNano()))
	sums := head[recordHeader:]
	for block := range blocksIn(r.size) {
		binary.LittleEndian.PutUint32(sums[block*sumSize:], blockSum(r.nonce, block, blockOf(data, block)))
	}
}

// placeHead completes the head of a record that comes to be at offset.
func (s segmentID) placeHead(head []byte, offset, synced int64) {
	binary.LittleEndian.PutUint32(head[12:], uint32(synced/recordAlign))
	binary.LittleEndian.PutUint32(head[4:], s.recordSum(offset, head))
}

// parseHead parses the head of a record at offset, of which b has at least
// the header and, if it is sound, all. It reports false if it is not.
func (s segmentID) parseHead(b []byte, offset int64) (record, bool) {
	if len(b) < recordHeader || string(b[:4]) != recordMagic {
		return record{}, false
	}
	r := record{
		offset:  offset,
		size:    int64(binary.LittleEndian.Uint32(b[8:])),
		synced:  int64(binary.LittleEndian.Uint32(b[12:])) * recordAlign,
		nonce:   binary.LittleEndian.Uint64(b[16:]),
		created: time.Unix(0, int64(binary.LittleEndian.Uint64(b[24:]))).UTC(),
	}
	head := headSize(r.size)
	sound := r.size <= maxSmallBlob && head <= int64(len(b)) &&
		binary.LittleEndian.Uint32(b[4:]) == s.recordSum(offset, b[:head])
	return r, sound
}

// blockOf returns a block of data.
func blockOf(data []byte, block int64) []byte {
	return data[block*blockSize : min((block+1)*blockSize, int64(len(data)))]
}

// badBlock returns the first block of data, of those that begin with the
// block first, that fails its sum in head; -1 if none does.
func (r record) badBlock(head, data []byte, first int64) int64 {
	for i := range blocksIn(int64(len(data))) {
		want := binary.LittleEndian.Uint32(head[recordHeader+(first+i)*sumSize:])
		if blockSum(r.nonce, first+i, blockOf(data, i)) != want {
			return first + i
		}
	}
	return -1
}
