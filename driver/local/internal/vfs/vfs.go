// Package vfs is the only way from driver/local to the disk. It is an
// interface so that tests can fail any operation, or forget what was never
// synced, as a power cut does.
package vfs

import (
	"io"
	"io/fs"
)

// An FS is a file system, or what a test makes of one. Names are those of the
// operating system. Errors match those of package io/fs. All methods may be
// called concurrently.
type FS interface {
	// Create makes a file that must not exist, to be written from its start.
	Create(name string) (WriteFile, error)
	// Open opens a file to be read.
	Open(name string) (ReadFile, error)
	// Rename moves a file, replacing what has the new name.
	Rename(from, to string) error
	// Remove removes a file or an empty folder.
	Remove(name string) error
	// Mkdir makes one folder, whose parent exists.
	Mkdir(name string) error
	// ReadDir returns what is in a folder, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	Stat(name string) (fs.FileInfo, error)
	// SyncDir makes durable which names are in a folder: those added to it and
	// those removed from it.
	SyncDir(name string) error
	// Lock takes the lock on a file, which is made if need be, or returns
	// ErrLocked at once if anybody holds it, in this process or another.
	Lock(name string) (io.Closer, error)
}

// A WriteFile is a file being written.
type WriteFile interface {
	io.Writer
	// Sync makes the bytes written so far durable, but not the file's name. If
	// it fails, nobody knows which of them are, and a second Sync would not
	// tell: the kernel may have dropped them and call the file clean.
	Sync() error
	Close() error
}

// A ReadFile is a file being read. It may be read concurrently.
type ReadFile interface {
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
}
