package local

import (
	"io"
	"math/bits"
	"sync"
	"time"

	"github.com/vaultaire/vaultaire/driver"
)

// A recordBuffer has room for a record. The data is always at the same place,
// with room before it for as large a head as there may be, so that data of
// unknown length need not be moved once its length is known.
type recordBuffer struct {
	bytes []byte
	size  int64 // of the data
}

const (
	smallestBuffer = 4 << 10
	bufferSizes    = 10 // the largest is 2 MiB
)

// recordPools has a pool for each power of two.
var recordPools [bufferSizes]sync.Pool

// getRecordBuffer returns a buffer with room for so much data.
func getRecordBuffer(size int64) *recordBuffer {
	n := uint64(maxRecordHead+size+recordAlign-1) / smallestBuffer
	class := bits.Len64(n)
	if b, ok := recordPools[class].Get().(*recordBuffer); ok {
		b.size = 0
		return b
	}
	return &recordBuffer{bytes: make([]byte, smallestBuffer<<class)}
}

// free gives the buffer back. b may be nil.
func (b *recordBuffer) free() {
	if b != nil {
		recordPools[bits.Len(uint(len(b.bytes)/smallestBuffer))-1].Put(b)
	}
}

// room returns where data goes, without the bytes that may follow it.
func (b *recordBuffer) room() []byte {
	return b.bytes[maxRecordHead : len(b.bytes)-recordAlign+1]
}

func (b *recordBuffer) data() []byte { return b.bytes[maxRecordHead:][:b.size] }

// record returns the record of the data: head, data, zeros.
func (b *recordBuffer) record() []byte {
	return b.bytes[maxRecordHead-headSize(b.size):][:recordSize(b.size)]
}

// head returns the part of the record before the data.
func (b *recordBuffer) head() []byte { return b.record()[:headSize(b.size)] }

// complete makes the record of the data, but for what depends on its place.
func (b *recordBuffer) complete(nonce uint64, created time.Time) {
	rec := b.record()
	clear(rec[:recordHeader])
	clear(rec[headSize(b.size)+b.size:])
	record{size: b.size, nonce: nonce, created: created}.putHead(b.head(), b.data())
}

// readSmall reads src to its end, or to more than limit bytes, which leaves the
// buffer over-full: then whole is false, and the blob is none for a segment.
// size is how many bytes to expect; -1 if unknown.
func readSmall(src *driver.Source, size, limit int64) (b *recordBuffer, whole bool, err error) {
	b = getRecordBuffer(max(size+1, 0)) // and one, to meet the end
	for {
		room := b.room()
		room = room[:min(int64(len(room)), limit+1)]
		n, err := src.Fill(room[b.size:])
		b.size += int64(n)
		switch {
		case err == io.EOF:
			return b, b.size <= limit, nil
		case err != nil:
			b.free()
			return nil, false, err
		case b.size > limit:
			return b, false, nil
		}
		b = b.grow()
	}
}

// grow returns a larger buffer with the same data.
func (b *recordBuffer) grow() *recordBuffer {
	larger := getRecordBuffer(2 * int64(len(b.room())))
	larger.size = b.size
	copy(larger.data(), b.data())
	b.free()
	return larger
}
