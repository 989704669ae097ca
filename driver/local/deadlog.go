package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync/atomic"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

// A deletion log says which records are deleted. It is a header (see mark) and
// entries of 32 bytes, each at a multiple of 32:
//
//	 0  CRC-32C, 4 bytes
//	 4  offset of the record in units of 64 bytes, 4 bytes
//	 8  number of the segment, 8 bytes
//	16  nonce of the blob, 8 bytes
//	24  bytes of data, 4 bytes
//	28  zeros
//
// All numbers are little endian. The CRC is that of the nonce of the log and
// the offset of the entry, 8 bytes each, and of the entry from byte 4 on. Each
// entry stands for itself, so what is torn or damaged is skipped, and a log
// that an earlier run wrote can be appended to: nothing is lost behind a hole.
//
// Where a log is damaged or lost, blobs that were deleted are there again.
// That does no harm: who lists them finds that nobody needs them.
type deadLog struct {
	driver *Driver
	rounds rounds[smallRef]

	// Owned by the round that runs.
	active *appendFile // nil before the first entry
	batch  []byte

	entries atomic.Int64 // in all logs
}

const (
	entrySize = 32

	// A log has zeros ahead, so that deletions need no room on a disk that is
	// full, and can give room back: as many bytes as the logShare-th part of what
	// is in segments, which is enough to delete it all where records have 2 KiB
	// or more, within these limits.
	logShare      = 64
	minLogReserve = 64 << 10
	maxLogReserve = 4 << 20
)

func newDeadLog(d *Driver) *deadLog {
	l := &deadLog{driver: d}
	l.rounds = rounds[smallRef]{
		run:    func(refs []smallRef) error { return l.append(refs) },
		weight: func(smallRef) int { return entrySize },
		limit:  int(d.logReserve / 2),
	}
	return l
}

func appendEntry(b []byte, nonce uint64, offset int64, ref smallRef) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, ref.place())
	b = binary.LittleEndian.AppendUint64(b, ref.segment)
	b = binary.LittleEndian.AppendUint64(b, ref.nonce)
	b = binary.LittleEndian.AppendUint32(b, uint32(ref.size))
	b = binary.LittleEndian.AppendUint32(b, 0)
	binary.LittleEndian.PutUint32(b[start:], entrySum(nonce, offset, b[start:]))
	return b
}

func entrySum(nonce uint64, offset int64, entry []byte) uint32 {
	var seed [16]byte
	binary.LittleEndian.PutUint64(seed[:], nonce)
	binary.LittleEndian.PutUint64(seed[8:], uint64(offset))
	return crc32.Update(crc32.Checksum(seed[:], castagnoli), castagnoli, entry[4:entrySize])
}

func parseEntry(b []byte, nonce uint64, offset int64) (smallRef, bool) {
	if binary.LittleEndian.Uint32(b) != entrySum(nonce, offset, b) {
		return smallRef{}, false
	}
	ref := smallRef{
		segment: binary.LittleEndian.Uint64(b[8:]),
		offset:  int64(binary.LittleEndian.Uint32(b[4:])) * recordAlign,
		size:    int64(binary.LittleEndian.Uint32(b[24:])),
		nonce:   binary.LittleEndian.Uint64(b[16:]),
	}
	return ref, ref.segment <= maxSegment
}

// append logs that refs are deleted.
func (l *deadLog) append(refs []smallRef) error {
	d := l.driver
	if err := d.poison.check(); err != nil {
		return err
	}
	if err := l.prepare(); err != nil {
		return noSpace(fmt.Errorf("make a deletion log: %w", err))
	}
	l.batch = l.batch[:0]
	for _, ref := range refs {
		l.batch = appendEntry(l.batch, l.active.mark.nonce, l.active.pos+int64(len(l.batch)), ref)
	}
	// First for the calls to come. If that fails there may be enough for these.
	err := l.active.reserve(int64(len(l.batch)) + d.logReserve)
	if err != nil && !errors.Is(err, container.ErrNoSpace) {
		return err
	}
	if err := l.active.append(l.batch, d.sync == SyncAlways); err != nil {
		return err
	}
	l.entries.Add(int64(len(refs)))
	return nil
}

// provide makes sure that there is a log with zeros ahead. It is called before
// records take the room that their deletion might need.
func (l *deadLog) provide() error {
	return l.rounds.alone(func() error {
		if err := l.prepare(); err != nil {
			return err
		}
		return l.active.reserve(min(max(l.driver.segments.bytes()/logShare, l.driver.logReserve), maxLogReserve))
	})
}

