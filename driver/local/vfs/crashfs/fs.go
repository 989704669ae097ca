package crashfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

// A FS is a file system in memory. Its methods may be called concurrently.
// Use [New].
type FS struct {
	mu      sync.Mutex
	root    *node
	changes []nameChange // of names, that are not durable; in their order
	locked  map[string]struct{}
	strict  bool
	space   space

	hook  func(Op) error
	count int // of operations that change or sync something
}

var _ vfs.FS = (*FS)(nil)

// New returns an empty file system.
func New() *FS {
	return &FS{root: newFolder(), locked: make(map[string]struct{})}
}

// A node is a file or a folder, whatever its names.
type node struct {
	file
	folder   *folder // nil if it is a file
	links    int     // how many names it has now
	modified time.Time
}

// A folder is the names in it.
type folder struct {
	now     map[string]*node
	durable map[string]*node
}

func newFolder() *node {
	return &node{folder: &folder{now: make(map[string]*node), durable: make(map[string]*node)}, modified: time.Now()}
}

// SetStrict says whether a rename may be durable by half; see the package's
// comment.
func (f *FS) SetStrict(strict bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.strict = strict
}

// clean returns the one spelling of a name: without a leading slash, and ""
// for the root.
func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(name)), "/")
}

var (
	errNoFolder = errors.New("not a folder")
	errFolder   = errors.New("is a folder")
	errNotEmpty = errors.New("the folder is not empty")
)

// find returns the node of a name.
func (f *FS) find(name string) (*node, error) {
	n := f.root
	for part := range strings.SplitSeq(clean(name), "/") {
		if part == "" {
			continue
		}
		if n.folder == nil {
			return nil, errNoFolder
		}
		if n = n.folder.now[part]; n == nil {
			return nil, fs.ErrNotExist
		}
	}
	return n, nil
}

// findFile returns the node of a file's name.
func (f *FS) findFile(name string) (*node, error) {
	n, err := f.find(name)
	if err == nil && n.folder != nil {
		return nil, errFolder
	}
	return n, err
}

// findFolder returns the node of a folder's name.
func (f *FS) findFolder(name string) (*node, error) {
	n, err := f.find(name)
	if err == nil && n.folder == nil {
		return nil, errNoFolder
	}
	return n, err
}

// place returns where a name is, or is to be.
func (f *FS) place(name string) (place, error) {
	dir, base := path.Split(clean(name))
	if base == "" {
		return place{}, fs.ErrInvalid
	}
	n, err := f.findFolder(dir)
	if err != nil {
		return place{}, err
	}
	return place{n.folder, base}, nil
}

// do runs an operation that the hook does not prevent.
func (f *FS) do(kind Kind, name string, run func() error) error {
	err := f.step(kind, name)
	if err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		err = run()
	}
	if err != nil {
		return &fs.PathError{Op: kind.String(), Path: name, Err: err}
	}
	return nil
}

// add makes a new node at name.
func (f *FS) add(kind Kind, name string, n *node) error {
	return f.do(kind, name, func() error {
		at, err := f.place(name)
		if err != nil {
			return err
		}
		if at.node() != nil {
			return fs.ErrExist
		}
		f.change(at.becomes(n))
		return nil
	})
}

// Create implements vfs.FS.
func (f *FS) Create(name string) (vfs.WriteFile, error) {
	n := &node{modified: time.Now()}
	if err := f.add(Create, name, n); err != nil {
		return nil, err
	}
	return &handle{fs: f, node: n, name: name}, nil
}

// Mkdir implements vfs.FS.
func (f *FS) Mkdir(name string) error { return f.add(Mkdir, name, newFolder()) }

// OpenWrite implements vfs.FS.
func (f *FS) OpenWrite(name string) (vfs.WriteFile, error) {
	h, err := f.open(name)
	if err != nil {
		return nil, err // not h: a nil pointer in an interface is not nil
	}
	return h, nil
}

