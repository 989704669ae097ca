package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

// recoverSegments finds the segments and what is deleted in them. Those that
// the run before did not come to seal are sealed, so that no run appends to
// what another wrote: after a failed sync the kernel may show records that the
// disk does not have, and what was written behind them would be lost with them.
func (d *Driver) recoverSegments(ctx context.Context) error {
	numbers, err := d.listNumbers(segmentName, segmentSuffix)
	if err != nil {
		return err
	}
	for _, number := range numbers {
		if err := ctx.Err(); err != nil {
			return err
		}
		d.segmentNumbers.raise(number)
		if err := d.recoverSegment(number); err != nil {
			return fmt.Errorf("segment %d: %w", number, err)
		}
	}
	if err := d.recoverLogs(); err != nil {
		return err
	}
	for _, seg := range d.segments.all() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if seg.allDead() {
			if err := d.removeEmptied(seg.number); err != nil {
				return fmt.Errorf("segment %d: %w", seg.number, err)
			}
		}
	}
	return nil
}

func (d *Driver) recoverSegment(number uint64) error {
	f, err := d.fs.Open(d.segmentPath(number))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	header, noHeader := readMark(f, 0, segmentMagic, number)
	if noHeader != nil && !errors.Is(noHeader, container.ErrCorrupt) {
		return noHeader
	}
	seal, err := readSeal(f, size, number)
	switch {
	case err == nil && (noHeader != nil || header.nonce == seal.nonce):
		d.segments.put(segment{segmentID: segmentID{number, seal.nonce}, end: size - markSize, sealed: true})
		return nil
	case err != nil && !errors.Is(err, container.ErrCorrupt):
		return err
	case noHeader == nil:
		return d.recoverTail(header, size)
	}
	blank, err := isBlank(f, size)
	if err != nil {
		return err
	}
	if blank {
		// The power was cut when it was made. No record was acknowledged, for that
		// comes after the header is durable.
		return d.dropSegment(number)
	}
	d.segments.put(segment{segmentID: segmentID{number: number}, end: size, sealed: true, damaged: true})
	return nil
}

// readSeal reads the seal of a segment of size bytes.
func readSeal(f vfs.ReadFile, size int64, number uint64) (mark, error) {
	if size < 2*markSize {
		return mark{}, fmt.Errorf("%w: the segment has %d bytes", container.ErrCorrupt, size)
	}
	seal, err := readMark(f, size-markSize, sealMagic, number)
	if err == nil && (int64(seal.extra) != size-markSize || size%recordAlign > 0) {
		return mark{}, fmt.Errorf("%w: the seal is that of another size", container.ErrCorrupt)
	}
	return seal, err
}

// isBlank reports whether there are but zeros behind the header.
func isBlank(f vfs.ReadFile, size int64) (bool, error) {
	buf := make([]byte, walkFar)
	for off := int64(markSize); off < size; off += int64(len(buf)) {
		b := buf[:min(int64(len(buf)), size-off)]
		if err := readAt(f, b, off); err != nil {
			return false, err
		}
		for _, c := range b {
			if c != 0 {
				return false, nil
			}
		}
	}
	return true, nil
}

// dropSegment removes a segment that has no records.
func (d *Driver) dropSegment(number uint64) error {
	if err := d.fs.Remove(d.segmentPath(number)); err != nil {
		return err
	}
	return d.syncFolder(filepath.Join(d.root, segmentName))
}

// recoverTail seals a segment behind its last sound record. A run that is cut
// short while it does so finds the same the next time.
func (d *Driver) recoverTail(header mark, size int64) (err error) {
	path := d.segmentPath(header.number)
	file, err := d.fs.OpenWrite(path)
	if err != nil {
		return err
	}
	f := &appendFile{driver: d, path: path, mark: header, file: file, filled: size}
	defer func() { err = errors.Join(err, f.close()) }()
	id := segmentID{header.number, header.nonce}
	if f.pos, err = d.findTail(file, id, size); err != nil {
		return err
	}
	if f.pos == markSize {
		return d.dropSegment(id.number)
	}
	seal := mark{magic: sealMagic, number: id.number, nonce: id.nonce, extra: uint64(f.pos)}
	// On a disk that is full it stays as it is until the next open.
	if err := f.finish(seal.append(nil)); err != nil && !errors.Is(err, container.ErrNoSpace) {
		return err
	}
	d.segments.put(segment{segmentID: id, end: f.pos, sealed: true})
	return nil
}

// findTail returns where the records of a segment end that was not sealed.
//
// Each record says up to where the segment was durable when it was written. Up
// to there an unsound record is damage, which hides only itself. Behind it the
// first unsound record is the first that a power cut tore or swallowed: its
// Put, and those after it, were not acknowledged.
func (d *Driver) findTail(f vfs.WriteFile, id segmentID, size int64) (int64, error) {
	synced := int64(markSize)
	w := walker{file: f, segment: id, pos: markSize, end: size}
	for {
		r, err := w.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
		synced = max(synced, r.synced)
	}
	if synced > size {
		return size / recordAlign * recordAlign, nil // somebody cut the file; what is left is all
	}
	for pos := synced; ; {
		w.pos = pos
		r, err := w.next()
		if err == io.EOF || err == nil && r.offset != pos {
			return pos, nil
		}
		if err != nil {
			return 0, err
		}
		sound, err := d.rewrite(f, id, r)
		if err != nil || !sound {
			return pos, err
		}
		pos = r.end()
	}
}

// rewrite verifies a record and, if it is sound, writes it again. It may be
// that the kernel failed to write it, and calls it clean nevertheless: then a
// sync alone would not bring it to the disk.
func (d *Driver) rewrite(f vfs.WriteFile, id segmentID, r record) (sound bool, err error) {
	b := getRecordBuffer(r.size)
	defer b.free()
	ref := smallRef{segment: id.number, offset: r.offset, size: r.size, nonce: r.nonce}
	_, err = load(f, id, ref, b, 0, r.size, true)
	if errors.Is(err, container.ErrCorrupt) {
		return false, nil
	}
	if err != nil || d.sync == SyncNone {
		return err == nil, err
	}
	clear(b.record()[headSize(r.size)+r.size:])
	_, err = f.WriteAt(b.record(), r.offset)
	return err == nil, err
}
