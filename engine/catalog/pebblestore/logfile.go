package pebblestore

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// A logFile is a file of Pebble's log. Pebble writes a record to the file only
// on the way to a sync, and in memory a record would not outlive the process. So
// lazy commits ask for a sync too, and the logFile leaves it out if no other
// commit waits for one: what Pebble has written is then with the operating
// system, and is synced with the first commit that does wait, or when the file
// is closed, which comes before the next one is made. Hence what is durable is
// always the beginning of what was committed.
//
// Pebble notes in each record how far it believes the log to be synced, and
// takes for damage what cannot be read before that place. The logFile corrects
// those notes, or else a log whose end a power cut has torn could not be opened.
// Should it meet a record that it does not understand, it syncs as it is told.
//
// Pebble uses it from one goroutine at a time.
type logFile struct {
	*fencedFile
	written int64 // the length of the file
	synced  int64 // how much of it is durable
	omitted bool  // a sync was left out
	strict  bool  // none may be left out any more
}

func (f *logFile) Write(p []byte) (int, error) {
	if f.omitted && f.synced < f.written {
		corrected, ok := correctNotes(p, f.written, f.synced)
		if !ok {
			// The notes are true once all that they may speak of is synced.
			f.strict = true
			if err := f.syncAll(); err != nil {
				return 0, err
			}
			corrected = p
		}
		p = corrected
	}
	n, err := f.fencedFile.Write(p)
	f.written += int64(n)
	return n, err
}

func (f *logFile) Sync() error { return f.SyncData() }
func (f *logFile) SyncData() error {
	if !f.strict && f.fence.lazy.Load() > 0 && f.fence.waiting.Load() == 0 {
		f.omitted = true
		return nil
	}
	return f.syncAll()
}

func (f *logFile) syncAll() error {
	err := f.fencedFile.SyncData()
	if err == nil {
		f.synced = f.written
	}
	return err
}

// Close makes up for a sync that was left out. Behind the fence a failure shows
// as poison.
func (f *logFile) Close() error {
	if f.synced < f.written {
		_ = f.syncAll()
	}
	return f.fencedFile.Close()
}

// The records of the log: chunks that do not cross the boundaries of blocks.
// What is left of a block and too short for a chunk is zero. A chunk begins with
//
//	CRC32C of what follows, masked | size of the data, 16 bits | kind | log number, 32 bits
//
// in little endian, and then has a note of 64 bits if its kind says so. A log that
// was closed ends in a chunk of zeros but for its kind and its number.
const (
	logBlock = 32 << 10

	chunkSize = 4 // places in a chunk
	chunkKind = 6
	chunkNote = 11

	plainHeader    = 11
	notedHeader    = 19
	firstPlainKind = 5
	firstNotedKind = 9
	lastKind       = 12
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// correctNotes returns whole chunks of a log that begin at the offset off, with
// no note above synced; false if they are not what they should be.
func correctNotes(p []byte, off, synced int64) ([]byte, bool) {
	p = append([]byte(nil), p...) // Pebble's own remains as it is
	for i := 0; i < len(p); {
		left := int(logBlock - (off+int64(i))%logBlock) // of the block
		rest := p[i:min(i+left, len(p))]
		if left < plainHeader || left < notedHeader && len(rest) == left && rest[chunkKind] == 0 {
			i += len(rest)
			continue
		}
		n := correctNote(rest, synced)
		if n == 0 {
			return nil, false
		}
		i += n
	}
	return p, true
}

// correctNote corrects the chunk that b begins with and returns its length, 0 if
// there is none.
func correctNote(b []byte, synced int64) int {
	if len(b) < plainHeader {
		return 0
	}
	header := plainHeader
	switch kind := b[chunkKind]; {
	case kind < firstPlainKind || kind > lastKind:
		return 0
	case kind >= firstNotedKind:
		header = notedHeader
	}
	n := header + int(binary.LittleEndian.Uint16(b[chunkSize:]))
	if n > len(b) {
		return 0
	}
	chunk, sum := b[:n], binary.LittleEndian.Uint32(b)
	if isEnd := n == plainHeader && sum == 0; !isEnd && sum != chunkChecksum(chunk) {
		return 0
	}
	if header == notedHeader && binary.LittleEndian.Uint64(chunk[chunkNote:]) > uint64(synced) {
		binary.LittleEndian.PutUint64(chunk[chunkNote:], uint64(synced))
		binary.LittleEndian.PutUint32(chunk, chunkChecksum(chunk))
	}
	return n
}

func chunkChecksum(chunk []byte) uint32 {
	return bits.RotateLeft32(crc32.Checksum(chunk[chunkKind:], castagnoli), 17) + 0xa282ead8
}
