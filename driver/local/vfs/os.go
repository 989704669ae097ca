package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"

	"github.com/gofrs/flock"
)

// ErrLocked is returned by Lock.
var ErrLocked = errors.New("the lock is held")

// OS is the operating system's file system. What it makes is its user's own:
// folders have mode 0700, files 0600.
type OS struct{}

var _ FS = OS{}

// Create implements FS.
func (OS) Create(name string) (WriteFile, error) {
	return openWrite(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

// OpenWrite implements FS.
func (OS) OpenWrite(name string) (WriteFile, error) {
	return openWrite(name, os.O_RDWR)
}

func openWrite(name string, flags int) (WriteFile, error) {
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, err // not f: a nil pointer in an interface is not nil
	}
	return osFile{f}, nil
}

// An osFile adds to an *os.File what differs from system to system.
type osFile struct{ *os.File }

// SyncData implements WriteFile.
func (f osFile) SyncData() error { return syncData(f.File) }

// Open implements FS. The file is an *os.File.
func (OS) Open(name string) (ReadFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Link implements FS.
func (OS) Link(from, to string) error {
	err := os.Link(from, to)
	if err != nil && isLinkUnsupported(err) {
		return fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	}
	return err
}

// isLinkUnsupported reports whether err says that a file system has no links,
// none across to another, or none more for this file.
func isLinkUnsupported(err error) bool {
	for _, e := range []error{syscall.EXDEV, syscall.EPERM, syscall.EMLINK, errors.ErrUnsupported} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Rename implements FS.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements FS.
func (OS) Remove(name string) error { return os.Remove(name) }

// Mkdir implements FS.
func (OS) Mkdir(name string) error { return os.Mkdir(name, 0o700) }

// ReadDir implements FS.
func (OS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

// Stat implements FS.
func (OS) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// SyncDir implements FS.
func (OS) SyncDir(name string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there; NTFS journals their changes
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Lock implements FS. The lock goes with the process, however it ends.
func (OS) Lock(name string) (io.Closer, error) {
	lock := flock.New(name)
	ok, err := lock.TryLock()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errors.Join(ErrLocked, lock.Close())
	}
	return lock, nil
}

// ErrNoSpace is how an operating system says that the disk is full.
var ErrNoSpace error = syscall.ENOSPC

// IsNoSpace reports whether err says that the disk, or the user's share of
// it, is full, or that IsFileTooLarge.
func IsNoSpace(err error) bool {
	return errors.Is(err, ErrNoSpace) || errors.Is(err, syscall.EDQUOT) || IsFileTooLarge(err)
}

// IsFileTooLarge reports whether err says that a file would be larger than the
// file system or the limits of the process allow. Another file may have room.
func IsFileTooLarge(err error) bool { return errors.Is(err, syscall.EFBIG) }
