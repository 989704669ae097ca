package pebblestore

import (
	"errors"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A fence stands between Pebble and the file system. The first write that fails
// poisons the store. From then on
//
//   - no file of the directory changes any more, and Pebble is told that its
//     writes succeed. So Pebble keeps its locks and its memory in order, lets
//     nobody wait forever, and can be closed, while the disk stays as it was;
//   - tables are the exception. One that is being written when the store fails
//     goes on to the disk: no manifest will name it, so the next Open removes
//     it. New files go to memory, where reads find them. That takes little:
//     what the memory tables hold is flushed, no commit comes after it, and
//     compactions wait until the store closes.
//
// Errors of reads pass through.
type fence struct {
	fs      vfs.FS
	poison  *poison
	memory  *vfs.MemFS    // the files that were made after the failure, by base name
	closing chan struct{} // closed before Pebble is closed
}

// errStopped ends the compactions of a store that has failed and is closing.
var errStopped = errors.New("pebblestore: stopped")

var _ vfs.FS = (*fence)(nil)

func newFence(fs vfs.FS, p *poison) *fence {
	return &fence{fs: fs, poison: p, memory: vfs.NewMem(), closing: make(chan struct{})}
}

// write runs change, unless the store has failed, and poisons it if change
// does. Either way it reports success, which no longer means anything.
func (f *fence) write(change func() error) error {
	if f.poison.isSet() {
		return nil
	}
	if err := change(); err != nil {
		f.poison.set(err)
	}
	return nil
}

// create runs open to make a file under name. After a failure the file is made
// in memory.
func (f *fence) create(name string, category vfs.DiskWriteCategory, open func() (vfs.File, error)) (vfs.File, error) {
	if !f.poison.isSet() {
		file, err := open()
		if err == nil {
			return &fencedFile{file: file, fence: f, table: isTable(category)}, nil
		}
		f.poison.set(err)
	}
	if isCompaction(category) {
		<-f.closing
		return nil, errStopped
	}
	return f.memory.Create(f.memoryName(name), category)
}

func (f *fence) memoryName(name string) string { return "/" + f.fs.PathBase(name) }

// The categories that Pebble gives to the tables it writes.
const (
	categoryFlush      = "pebble-memtable-flush"
	categoryCompaction = "pebble-compaction"
	categoryRewrite    = "pebble-blob-file-rewrite"
)

func isCompaction(c vfs.DiskWriteCategory) bool {
	return c == categoryCompaction || c == categoryRewrite
}

func isTable(c vfs.DiskWriteCategory) bool { return c == categoryFlush || isCompaction(c) }

func (f *fence) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.create(name, category, func() (vfs.File, error) { return f.fs.Create(name, category) })
}

func (f *fence) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.create(newname, category, func() (vfs.File, error) {
		return f.fs.ReuseForWrite(oldname, newname, category)
	})
}

func (f *fence) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.create(name, category, func() (vfs.File, error) {
		return f.fs.OpenReadWrite(name, category, opts...)
	})
}

func (f *fence) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if f.poison.isSet() {
		if file, err := f.memory.Open(f.memoryName(name), opts...); err == nil {
			return file, nil
		}
	}
	return f.fs.Open(name, opts...)
}

func (f *fence) OpenDir(name string) (vfs.File, error) {
	dir, err := f.fs.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &fencedFile{file: dir, fence: f}, nil
}

// Remove lets errors pass: a file that stays for longer does no harm.
func (f *fence) Remove(name string) error {
	if f.poison.isSet() {
		return nil
	}
	return f.fs.Remove(name)
}

func (f *fence) RemoveAll(name string) error {
	if f.poison.isSet() {
		return nil
	}
	return f.fs.RemoveAll(name)
}

func (f *fence) Rename(oldname, newname string) error {
	return f.write(func() error { return f.fs.Rename(oldname, newname) })
}

func (f *fence) Link(oldname, newname string) error {
	return f.write(func() error { return f.fs.Link(oldname, newname) })
}

func (f *fence) MkdirAll(dir string, perm os.FileMode) error {
	return f.write(func() error { return f.fs.MkdirAll(dir, perm) })
}

func (f *fence) Stat(name string) (vfs.FileInfo, error) {
	if f.poison.isSet() {
		if info, err := f.memory.Stat(f.memoryName(name)); err == nil {
			return info, nil
		}
	}
	return f.fs.Stat(name)
}

func (f *fence) Lock(name string) (io.Closer, error)             { return f.fs.Lock(name) }
func (f *fence) List(dir string) ([]string, error)               { return f.fs.List(dir) }
func (f *fence) PathBase(path string) string                     { return f.fs.PathBase(path) }
func (f *fence) PathJoin(elem ...string) string                  { return f.fs.PathJoin(elem...) }
func (f *fence) PathDir(path string) string                      { return f.fs.PathDir(path) }
func (f *fence) GetDiskUsage(path string) (vfs.DiskUsage, error) { return f.fs.GetDiskUsage(path) }
func (f *fence) Unwrap() vfs.FS                                  { return f.fs }
