// Package vfs is the only way from driver/local to the disk. It is an
// interface so that tests can fail any operation, or forget what was never
// synced, as a power cut does; see package crashfs.
package vfs

import (
	"io"
	"io/fs"
)

// An FS is a file system, or what a test makes of one. Names are those of the
// operating system. Errors match those of package io/fs. All methods may be
// called concurrently.
type FS interface {
	// Create makes a file that must not exist, to be written and read.
	Create(name string) (WriteFile, error)
	// OpenWrite opens a file that exists, to be written and read.
	OpenWrite(name string) (WriteFile, error)
	// Open opens a file to be read.
	Open(name string) (ReadFile, error)
	// Link gives a file a second name, which must not exist. The error matches
	// errors.ErrUnsupported where that cannot be, as across file systems.
	Link(from, to string) error
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

// A WriteFile is a file being written. Write appends at the place where the
// last Write ended, at first the start of the file. ReadAt and WriteAt may be
// called concurrently.
type WriteFile interface {
	ReadFile
	io.Writer
	io.WriterAt
	// Truncate sets the file's size.
	Truncate(size int64) error
	// Sync makes the bytes written so far durable, and the file's size, but not
	// its name. If it fails, nobody knows which of them are, and a second Sync
	// would not tell: the kernel may have dropped them and call the file clean.
	Sync() error
	// SyncData is Sync where that is faster: it makes durable what is needed to
	// read the bytes again, the size included, and perhaps no times.
	SyncData() error
}

// A ReadFile is a file being read. It may be read concurrently.
type ReadFile interface {
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
}
