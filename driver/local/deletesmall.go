package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/vaultaire/vaultaire/container"
)

// deleteSmall deletes a blob in a segment.
func (d *Driver) deleteSmall(ref smallRef) error {
	err := d.isThere(ref)
	switch {
	case errors.Is(err, container.ErrNotFound):
		return nil
	case errors.Is(err, container.ErrCorrupt): // and nobody else's
	case err != nil:
		return err
	}
	if err := d.deadLog.rounds.do(ref); err != nil {
		return fmt.Errorf("log the deletion: %w", err)
	}
	if d.segments.bury(ref) {
		return d.removeEmptied(ref.segment)
	}
	return nil
}

// isThere returns nil if there is a sound record at ref that is that of ref.
func (d *Driver) isThere(ref smallRef) error {
	f, seg, err := d.segmentOf(ref)
	if err != nil {
		return err
	}
	defer d.files.release(f)
	return d.checkHead(f, seg, ref)
}

// removeEmptied removes a segment in which all is deleted. What the deletions
// add up to says when to look; whether it is true the segment itself must say.
func (d *Driver) removeEmptied(number uint64) error {
	live, err := d.hasLive(number)
	if err != nil || live {
		return err
	}
	d.segments.remove(number) // first, so that nobody looks for a file that is gone
	d.files.drop(number)
	err = d.fs.Remove(d.segmentPath(number))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.settleFolder(filepath.Join(d.root, segmentName))
}

// hasLive reports whether a segment has a sound record that is not deleted.
func (d *Driver) hasLive(number uint64) (bool, error) {
	seg, ok := d.segments.get(number)
	if !ok {
		return false, nil
	}
	f, err := d.acquireSegment(number)
	if errors.Is(err, container.ErrNotFound) {
		return false, nil // somebody else has removed it
	}
	if err != nil {
		return false, err
	}
	defer d.files.release(f)
	w := walker{file: f, segment: seg.segmentID, pos: markSize, end: seg.end}
	for {
		r, err := w.next()
		if err == io.EOF {
			return false, nil
		}
		if err != nil || !d.segments.isDead(number, uint32(r.offset/recordAlign)) {
			return true, err
		}
	}
}

// sealed says that a segment never changes again.
func (d *Driver) sealed(number uint64) error {
	emptied := false
	d.segments.update(number, func(s *segment) {
		s.sealed = true
		emptied = s.allDead() && !s.emptied
		s.emptied = s.emptied || emptied
	})
	if emptied {
		return d.removeEmptied(number)
	}
	return nil
}
