package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

// A mover is told of each blob that Compact has copied.
type mover func(ctx context.Context, from, to driver.Ref) error

const (
	// A segment of which less than the tinyShare-th part is used is tiny, and
	// where there are more than maxTiny of these, each left by a run that wrote
	// little, Compact makes one of them.
	tinyShare = 16
	maxTiny   = 16

	// maxMove is how many bytes of records are copied at once. It is less than
	// what Puts write at once, because they wait meanwhile.
	maxMove = 1 << 20

	// maxTold is how many callers of moved there are at once. Each waits for the
	// sync of a catalog, which they share.
	maxTold = 16
)

// Compact implements driver.Compactor. It copies what is left in segments of
// which more than the share dead is deleted, and in those that are tiny if there
// are many; a segment goes when the caller has deleted all that was in it. A
// blob that is damaged cannot be copied: it stays, and so does its segment,
// which is an ErrCorrupt. Compact also drops what the deletion logs say of
// segments that are gone.
func (d *Driver) Compact(ctx context.Context, dead float64, moved func(ctx context.Context, from, to driver.Ref) error) error {
	if err := d.gate.Enter(); err != nil {
		return fmt.Errorf("local: compact: %w", err)
	}
	defer d.gate.Leave()
	if err := d.compact(ctx, dead, moved); err != nil {
		return fmt.Errorf("local: compact: %w", err)
	}
	return nil
}

func (d *Driver) compact(ctx context.Context, dead float64, moved mover) error {
	if !(dead >= 0 && dead <= 1) {
		return fmt.Errorf("%w: a share of %v; accepted is 0 to 1", container.ErrInvalid, dead)
	}
	if err := d.begin(ctx); err != nil {
		return err
	}
	defer d.end()
	if err := d.appender.sealSparse(dead); err != nil {
		return err
	}
	var errs []error
	for _, number := range d.sparse(dead) {
		errs = append(errs, d.compactSegment(ctx, number, moved))
		if err := errors.Join(ctx.Err(), d.poison.check()); err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
	return errors.Join(append(errs, d.mergeLogs())...)
}

// begin waits until no other Compact and no Snapshot runs.
func (d *Driver) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case d.upkeep <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Driver) end() { <-d.upkeep }

// isSparse reports whether more than the share dead of a segment is deleted.
func (s *segment) isSparse(dead float64) bool {
	return float64(s.deadBytes) > dead*float64(s.used())
}

// sealSparse seals the segment that is written if it is sparse, so that it can
// be compacted, unless little would come of it.
func (a *appender) sealSparse(dead float64) error {
	return a.rounds.alone(func() error {
		if a.active == nil {
			return nil
		}
		seg, ok := a.driver.segments.get(a.active.mark.number)
		if !ok || !seg.isSparse(dead) || seg.used() < a.driver.segmentSize/tinyShare {
			return nil
		}
		return a.seal()
	})
}

// sparse returns the segments that are to be compacted, ascending.
func (d *Driver) sparse(dead float64) []uint64 {
	var all, tiny []uint64
	for _, seg := range d.segments.all() {
		switch {
		case !seg.sealed || seg.damaged:
		case seg.allDead():
			all = append(all, seg.number)
		case seg.moved || seg.stuck == seg.deadBytes:
		case seg.isSparse(dead):
			all = append(all, seg.number)
		case seg.used() < d.segmentSize/tinyShare:
			tiny = append(tiny, seg.number)
		}
	}
	if len(tiny) > maxTiny {
		all = append(all, tiny...)
	}
	return all
}

// compactSegment copies what is left in a segment.
func (d *Driver) compactSegment(ctx context.Context, number uint64, moved mover) error {
	f, err := d.acquireSegment(number)
	if errors.Is(err, container.ErrNotFound) {
		return nil // all of it was deleted meanwhile
	}
	if err != nil {
		return err
	}
	defer d.files.release(f)
	seg, _ := d.segments.get(number)
	m := move{driver: d, moved: moved, file: f, segment: seg.segmentID}
	err = m.run(ctx, walker{file: f, segment: seg.segmentID, pos: markSize, end: seg.end})
	if err == nil && len(m.stays) > 0 {
		d.segments.update(number, func(s *segment) { s.stuck = seg.deadBytes })
	}
	if err = errors.Join(append(m.stays, err)...); err != nil {
		return fmt.Errorf("segment %d: %w", number, err)
	}
	d.segments.update(number, func(s *segment) { s.moved = true })
	// Also one that should have gone with its last blob, and did not because the
	// disk failed then.
	if seg, ok := d.segments.get(number); ok && seg.allDead() {
		return d.removeEmptied(number)
	}
	return nil
}

