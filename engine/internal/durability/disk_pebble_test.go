package durability

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/cockroachdb/pebble/v2/vfs"

	local "github.com/vaultaire/vaultaire/driver/local/vfs"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
)

// A pebbleFS lets Pebble keep its files on a disk that can lose power, beside
// those of a driver.
type pebbleFS struct{ disk *crashfs.FS }

var _ vfs.FS = pebbleFS{}

// Create implements vfs.FS, which wants a new file in place of an old one.
func (p pebbleFS) Create(name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := p.disk.Create(name)
	if errors.Is(err, fs.ErrExist) {
		if err := p.disk.Remove(name); err != nil {
			return nil, err
		}
		f, err = p.disk.Create(name)
	}
	return pebbleFileOf(f, err)
}

func pebbleFileOf(f local.WriteFile, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &pebbleFile{ReadFile: f, write: f}, nil
}

func (p pebbleFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := pebbleFileOf(p.disk.OpenWrite(name))
	if errors.Is(err, fs.ErrNotExist) {
		f, err = p.Create(name, category)
	}
	return opened(f, err, opts)
}

func (p pebbleFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	info, err := p.disk.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return &pebbleDir{disk: p.disk, name: name}, nil
	}
	f, err := p.disk.Open(name)
	if err != nil {
		return nil, err
	}
	return opened(&pebbleFile{ReadFile: f}, nil, opts)
}

func opened(f vfs.File, err error, opts []vfs.OpenOption) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	for _, opt := range opts {
		opt.Apply(f)
	}
	return f, nil
}

func (p pebbleFS) OpenDir(name string) (vfs.File, error) {
	if _, err := p.disk.ReadDir(name); err != nil {
		return nil, err
	}
	return &pebbleDir{disk: p.disk, name: name}, nil
}

// ReuseForWrite keeps the bytes of the old file, so that Pebble meets them.
func (p pebbleFS) ReuseForWrite(oldname, newname string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	if err := p.disk.Rename(oldname, newname); err != nil {
		return nil, err
	}
	return pebbleFileOf(p.disk.OpenWrite(newname))
}

func (p pebbleFS) Link(oldname, newname string) error   { return p.disk.Link(oldname, newname) }
func (p pebbleFS) Rename(oldname, newname string) error { return p.disk.Rename(oldname, newname) }
func (p pebbleFS) Remove(name string) error             { return p.disk.Remove(name) }

func (p pebbleFS) RemoveAll(name string) error {
	info, err := p.disk.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		names, err := p.List(name)
		if err != nil {
			return err
		}
		for _, base := range names {
			if err := p.RemoveAll(path.Join(name, base)); err != nil {
				return err
			}
		}
	}
	return p.disk.Remove(name)
}

func (p pebbleFS) MkdirAll(name string, perm os.FileMode) error {
	if _, err := p.disk.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := p.MkdirAll(path.Dir(name), perm); err != nil {
		return err
	}
	if err := p.disk.Mkdir(name); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func (p pebbleFS) Lock(name string) (io.Closer, error) { return p.disk.Lock(name) }

func (p pebbleFS) List(name string) (names []string, err error) {
	entries, err := p.disk.ReadDir(name)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (p pebbleFS) Stat(name string) (vfs.FileInfo, error) { return pebbleInfoOf(p.disk.Stat(name)) }

func (pebbleFS) PathBase(name string) string    { return path.Base(name) }
func (pebbleFS) PathJoin(elem ...string) string { return path.Join(elem...) }
func (pebbleFS) PathDir(name string) string     { return path.Dir(name) }
func (pebbleFS) Unwrap() vfs.FS                 { return nil }

func (p pebbleFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	free, stored := uint64(p.disk.Free()), uint64(p.disk.Stored())
	return vfs.DiskUsage{AvailBytes: free, UsedBytes: stored, TotalBytes: free + stored}, nil
}

// A pebbleInfo is on the one device that there is.
type pebbleInfo struct{ fs.FileInfo }

func (pebbleInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }

func pebbleInfoOf(info fs.FileInfo, err error) (vfs.FileInfo, error) {
	if err != nil {
		return nil, err
	}
	return pebbleInfo{info}, nil
}

// A pebbleFile is a file that Pebble has open.
type pebbleFile struct {
	local.ReadFile
	write local.WriteFile // nil if it is for reading
	pos   int64           // of the next Read
}

var errReadOnly = errors.New("the file is open for reading")

func (f *pebbleFile) Read(b []byte) (int, error) {
	n, err := f.ReadAt(b, f.pos)
	f.pos += int64(n)
	return n, err
}

func (f *pebbleFile) Write(b []byte) (int, error) {
	if f.write == nil {
		return 0, errReadOnly
	}
	return f.write.Write(b)
}

func (f *pebbleFile) WriteAt(b []byte, off int64) (int, error) {
	if f.write == nil {
		return 0, errReadOnly
	}
	return f.write.WriteAt(b, off)
}

func (f *pebbleFile) Sync() error {
	if f.write == nil {
		return errReadOnly
	}
	return f.write.Sync()
}

func (f *pebbleFile) SyncData() error {
	if f.write == nil {
		return errReadOnly
	}
	return f.write.SyncData()
}

// SyncTo may do nothing, as long as it says so.
func (f *pebbleFile) SyncTo(int64) (bool, error) { return false, nil }

func (f *pebbleFile) Preallocate(int64, int64) error { return nil }
func (f *pebbleFile) Prefetch(int64, int64) error    { return nil }
func (f *pebbleFile) Fd() uintptr                    { return vfs.InvalidFd }
func (f *pebbleFile) Stat() (vfs.FileInfo, error)    { return pebbleInfoOf(f.ReadFile.Stat()) }

// A pebbleDir is a folder that Pebble has open, to sync it.
type pebbleDir struct {
	vfs.File // panics: there is nothing else that one does with a folder
	disk     *crashfs.FS
	name     string
}

func (d *pebbleDir) Sync() error                 { return d.disk.SyncDir(d.name) }
func (d *pebbleDir) SyncData() error             { return d.disk.SyncDir(d.name) }
func (d *pebbleDir) SyncTo(int64) (bool, error)  { return false, nil }
func (d *pebbleDir) Stat() (vfs.FileInfo, error) { return pebbleInfoOf(d.disk.Stat(d.name)) }
func (d *pebbleDir) Close() error                { return nil }
