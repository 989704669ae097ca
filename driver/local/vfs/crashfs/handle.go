package crashfs

import (
	"errors"
	"io/fs"
	"path"
	"time"

	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

// A handle is an open file. What it opened stays, whatever becomes of its name.
type handle struct {
	fs     *FS
	node   *node
	name   string
	pos    int64 // of the next Write
	closed bool
}

var _ vfs.WriteFile = (*handle)(nil)

// do runs an operation on the file that the hook does not prevent.
func (h *handle) do(kind Kind, run func() error) error {
	return h.fs.do(kind, h.name, func() error {
		if h.closed {
			return fs.ErrClosed
		}
		return run()
	})
}

// Write implements io.Writer.
func (h *handle) Write(b []byte) (n int, err error) {
	err = h.write(b, func(part []byte) (err error) {
		n, err = h.store(part, h.pos)
		h.pos += int64(n)
		return err
	})
	return n, err
}

// WriteAt implements io.WriterAt.
func (h *handle) WriteAt(b []byte, off int64) (n int, err error) {
	err = h.write(b, func(part []byte) (err error) {
		n, err = h.store(part, off)
		return err
	})
	return n, err
}

// write stores b, or the first half of it if the write is to be short.
func (h *handle) write(b []byte, store func([]byte) error) error {
	err := h.do(Write, func() error { return store(b) })
	var short *shortWrite
	if errors.As(err, &short) {
		h.fs.mu.Lock()
		defer h.fs.mu.Unlock()
		_ = store(b[:len(b)/2]) // it fails as it is
	}
	return err
}

// store writes what there is room for.
func (h *handle) store(b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fs.ErrInvalid
	}
	room, err := h.fs.space.grow(h.node, off+int64(len(b)))
	part := b[:max(0, min(int64(len(b)), room-off))]
	h.node.writeAt(part, off)
	h.node.modified = time.Now()
	h.fs.space.written += int64(len(part))
	return len(part), err
}

// Truncate implements vfs.WriteFile.
func (h *handle) Truncate(size int64) error {
	return h.do(Truncate, func() error {
		if size < 0 {
			return fs.ErrInvalid
		}
		if _, err := h.fs.space.grow(h.node, size); err != nil {
			return err
		}
		h.fs.space.shrink(h.node, size)
		h.node.truncate(size)
		h.node.modified = time.Now()
		return nil
	})
}

// Sync implements vfs.WriteFile.
func (h *handle) Sync() error { return h.sync(Sync) }

// SyncData implements vfs.WriteFile.
func (h *handle) SyncData() error { return h.sync(SyncData) }

func (h *handle) sync(kind Kind) error {
	err := h.do(kind, func() error {
		h.node.sync()
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrClosed) {
		h.fs.mu.Lock()
		defer h.fs.mu.Unlock()
		h.node.failSync()
	}
	return err
}

// ReadAt implements io.ReaderAt.
func (h *handle) ReadAt(b []byte, off int64) (n int, err error) {
	var end error // io.EOF goes as it is
	err = h.do(Read, func() error {
		if off < 0 {
			return fs.ErrInvalid
		}
		n, end = h.node.now.readAt(b, off)
		return nil
	})
	if err == nil {
		err = end
	}
	return n, err
}

// Stat implements vfs.ReadFile.
func (h *handle) Stat() (info fs.FileInfo, err error) {
	err = h.do(Stat, func() error {
		info = h.node.info(path.Base("/" + clean(h.name)))
		return nil
	})
	return info, err
}

// Close implements io.Closer. It syncs nothing.
func (h *handle) Close() error {
	return h.do(Close, func() error {
		h.closed = true
		return nil
	})
}

// An info is an fs.FileInfo.
type info struct {
	name     string
	size     int64
	mode     fs.FileMode
	modified time.Time
}

func (n *node) info(name string) info {
	i := info{name: name, size: n.now.size, mode: 0o600, modified: n.modified}
	if n.folder != nil {
		i.mode = fs.ModeDir | 0o700
	}
	return i
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.modified }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
