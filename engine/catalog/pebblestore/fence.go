package pebblestore

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"

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
//     compactions, which Pebble would begin again and again, wait until the
//     store closes.
//
// Errors of reads pass through, but for one; see List. What is outside of the
// store's directory, as a checkpoint is, the fence leaves alone.
type fence struct {
	fs      vfs.FS
	dir     string
	poison  *poison
	memory  *vfs.MemFS   // the files that were made after the failure, by base name
	lazy    atomic.Int64 // commits under way that need the log written
	waiting atomic.Int64 // commits under way that need it synced

	cleaning atomic.Bool   // Pebble's Open has recovered everything
	opened   atomic.Bool   // Pebble's Open has returned
	closing  chan struct{} // closed before Pebble is closed
}

// errStopped ends the compactions of a store that has failed and is closing.
var errStopped = errors.New("pebblestore: stopped")

var _ vfs.FS = (*fence)(nil)

func newFence(fs vfs.FS, dir string, p *poison) *fence {
	return &fence{fs: fs, dir: dir, poison: p, memory: vfs.NewMem(), closing: make(chan struct{})}
}

// isOutside reports whether name is neither the store's directory nor in it.
func (f *fence) isOutside(name string) bool {
	return name != f.dir && f.fs.PathDir(name) != f.dir
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
			fenced := &fencedFile{file: file, fence: f, table: isTable(category)}
			if category == categoryLog {
				return &logFile{fencedFile: fenced}, nil
			}
			return fenced, nil
		}
		f.poison.set(err)
	}
	if isCompaction(category) {
		if f.opened.Load() { // else Pebble's Open may wait for the compaction
			<-f.closing
		}
		return nil, errStopped
	}
	return f.memory.Create(f.memoryName(name), category)
}

func (f *fence) memoryName(name string) string { return "/" + f.fs.PathBase(name) }

// How names of Pebble's files begin: those of its markers, and of the options,
// which it writes down when it has recovered everything.
const (
	markerPrefix  = "marker."
	optionsPrefix = "OPTIONS-"
)

// The categories that Pebble gives to the log and to the tables it writes.
const (
	categoryLog        = "pebble-wal"
	categoryFlush      = "pebble-memtable-flush"
	categoryCompaction = "pebble-compaction"
	categoryRewrite    = "pebble-blob-file-rewrite"
)

func isCompaction(c vfs.DiskWriteCategory) bool {
	return c == categoryCompaction || c == categoryRewrite
}

func isTable(c vfs.DiskWriteCategory) bool { return c == categoryFlush || isCompaction(c) }

func (f *fence) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if f.isOutside(name) {
		return f.fs.Create(name, category)
	}
	return f.create(name, category, func() (vfs.File, error) {
		if err := f.settleMarkers(name); err != nil {
			return nil, err
		}
		return f.fs.Create(name, category)
	})
}

// settleMarkers syncs the directory before a marker is made or removed. A marker
// is an empty file whose name tells the manifest in use. Pebble makes the
// manifest, then the new marker, then removes the old one, and syncs the
// directory once, behind all of that; it trusts that a power cut in between
// leaves the first of the three. Where nobody promises this, the marker of a
// manifest that is not there may be left, or none, and that is a new store.
func (f *fence) settleMarkers(name string) error {
	if !strings.HasPrefix(f.fs.PathBase(name), markerPrefix) {
		return nil
	}
	return syncDirectory(f.fs, f.fs.PathDir(name))
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
	if err != nil || f.isOutside(name) {
		return dir, err
	}
	return &fencedFile{file: dir, fence: f}, nil
}

// Remove lets errors pass: a file that stays for longer does no harm.
func (f *fence) Remove(name string) error {
	if f.isOutside(name) {
		return f.fs.Remove(name)
	}
	if f.poison.isSet() {
		return nil
	}
	if err := f.settleMarkers(name); err != nil {
		f.poison.set(err)
		return nil
	}
	return f.fs.Remove(name)
}

func (f *fence) RemoveAll(name string) error {
	if f.isOutside(name) {
		return f.fs.RemoveAll(name)
	}
	if f.poison.isSet() {
		return nil
	}
	return f.fs.RemoveAll(name)
}

func (f *fence) Rename(oldname, newname string) error {
	if f.isOutside(newname) {
		return f.fs.Rename(oldname, newname)
	}
	if strings.HasPrefix(f.fs.PathBase(newname), optionsPrefix) {
		f.cleaning.Store(true)
	}
	return f.write(func() error { return f.fs.Rename(oldname, newname) })
}

func (f *fence) Link(oldname, newname string) error {
	if f.isOutside(newname) {
		return f.fs.Link(oldname, newname)
	}
	return f.write(func() error { return f.fs.Link(oldname, newname) })
}

func (f *fence) MkdirAll(dir string, perm os.FileMode) error {
	if f.isOutside(dir) {
		return f.fs.MkdirAll(dir, perm)
	}
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

// List lets errors pass, but for that of the last thing that Pebble's Open does
// before it succeeds: it looks for files to remove. If it failed there, it would
// take what it has opened away from a goroutine of its own that uses it, which
// ends the process. Files that stay for longer do no harm.
func (f *fence) List(dir string) ([]string, error) {
	names, err := f.fs.List(dir)
	if err != nil && f.cleaning.Load() && !f.opened.Load() {
		f.poison.log.Warn("catalog store: files that are not needed stay", "error", err)
		return nil, nil
	}
	return names, err
}

func (f *fence) Lock(name string) (io.Closer, error)             { return f.fs.Lock(name) }
func (f *fence) PathBase(path string) string                     { return f.fs.PathBase(path) }
func (f *fence) PathJoin(elem ...string) string                  { return f.fs.PathJoin(elem...) }
func (f *fence) PathDir(path string) string                      { return f.fs.PathDir(path) }
func (f *fence) GetDiskUsage(path string) (vfs.DiskUsage, error) { return f.fs.GetDiskUsage(path) }
func (f *fence) Unwrap() vfs.FS                                  { return f.fs }
