package local

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

const (
	// Logs are merged where what is of no use outweighs the rest, and is worth
	// it, and where there are many.
	minUseless = 1 << 15 // entries: a megabyte
	maxLogs    = 16
)

// mergeLogs makes one deletion log of all, without the entries of segments
// that are gone. At no time is an entry of use in no log.
func (d *Driver) mergeLogs() error {
	var numbers []uint64
	var entries int64
	err := d.deadLog.rounds.alone(func() (err error) {
		if numbers, err = d.listNumbers(deadName, logSuffix); err != nil {
			return err
		}
		entries = d.deadLog.entries.Load()
		useful := d.segments.deadRecords()
		useless := entries - useful
		if len(numbers) <= d.logs && (useless < minUseless || useless < useful) {
			numbers = nil
			return nil
		}
		return d.deadLog.renew()
	})
	if err != nil || len(numbers) == 0 {
		return err
	}
	kept, err := d.writeMergedLog(numbers)
	if err != nil {
		return noSpace(err)
	}
	for _, number := range numbers {
		if err := d.fs.Remove(d.logPath(number)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	d.deadLog.entries.Add(kept - entries)
	if err := d.settleFolder(filepath.Join(d.root, deadName)); err != nil {
		return err
	}
	// Now that there is room, for what is deleted when there is none.
	return d.deadLog.provide()
}

// writeMergedLog makes a log of those with the numbers, which nobody writes to.
func (d *Driver) writeMergedLog(numbers []uint64) (kept int64, err error) {
	present, err := d.presentSegments()
	if err != nil {
		return 0, err
	}
	m := mark{magic: logMagic, number: d.logNumbers.mint(), nonce: newNonce(), extra: d.segmentNumbers.highest()}
	path := d.logPath(m.number)
	draft := filepath.Join(d.root, tmpName, filepath.Base(path))
	err = d.writeFile(draft, func(f vfs.WriteFile) error {
		w := logWriter{file: f, mark: m}
		kept, err = w.merge(d, numbers, present)
		return err
	})
	if err != nil {
		return 0, err
	}
	if err := d.fs.Rename(draft, path); err != nil {
		_ = d.fs.Remove(draft) // else the next open does
		return 0, err
	}
	// Now, in every mode: the others go only when this one has come to stay.
	return kept, d.syncFolder(filepath.Dir(path))
}

// presentSegments returns the segments that have a file. All those that entries
// speak of besides them are gone for good: no power cut brings one back, which
// would bring back what was deleted in it if the entries were gone as well.
func (d *Driver) presentSegments() (map[uint64]bool, error) {
	numbers, err := d.listNumbers(segmentName, segmentSuffix)
	if err != nil {
		return nil, err
	}
	present := make(map[uint64]bool, len(numbers))
	for _, number := range numbers {
		present[number] = true
	}
	return present, d.syncFolder(filepath.Join(d.root, segmentName))
}

// A logWriter writes a log from its start.
type logWriter struct {
	file vfs.WriteFile
	mark mark
	size int64
	buf  []byte
}

// merge writes the entries of logs that are of use, and returns how many.
func (w *logWriter) merge(d *Driver, numbers []uint64, present map[uint64]bool) (kept int64, err error) {
	w.buf = w.mark.append(make([]byte, 0, walkFar))
	for _, number := range numbers {
		var failed error
		_, _, _, err := d.readLog(number, func(ref smallRef) {
			if present[ref.segment] && failed == nil {
				kept++
				failed = w.write(ref)
			}
		})
		if err != nil && !errors.Is(err, container.ErrCorrupt) {
			return 0, err // one that is damaged says nothing, here or there
		}
		if failed != nil {
			return 0, failed
		}
	}
	return kept, w.flush()
}

func (w *logWriter) write(ref smallRef) error {
	w.buf = appendEntry(w.buf, w.mark.nonce, w.size+int64(len(w.buf)), ref)
	if cap(w.buf)-len(w.buf) >= entrySize {
		return nil
	}
	return w.flush()
}

func (w *logWriter) flush() error {
	n, err := w.file.Write(w.buf)
	w.size += int64(n)
	w.buf = w.buf[:0]
	return err
}