// prepare makes sure that there is a log.
func (l *deadLog) prepare() error {
	if l.active != nil {
		return nil
	}
	number := l.driver.logNumbers.mint()
	m := mark{magic: logMagic, number: number, nonce: newNonce(), extra: l.driver.segmentNumbers.highest()}
	f, err := l.driver.makeAppendFile(l.driver.logPath(number), m, markSize+2*l.driver.logReserve)
	if err != nil {
		return err
	}
	l.active = f
	return nil
}

// renew ends the log that is written, if there is one, and begins another. That
// is made first, since the room ahead in the old one is anybody's once it ends.
func (l *deadLog) renew() error {
	old := l.active
	if old == nil {
		return nil
	}
	l.active = nil
	err := l.prepare()
	if err == nil {
		if err = old.finish(nil); err == nil {
			return nil
		}
		err = errors.Join(err, l.active.discard())
	}
	l.active = old
	return noSpace(fmt.Errorf("renew the deletion log: %w", err))
}

// flush makes durable what was logged.
func (l *deadLog) flush() error { return flushActive(&l.rounds, &l.active) }

// close leaves the log as it is, zeros ahead included, for the next run.
func (l *deadLog) close() error {
	return l.rounds.alone(func() error {
		if l.active == nil {
			return nil
		}
		return l.active.close()
	})
}

// readLog calls fn for each entry of a log that is sound. It returns the log's
// mark, where its entries end and where the file does.
func (d *Driver) readLog(number uint64, fn func(smallRef)) (m mark, end, size int64, err error) {
	f, err := d.fs.Open(d.logPath(number))
	if err != nil {
		return m, 0, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return m, 0, 0, err
	}
	size = info.Size()
	if m, err = readMark(f, 0, logMagic, number); err != nil {
		return m, 0, size, err
	}
	end, err = eachEntry(f, size, m.nonce, fn)
	return m, end, size, err
}

// eachEntry returns where the last entry ends that is more than zeros.
func eachEntry(f vfs.ReadFile, size int64, nonce uint64, fn func(smallRef)) (int64, error) {
	end := int64(markSize)
	window := make([]byte, walkFar)
	for off := end; off+entrySize <= size; {
		b := window[:min(int64(len(window)), (size-off)/entrySize*entrySize)]
		if err := readAt(f, b, off); err != nil {
			return 0, err
		}
		for ; len(b) > 0; b, off = b[entrySize:], off+entrySize {
			if [entrySize]byte(b) == [entrySize]byte{} {
				continue
			}
			end = off + entrySize
			if ref, ok := parseEntry(b, nonce, off); ok {
				fn(ref)
			}
		}
	}
	return end, nil
}

// recoverLogs reads what was deleted.
func (d *Driver) recoverLogs() error {
	numbers, err := d.listNumbers(deadName, logSuffix)
	if err != nil {
		return err
	}
	for _, number := range numbers {
		d.logNumbers.raise(number)
		m, end, size, err := d.readLog(number, func(ref smallRef) {
			d.segmentNumbers.raise(ref.segment)
			d.segments.bury(ref)
			d.deadLog.entries.Add(1)
		})
		switch {
		case errors.Is(err, container.ErrCorrupt):
			// Made when the power was cut, or damaged. Nothing can be read.
			continue
		case err != nil:
			return fmt.Errorf("deletion log %d: %w", number, err)
		}
		d.segmentNumbers.raise(m.extra)
		if number == numbers[len(numbers)-1] {
			if err := d.resumeLog(m, end, size); err != nil {
				return fmt.Errorf("deletion log %d: %w", number, err)
			}
		}
	}
	return nil
}

// resumeLog makes durable what the last run logged, which it may have been
// killed before it could: whoever deletes again what is deleted by now is told
// that this is for good. The log goes on to be written if there are zeros ahead
// in it, which is not so if it was ended.
func (d *Driver) resumeLog(m mark, end, size int64) error {
	path := d.logPath(m.number)
	file, err := d.fs.OpenWrite(path)
	if err != nil {
		return err
	}
	f := &appendFile{driver: d, path: path, mark: m, file: file, pos: end, filled: size, step: d.logReserve, ahead: true}
	// On a disk that is full it stays as it is until the next open.
	if err := f.sync(end, file.SyncData); err != nil && !errors.Is(err, container.ErrNoSpace) {
		return errors.Join(err, f.close())
	}
	if end+markSize >= size {
		return f.close()
	}
	d.deadLog.active = f
	return nil
}