// A move copies what is left in one segment.
type move struct {
	driver  *Driver
	moved   mover
	file    io.ReaderAt
	segment segmentID

	from   []smallRef // what is to be appended with the next batch
	copies []*appendix
	weight int

	stays []error // of blobs that the caller wants where they are
}

// run copies the records that w finds. It goes on behind those that cannot be
// moved, and returns all errors but stays.
func (m *move) run(ctx context.Context, w walker) error {
	defer m.free()
	var errs []error
	for {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		r, err := w.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		if err := m.add(r); err != nil {
			errs = append(errs, fmt.Errorf("record at %d: %w", r.offset, err))
		}
		if m.weight >= maxMove {
			errs = append(errs, m.flush(ctx))
		}
	}
	errs = append(errs, m.flush(ctx))
	if w.damaged > 0 {
		errs = append(errs, fmt.Errorf("%w: %d bytes are of no sound record", container.ErrCorrupt, w.damaged))
	}
	return errors.Join(errs...)
}

// add makes a verified copy of a record, unless it is deleted.
func (m *move) add(r record) error {
	ref := smallRef{segment: m.segment.number, offset: r.offset, size: r.size, nonce: r.nonce}
	if m.driver.segments.isDead(ref.segment, ref.place()) {
		return nil
	}
	b := getRecordBuffer(r.size)
	if _, err := load(m.file, m.segment, ref, b, 0, r.size, true); err != nil {
		b.free()
		return err
	}
	// A nonce of its own, lest a ref be minted twice when the folder is restored
	// from a copy and compacted again.
	item := &appendix{buffer: b, nonce: newNonce()}
	b.complete(item.nonce, r.created)
	m.from, m.copies = append(m.from, ref), append(m.copies, item)
	m.weight += len(b.record())
	return nil
}

// flush appends the copies, and when they are durable tells of each.
func (m *move) flush(ctx context.Context) error {
	defer m.free()
	if len(m.copies) == 0 {
		return nil
	}
	a := m.driver.appender
	err := a.rounds.alone(func() error { return a.append(m.copies, m.driver.sync == SyncAlways) })
	if err != nil {
		return err
	}
	if err := m.driver.flush(); err != nil {
		return err
	}
	errs := make([]error, len(m.copies))
	var group errgroup.Group
	group.SetLimit(maxTold)
	for i, item := range m.copies {
		group.Go(func() error {
			if err := m.tell(ctx, m.from[i], item.ref); err != nil {
				errs[i] = fmt.Errorf("move %q: %w", m.from[i].ref(), err)
			}
			return nil
		})
	}
	_ = group.Wait() // they are in errs
	stays := func(err error) bool { return errors.Is(err, driver.ErrStay) }
	for _, err := range errs {
		if stays(err) {
			m.stays = append(m.stays, err)
		}
	}
	return errors.Join(slices.DeleteFunc(errs, stays)...)
}

// tell says that from was moved to to, or deletes to.
func (m *move) tell(ctx context.Context, from, to smallRef) error {
	if m.driver.segments.isDead(from.segment, from.place()) {
		return m.driver.deleteSmall(to) // nobody needs it any more
	}
	err := ctx.Err()
	if err == nil {
		err = m.call(ctx, from.ref(), to.ref())
	}
	if err != nil {
		return errors.Join(err, m.driver.deleteSmall(to))
	}
	return nil
}

// call calls moved. It runs on a goroutine of its own, where a panic would end
// the process.
func (m *move) call(ctx context.Context, from, to driver.Ref) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the caller's code panicked: %v", p)
		}
	}()
	return m.moved(ctx, from, to)
}

func (m *move) free() {
	for _, item := range m.copies {
		item.buffer.free()
	}
	m.from, m.copies, m.weight = nil, nil, 0
}
