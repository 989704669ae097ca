package local

import (
	"errors"
	"fmt"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

// An appender puts records into the segment that is written, in rounds: all
// records of a round are written at once, and synced at once.
type appender struct {
	driver *Driver
	rounds rounds[*appendix]

	// Owned by the round that runs.
	active *appendFile // nil before the first record, and after a seal
	batch  []byte
}

// An appendix is a record that is to be appended. The round sets ref.
type appendix struct {
	buffer *recordBuffer
	nonce  uint64
	ref    smallRef
}

// maxBatch is how many bytes of records are written at once.
const maxBatch = 4 << 20

func newAppender(d *Driver) *appender {
	a := &appender{driver: d}
	a.rounds = rounds[*appendix]{
		run:    func(items []*appendix) error { return a.append(items, d.sync == SyncAlways) },
		weight: func(item *appendix) int { return len(item.buffer.record()) },
		limit:  int(min(maxBatch, d.segmentSize)),
	}
	return a
}

// append appends the records of items to one segment.
func (a *appender) append(items []*appendix, sync bool) error {
	d := a.driver
	if err := d.poison.check(); err != nil {
		return err
	}
	var total int64
	for _, item := range items {
		total += int64(len(item.buffer.record()))
	}
	err := a.appendTo(items, total, sync)
	if !vfs.IsFileTooLarge(err) || a.active == nil || a.active.pos == markSize {
		return err
	}
	// A limit of the process, or of the file system, is below the size of segments.
	if err := a.seal(); err != nil {
		return err
	}
	return a.appendTo(items, total, sync)
}

// appendTo appends the records of items, of n bytes together, to the segment that
// is written.
func (a *appender) appendTo(items []*appendix, n int64, sync bool) error {
	if err := a.prepare(n); err != nil {
		return err
	}
	id := segmentID{number: a.active.mark.number, nonce: a.active.mark.nonce}
	if err := a.active.append(a.assemble(id, items), sync); err != nil {
		return err
	}
	a.driver.segments.update(id.number, func(s *segment) { s.end = a.active.pos })
	return nil
}

// prepare makes sure that there is a segment with room for n bytes.
func (a *appender) prepare(n int64) error {
	if a.active != nil && a.active.pos > markSize && a.active.pos+n+markSize > a.driver.segmentSize {
		if err := a.seal(); err != nil {
			return err
		}
	}
	if a.active != nil {
		return nil
	}
	if a.batch == nil {
		a.batch = make([]byte, 0, firstStep)
	}
	f, err := a.driver.makeSegment()
	if err != nil {
		return noSpace(fmt.Errorf("make a segment: %w", err))
	}
	a.active = f
	return nil
}

// assemble gives the records their places, and returns them in one piece.
func (a *appender) assemble(id segmentID, items []*appendix) []byte {
	durable := a.active.durable.Load()
	a.batch = a.batch[:0]
	for _, item := range items {
		offset := a.active.pos + int64(len(a.batch))
		id.placeHead(item.buffer.head(), offset, durable)
		item.ref = smallRef{segment: id.number, offset: offset, size: item.buffer.size, nonce: item.nonce}
		if len(items) == 1 {
			return item.buffer.record()
		}
		a.batch = append(a.batch, item.buffer.record()...)
	}
	return a.batch
}

// seal ends the segment that is written, if there is one. The next record
// begins another.
func (a *appender) seal() error {
	if a.active == nil {
		return nil
	}
	f := a.active
	number := f.mark.number
	if f.pos == markSize {
		a.active = nil
		a.driver.segments.remove(number)
		return f.discard() // what a power cut brings back, the next open removes
	}
	seal := mark{magic: sealMagic, number: number, nonce: f.mark.nonce, extra: uint64(f.pos)}
	if err := f.finish(seal.append(nil)); err != nil {
		return err
	}
	a.active = nil
	return a.driver.sealed(number)
}

// flush makes durable what was appended.
func (a *appender) flush() error { return flushActive(&a.rounds, &a.active) }

// flushActive makes durable what the rounds have appended to their file. It
// holds them up only to see which file that is.
func flushActive[T any](r *rounds[T], active **appendFile) error {
	var f *appendFile
	var end int64
	_ = r.alone(func() error {
		if f = *active; f != nil {
			end = f.pos
		}
		return nil
	})
	if f == nil {
		return nil
	}
	return f.flush(end)
}

// close seals the segment that is written. If there is no room for the seal,
// the next open does it.
func (a *appender) close() error {
	return a.rounds.alone(func() error {
		err := a.seal()
		if errors.Is(err, container.ErrNoSpace) && a.driver.poison.check() == nil {
			err = nil
		}
		if a.active != nil {
			err = errors.Join(err, a.active.close())
		}
		return err
	})
}

// makeSegment makes a segment that is durable but for its records.
func (d *Driver) makeSegment() (*appendFile, error) {
	number := d.segmentNumbers.mint()
	if number > maxSegment {
		return nil, fmt.Errorf("%w: segment numbers are used up", container.ErrNoSpace)
	}
	m := mark{magic: segmentMagic, number: number, nonce: newNonce()}
	if err := d.deadLog.provide(); err != nil {
		return nil, fmt.Errorf("provide for deletions: %w", err)
	}
	f, err := d.makeAppendFile(d.segmentPath(number), m, d.step)
	if err != nil {
		return nil, err
	}
	d.segments.put(segment{segmentID: segmentID{number: number, nonce: m.nonce}, end: f.pos})
	return f, nil
}
