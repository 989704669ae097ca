package local

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

var errFault = errors.New("injected fault")

// A faultFS is the disk with a say in every operation on it. It does not sync
// for real, since nobody cuts the power here.
type faultFS struct {
	vfs.OS
	root string // what its log names are relative to

	mu    sync.Mutex
	log   []string
	fault func(op string, n int) error // n counts operations from 1; nil: no faults
}

// step logs an operation and returns what it fails with.
func (f *faultFS) step(op, name string) error {
	if rel, err := filepath.Rel(f.root, name); err == nil {
		name = filepath.ToSlash(rel)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, op+" "+name)
	if f.fault == nil {
		return nil
	}
	return f.fault(op, len(f.log))
}

// failWith sets what later operations of a kind fail with; nil ends it.
func (f *faultFS) failWith(op string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = func(o string, _ int) error {
		if o == op {
			return err
		}
		return nil
	}
}

// takeLog returns the operations since the last call.
func (f *faultFS) takeLog() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	log := f.log
	f.log = nil
	return log
}

func (f *faultFS) Create(name string) (vfs.WriteFile, error) {
	if err := f.step("create", name); err != nil {
		return nil, err
	}
	file, err := f.OS.Create(name)
	if err != nil {
		return nil, err
	}
	return &faultWriter{file, f, name}, nil
}

func (f *faultFS) OpenWrite(name string) (vfs.WriteFile, error) {
	if err := f.step("openwrite", name); err != nil {
		return nil, err
	}
	file, err := f.OS.OpenWrite(name)
	if err != nil {
		return nil, err
	}
	return &faultWriter{file, f, name}, nil
}

func (f *faultFS) Link(from, to string) error {
	if err := f.step("link", to); err != nil {
		return err
	}
	return f.OS.Link(from, to)
}

func (f *faultFS) Open(name string) (vfs.ReadFile, error) {
	if err := f.step("open", name); err != nil {
		return nil, err
	}
	file, err := f.OS.Open(name)
	return &faultReader{f, name, file}, err
}

func (f *faultFS) Rename(from, to string) error {
	if err := f.step("rename", to); err != nil {
		return err
	}
	return f.OS.Rename(from, to)
}

func (f *faultFS) Remove(name string) error {
	if err := f.step("remove", name); err != nil {
		return err
	}
	return f.OS.Remove(name)
}

func (f *faultFS) Mkdir(name string) error {
	if err := f.step("mkdir", name); err != nil {
		return err
	}
	return f.OS.Mkdir(name)
}

func (f *faultFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := f.step("readdir", name); err != nil {
		return nil, err
	}
	return f.OS.ReadDir(name)
}

func (f *faultFS) Stat(name string) (fs.FileInfo, error) {
	if err := f.step("stat", name); err != nil {
		return nil, err
	}
	return f.OS.Stat(name)
}

func (f *faultFS) SyncDir(name string) error { return f.step("syncdir", name) }

func (f *faultFS) Lock(name string) (io.Closer, error) {
	if err := f.step("lock", name); err != nil {
		return nil, err
	}
	lock, err := f.OS.Lock(name)
	if err != nil {
		return nil, err
	}
	return closerFunc(func() error { return errors.Join(f.step("unlock", name), lock.Close()) }), nil
}

type closerFunc func() error

func (f closerFunc) Close() error { return f() }

type faultWriter struct {
	vfs.WriteFile
	fs   *faultFS
	name string
}

// Write writes half of p before it fails, as a full disk does.
func (w *faultWriter) Write(p []byte) (int, error) {
	if err := w.fs.step("write", w.name); err != nil {
		n, _ := w.WriteFile.Write(p[:len(p)/2])
		return n, err
	}
	return w.WriteFile.Write(p)
}

// WriteAt fails as Write does.
func (w *faultWriter) WriteAt(p []byte, off int64) (int, error) {
	if err := w.fs.step("writeat", w.name); err != nil {
		n, _ := w.WriteFile.WriteAt(p[:len(p)/2], off)
		return n, err
	}
	return w.WriteFile.WriteAt(p, off)
}

func (w *faultWriter) Truncate(size int64) error {
	if err := w.fs.step("truncate", w.name); err != nil {
		return err
	}
	return w.WriteFile.Truncate(size)
}

func (w *faultWriter) Sync() error { return w.fs.step("sync", w.name) }

func (w *faultWriter) SyncData() error { return w.fs.step("syncdata", w.name) }

func (w *faultWriter) Close() error {
	return errors.Join(w.fs.step("close", w.name), w.WriteFile.Close())
}

type faultReader struct {
	fs   *faultFS
	name string
	file vfs.ReadFile
}

func (r *faultReader) ReadAt(p []byte, off int64) (int, error) {
	if err := r.fs.step("readat", r.name); err != nil {
		return 0, err
	}
	return r.file.ReadAt(p, off)
}

func (r *faultReader) Stat() (fs.FileInfo, error) {
	if err := r.fs.step("fstat", r.name); err != nil {
		return nil, err
	}
	return r.file.Stat()
}

func (r *faultReader) Close() error {
	return errors.Join(r.fs.step("closeread", r.name), r.file.Close())
}
