package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/vaultaire/vaultaire/container"
)

// Snapshot implements driver.Snapshotter. Files are linked, which takes no room
// and little time, and copied where that cannot be, as on another file system.
// Nothing that is linked is ever written to again. The copy gets its FORMAT
// last, so what a Snapshot that failed has left is not taken for one.
func (d *Driver) Snapshot(ctx context.Context, dir string) error {
	if err := d.gate.Enter(); err != nil {
		return fmt.Errorf("local: snapshot to %q: %w", dir, err)
	}
	defer d.gate.Leave()
	if err := d.snapshot(ctx, dir); err != nil {
		return fmt.Errorf("local: snapshot to %q: %w", dir, noSpace(err))
	}
	return nil
}

func (d *Driver) snapshot(ctx context.Context, dir string) error {
	if dir == "" {
		return fmt.Errorf("%w: the folder has no name", container.ErrInvalid)
	}
	if err := d.begin(ctx); err != nil { // nor are logs merged meanwhile
		return err
	}
	defer d.end()
	s := snapshot{driver: d, root: filepath.Clean(dir)}
	if err := s.prepare(); err != nil {
		return err
	}
	// What was put by now is in files that have their names, or comes to be in
	// segments that never change again.
	segments, logs, err := d.settle()
	if err != nil {
		return err
	}
	if err := s.linkNumbers(ctx, segmentName, segmentSuffix, segments); err != nil {
		return err
	}
	if err := s.linkNumbers(ctx, deadName, logSuffix, logs); err != nil {
		return err
	}
	if err := s.linkBlobs(ctx); err != nil {
		return err
	}
	if err := s.sync(); err != nil {
		return err
	}
	if err := s.link(ctx, formatName); err != nil {
		return err
	}
	return s.sync()
}

// settle makes durable what was put and deleted, and returns the segments and
// deletion logs that have it, to which nothing is written any more.
func (d *Driver) settle() (segments, logs []uint64, err error) {
	if err := d.flush(); err != nil {
		return nil, nil, err
	}
	err = d.appender.rounds.alone(func() error {
		if err := d.appender.seal(); err != nil {
			return err
		}
		for _, seg := range d.segments.all() {
			segments = append(segments, seg.number)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	err = d.deadLog.rounds.alone(func() error {
		if logs, err = d.listNumbers(deadName, logSuffix); err != nil {
			return err
		}
		return d.deadLog.renew() // none of which is the new one
	})
	return segments, logs, err
}

// A snapshot makes a copy of a driver's folder.
type snapshot struct {
	driver *Driver
	root   string // of the copy
}

// prepare makes sure that there is an empty folder.
func (s *snapshot) prepare() error {
	if err := s.driver.makeFolders(s.root, s.syncFolder); err != nil {
		return err
	}
	entries, err := s.driver.fs.ReadDir(s.root)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%w: the folder holds %q; accepted is an empty one, or none", container.ErrInvalid, entries[0].Name())
	}
	return nil
}

// linkNumbers links the files of one folder that have the numbers.
func (s *snapshot) linkNumbers(ctx context.Context, folder, suffix string, numbers []uint64) error {
	if err := s.driver.fs.Mkdir(filepath.Join(s.root, folder)); err != nil {
		return err
	}
	for _, number := range numbers {
		if err := s.link(ctx, filepath.Join(folder, numberedName(number, suffix))); err != nil {
			return err
		}
	}
	return s.sync(folder)
}

// linkBlobs links the blobs that have a file, one folder after the other.
func (s *snapshot) linkBlobs(ctx context.Context) error {
	if err := s.driver.fs.Mkdir(filepath.Join(s.root, blobName)); err != nil {
		return err
	}
	folders, err := s.driver.blobFolders(0)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if err := s.linkBlobFolder(ctx, folder); err != nil {
			return err
		}
	}
	return s.sync(blobName)
}

func (s *snapshot) linkBlobFolder(ctx context.Context, folder uint64) error {
	name := filepath.Join(blobName, blobFolderName(folder))
	if err := s.driver.fs.Mkdir(filepath.Join(s.root, name)); err != nil {
		return err
	}
	numbers, err := s.driver.numbers(folder, 0)
	if err != nil {
		return err
	}
	for _, number := range numbers {
		if err := s.link(ctx, filepath.Join(name, blobFileName(number))); err != nil {
			return err
		}
	}
	return s.sync(name)
}

// link gives the copy a file of the driver's, unless that was deleted.
func (s *snapshot) link(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	from, to := filepath.Join(s.driver.root, name), filepath.Join(s.root, name)
	err := s.driver.fs.Link(from, to)
	if errors.Is(err, errors.ErrUnsupported) {
		err = s.copy(ctx, from, to)
	}
	if errors.Is(err, fs.ErrNotExist) && name != formatName {
		return nil
	}
	return err
}

// copy copies a file and syncs it.
func (s *snapshot) copy(ctx context.Context, from, to string) error {
	source, err := s.driver.fs.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	file, err := s.driver.fs.Create(to)
	if err != nil {
		return err
	}
	defer file.Close() // a second close does no harm
	buf := make([]byte, firstStep)
	for off := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := source.ReadAt(buf, off)
		if _, err := file.Write(buf[:n]); err != nil {
			return err
		}
		off += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if s.driver.sync != SyncNone {
		if err := file.Sync(); err != nil {
			return err
		}
	}
	return file.Close()
}

// sync makes the names in a folder of the copy durable.
func (s *snapshot) sync(name ...string) error {
	return s.syncFolder(filepath.Join(append([]string{s.root}, name...)...))
}

// syncFolder makes the names in a folder durable that is not the driver's. A
// failure says nothing of the driver's own files, so it harms the copy only.
func (s *snapshot) syncFolder(dir string) error {
	if s.driver.sync == SyncNone {
		return nil
	}
	return s.driver.fs.SyncDir(dir)
}