// Open implements vfs.FS.
func (f *FS) Open(name string) (vfs.ReadFile, error) {
	h, err := f.open(name)
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (f *FS) open(name string) (h *handle, err error) {
	err = f.do(Open, name, func() error {
		n, err := f.findFile(name)
		h = &handle{fs: f, node: n, name: name}
		return err
	})
	return h, err
}

// Link implements vfs.FS.
func (f *FS) Link(from, to string) error {
	return f.do(Link, to, func() error {
		n, err := f.findFile(from)
		if err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		at, err := f.place(to)
		if err != nil {
			return err
		}
		if at.node() != nil {
			return fs.ErrExist
		}
		f.change(at.becomes(n))
		return nil
	})
}

// Rename implements vfs.FS.
func (f *FS) Rename(from, to string) error {
	return f.do(Rename, to, func() error {
		source, err := f.place(from)
		if err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		n := source.node()
		if n == nil {
			return fmt.Errorf("%s: %w", from, fs.ErrNotExist)
		}
		target, err := f.place(to)
		if err != nil {
			return err
		}
		replaced := target.node()
		switch {
		case replaced == n:
			return nil
		case replaced != nil && replaced.folder != nil:
			return errFolder
		}
		f.change(target.becomes(n), source.becomes(nil))
		return nil
	})
}

// Remove implements vfs.FS.
func (f *FS) Remove(name string) error {
	return f.do(Remove, name, func() error {
		at, err := f.place(name)
		if err != nil {
			return err
		}
		n := at.node()
		switch {
		case n == nil:
			return fs.ErrNotExist
		case n.folder != nil && len(n.folder.now) > 0:
			return errNotEmpty
		}
		f.change(at.becomes(nil))
		return nil
	})
}

// ReadDir implements vfs.FS.
func (f *FS) ReadDir(name string) (entries []fs.DirEntry, err error) {
	err = f.do(ReadDir, name, func() error {
		n, err := f.findFolder(name)
		if err != nil {
			return err
		}
		for _, base := range slices.Sorted(maps.Keys(n.folder.now)) {
			entries = append(entries, fs.FileInfoToDirEntry(n.folder.now[base].info(base)))
		}
		return nil
	})
	return entries, err
}

// Stat implements vfs.FS.
func (f *FS) Stat(name string) (info fs.FileInfo, err error) {
	err = f.do(Stat, name, func() error {
		n, err := f.find(name)
		if err == nil {
			info = n.info(path.Base("/" + clean(name)))
		}
		return err
	})
	return info, err
}

// SyncDir implements vfs.FS.
func (f *FS) SyncDir(name string) error {
	err := f.do(SyncDir, name, func() error {
		n, err := f.findFolder(name)
		if err == nil {
			f.syncNames(n.folder)
		}
		return err
	})
	if err != nil {
		f.failSyncNames(name)
	}
	return err
}

// Lock implements vfs.FS.
func (f *FS) Lock(name string) (io.Closer, error) {
	err := f.add(Create, name, &node{modified: time.Now()})
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	l := &lock{fs: f, name: clean(name)}
	if _, held := f.locked[l.name]; held {
		return nil, vfs.ErrLocked
	}
	f.locked[l.name] = struct{}{}
	return l, nil
}

// A lock is held until it is closed.
type lock struct {
	fs   *FS
	name string
	once sync.Once
}

func (l *lock) Close() error {
	l.once.Do(func() {
		l.fs.mu.Lock()
		defer l.fs.mu.Unlock()
		delete(l.fs.locked, l.name)
	})
	return nil
}

// Files returns the names of all files, sorted.
func (f *FS) Files() (names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.root.walk("", func(name string, n *node) {
		if n.folder == nil {
			names = append(names, name)
		}
	})
	return names
}

// walk visits what is below a folder, in the order of names.
func (n *node) walk(dir string, visit func(name string, n *node)) {
	for _, base := range slices.Sorted(maps.Keys(n.folder.now)) {
		child := n.folder.now[base]
		visit(dir+"/"+base, child)
		if child.folder != nil {
			child.walk(dir+"/"+base, visit)
		}
	}
}
