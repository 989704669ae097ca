package pebblestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/vaultaire/vaultaire/container"
)

// Pebble takes the first record of a log that it cannot read for the place where
// a power cut tore the last write, and drops what follows. That is also what a
// flipped bit in the middle looks like, so transactions that were acknowledged
// would be gone without a word. (It does look for proof of damage, but only from
// the next block of 32 KiB on.) So before it opens a store, its logs are read
// here: what follows a record that cannot be read is proof of damage if it was
// written when that record was durable already. The last record, which nothing
// follows that says so, cannot be told from a torn one.

// For the format of logs see logFile. That of a manifest is the same without
// numbers and notes.
const (
	manifestHeader    = 7
	firstManifestKind = 1
	lastManifestKind  = 4
	// Of these two kinds are chunks that a record of a manifest begins with.
	wholeManifestRecord = 1
	manifestRecordStart = 2
	// chunkLog is where the number of the log is in a chunk.
	chunkLog = 7
)

// checkDamage returns an ErrCorrupt if a log or the manifest of a store is
// damaged in a way that Pebble would take for its end.
func checkDamage(fsys vfs.FS, dir string) error {
	desc, err := pebble.Peek(dir, fsys)
	if err != nil || !desc.Exists {
		return err
	}
	if err := checkLog(fsys, desc.ManifestFilename, &chain{manifest: true}); err != nil {
		return err
	}
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		digits, ok := strings.CutSuffix(name, ".log")
		number, err := strconv.ParseUint(digits, 10, 64)
		if !ok || err != nil {
			continue
		}
		if err := checkLog(fsys, fsys.PathJoin(dir, name), &chain{number: uint32(number)}); err != nil {
			return err
		}
	}
	return nil
}

func checkLog(fsys vfs.FS, name string, c *chain) (err error) {
	file, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	c.unsound = -1
	block := make([]byte, logBlock)
	for !c.ended {
		n, err := io.ReadFull(file, block)
		if c.proves(block[:n]) {
			return fmt.Errorf("%w: %s is damaged at byte %d, and what follows was written when that was durable",
				container.ErrCorrupt, path.Base(name), c.unsound)
		}
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return nil
		case err != nil:
			return fmt.Errorf("read %s: %w", name, err)
		}
		c.start += logBlock
	}
	return nil
}

// A chain follows the chunks of a log.
type chain struct {
	manifest bool
	number   uint32 // of the log

	start   int64 // of the block
	unsound int64 // the first chunk that is; -1: none so far
	ended   bool  // by the mark of a log that was closed
}

// proves reads the chunks of a block, and reports whether there is proof that
// what is unsound was sound before.
func (c *chain) proves(block []byte) bool {
	for at := 0; at+c.header() <= len(block); {
		size, ok := c.sound(block[at:])
		switch {
		case ok && c.unsound >= 0 && c.follows(block[at:]):
			return true
		case ok:
			at += size
			continue
		case c.isEnd(block[at:]):
			c.ended = true
			return false
		case c.unsound < 0:
			c.unsound = c.start + int64(at)
		}
		next := c.resume(block[at:])
		if next == 0 {
			return false // until the next block, where a chunk begins in any case
		}
		at += next
	}
	return false
}

func (c *chain) header() int {
	if c.manifest {
		return manifestHeader
	}
	return notedHeader
}

// sound returns the size of the chunk at the start of b, if it is one.
func (c *chain) sound(b []byte) (int, bool) {
	if len(b) < c.header() {
		return 0, false
	}
	size := c.header() + int(binary.LittleEndian.Uint16(b[chunkSize:]))
	first, last := byte(firstNotedKind), byte(lastKind)
	if c.manifest {
		first, last = firstManifestKind, lastManifestKind
	}
	if kind := b[chunkKind]; kind < first || kind > last || size > len(b) {
		return 0, false
	}
	if !c.manifest && binary.LittleEndian.Uint32(b[chunkLog:]) != c.number {
		return 0, false
	}
	return size, binary.LittleEndian.Uint32(b) == chunkChecksum(b[:size])
}

// follows reports whether a sound chunk was written when what is unsound was
// durable. A log says so. A manifest is synced after each record, so that every
// record but the last is durable when another begins.
func (c *chain) follows(b []byte) bool {
	if c.manifest {
		return b[chunkKind] == wholeManifestRecord || b[chunkKind] == manifestRecordStart
	}
	return binary.LittleEndian.Uint64(b[chunkNote:]) > uint64(c.unsound)
}

// isEnd reports whether b begins with the mark at the end of a log that was
// closed: a chunk of nothing that has the number of the next log.
func (c *chain) isEnd(b []byte) bool {
	return !c.manifest && binary.LittleEndian.Uint32(b) == 0 && binary.LittleEndian.Uint16(b[chunkSize:]) == 0 &&
		binary.LittleEndian.Uint32(b[chunkLog:]) == c.number+1
}

// resume returns how far behind an unsound chunk a sound one begins, 0 for none
// in the block. The size of the unsound one may have a flipped bit itself.
func (c *chain) resume(b []byte) int {
	size := binary.LittleEndian.Uint16(b[chunkSize:])
	for bit := -1; bit < 16; bit++ {
		next := c.header() + int(size)
		if bit >= 0 {
			next = c.header() + int(size^1<<bit)
		}
		if next < len(b) {
			if _, ok := c.sound(b[next:]); ok {
				return next
			}
		}
	}
	return 0
}
