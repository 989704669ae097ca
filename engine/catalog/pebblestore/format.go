package pebblestore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/vaultaire/vaultaire/container"
)

// The marker says that a directory is ours, and how to read it. It is published
// before anything else is written.
const (
	markerName    = "FORMAT"
	markerTemp    = "FORMAT.new"
	lockName      = "LOCK"
	markerContent = "vaultaire catalog store 1\n"
)

const directoryMode = 0o700

// lockDirectory locks dir. It refuses, without leaving a trace, a directory that
// holds something that is not ours.
func lockDirectory(fsys vfs.FS, dir string) (*pebble.Lock, error) {
	if err := checkOurs(fsys, dir); err != nil {
		return nil, err
	}
	lock, err := pebble.LockDirectory(dir, fsys)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			return nil, fmt.Errorf("pebblestore: lock %s: %w", dir, err)
		}
		return nil, fmt.Errorf("%w: store %s is open already: %w", container.ErrLocked, dir, err)
	}
	if err := ensureMarker(fsys, dir); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// makeDirectory makes dir and what is missing above it, durably.
func makeDirectory(fsys vfs.FS, dir string) error {
	if info, err := fsys.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%w: %s is a file; give a directory", container.ErrInvalid, dir)
	}
	var parents []string // of directories to be made
	for d := dir; ; d = fsys.PathDir(d) {
		if _, err := fsys.Stat(d); err == nil || d == fsys.PathDir(d) {
			break
		}
		parents = append(parents, fsys.PathDir(d))
	}
	if err := fsys.MkdirAll(dir, directoryMode); err != nil {
		return err
	}
	for _, parent := range parents {
		if err := syncDirectory(fsys, parent); err != nil {
			return err
		}
	}
	return nil
}

func syncDirectory(fsys vfs.FS, dir string) error {
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// checkOurs refuses a directory that has something in it and no marker.
func checkOurs(fsys vfs.FS, dir string) error {
	names, err := fsys.List(dir)
	if err != nil {
		return fmt.Errorf("pebblestore: list directory: %w", err)
	}
	foreign := ""
	for _, name := range names {
		switch name {
		case markerName:
			return nil
		case markerTemp, lockName: // of an Open that was cut short, or runs now
		default:
			foreign = name
		}
	}
	if foreign != "" {
		return fmt.Errorf("%w: directory %s holds %q and no %s: it is not a catalog store; give an empty directory",
			container.ErrInvalid, dir, foreign, markerName)
	}
	return nil
}

// ensureMarker checks the marker, or publishes it in an empty directory.
func ensureMarker(fsys vfs.FS, dir string) error {
	file, err := fsys.Open(fsys.PathJoin(dir, markerName))
	if errors.Is(err, fs.ErrNotExist) {
		return publishMarker(fsys, dir)
	}
	if err != nil {
		return fmt.Errorf("pebblestore: open marker: %w", err)
	}
	// One byte more than expected tells a longer marker.
	content, err := io.ReadAll(io.LimitReader(file, int64(len(markerContent))+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("pebblestore: read marker: %w", err)
	}
	if !bytes.Equal(content, []byte(markerContent)) {
		return fmt.Errorf("%w: %s in %s says %q, this version reads %q",
			container.ErrInvalid, markerName, dir, content, markerContent)
	}
	return nil
}

func publishMarker(fsys vfs.FS, dir string) error {
	temp := fsys.PathJoin(dir, markerTemp)
	file, err := fsys.Create(temp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("pebblestore: create marker: %w", err)
	}
	_, err = file.Write([]byte(markerContent))
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("pebblestore: write marker: %w", err)
	}
	if err := fsys.Rename(temp, fsys.PathJoin(dir, markerName)); err != nil {
		return fmt.Errorf("pebblestore: publish marker: %w", err)
	}
	if err := syncDirectory(fsys, dir); err != nil {
		return fmt.Errorf("pebblestore: publish marker: %w", err)
	}
	return nil
}
