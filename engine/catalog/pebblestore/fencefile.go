package pebblestore

import "github.com/cockroachdb/pebble/v2/vfs"

// A fencedFile is a file that Pebble writes, or a directory that it syncs.
type fencedFile struct {
	file  vfs.File
	fence *fence
	table bool
}

var _ vfs.File = (*fencedFile)(nil)

// change runs op by the rules of the fence. A table is no use half written, so
// its errors are returned, for Pebble to write it again.
func (f *fencedFile) change(op func() error) error {
	if !f.table {
		return f.fence.write(op)
	}
	err := op()
	if err != nil {
		f.fence.poison.set(err)
	}
	return err
}

func (f *fencedFile) Write(p []byte) (int, error) {
	err := f.change(func() error {
		_, err := f.file.Write(p)
		return err
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *fencedFile) WriteAt(p []byte, off int64) (int, error) {
	err := f.change(func() error {
		_, err := f.file.WriteAt(p, off)
		return err
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *fencedFile) Sync() error     { return f.change(f.file.Sync) }
func (f *fencedFile) SyncData() error { return f.change(f.file.SyncData) }

func (f *fencedFile) SyncTo(length int64) (fullSync bool, err error) {
	err = f.change(func() error {
		var err error
		fullSync, err = f.file.SyncTo(length)
		return err
	})
	return fullSync, err
}

// Preallocate ignores errors: not every file system can, and the write that
// lacks the space will say so.
func (f *fencedFile) Preallocate(offset, length int64) error {
	if !f.fence.poison.isSet() {
		_ = f.file.Preallocate(offset, length)
	}
	return nil
}

// Close always closes: the descriptor must go even when the store has failed.
func (f *fencedFile) Close() error {
	err := f.file.Close()
	if err == nil {
		return nil
	}
	f.fence.poison.set(err)
	if f.table {
		return err
	}
	return nil
}

func (f *fencedFile) Read(p []byte) (int, error)              { return f.file.Read(p) }
func (f *fencedFile) ReadAt(p []byte, off int64) (int, error) { return f.file.ReadAt(p, off) }
func (f *fencedFile) Stat() (vfs.FileInfo, error)             { return f.file.Stat() }
func (f *fencedFile) Prefetch(offset int64, length int64) error {
	return f.file.Prefetch(offset, length)
}
func (f *fencedFile) Fd() uintptr { return f.file.Fd() }
