package local

import (
	"container/list"
	"sync"

	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

// A fileCache keeps segments open that are read. It may be used concurrently.
type fileCache struct {
	open  func(number uint64) (vfs.ReadFile, error)
	limit int // files that are kept open although nobody reads them

	mu    sync.Mutex
	files map[uint64]*cachedFile
	idle  list.List // of *cachedFile, the one idle longest in front
}

// A cachedFile is closed when nobody uses it any more and it is not wanted in
// the cache.
type cachedFile struct {
	vfs.ReadFile
	number  uint64
	users   int
	dropped bool          // no longer in files
	idle    *list.Element // in the list of those that nobody uses; else nil
}

func newFileCache(limit int, open func(uint64) (vfs.ReadFile, error)) *fileCache {
	return &fileCache{open: open, limit: limit, files: make(map[uint64]*cachedFile)}
}

// acquire returns the file of a segment, for which release must be called.
func (c *fileCache) acquire(number uint64) (*cachedFile, error) {
	if f := c.use(number, nil); f != nil {
		return f, nil
	}
	opened, err := c.open(number)
	if err != nil {
		return nil, err
	}
	f := c.use(number, opened)
	if f.ReadFile != opened {
		_ = opened.Close() // somebody else was faster; nothing was written to it
	}
	return f, nil
}

// use counts a user of the file in. If there is none, it becomes opened.
func (c *fileCache) use(number uint64, opened vfs.ReadFile) *cachedFile {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.files[number]
	if f == nil {
		if opened == nil {
			return nil
		}
		f = &cachedFile{ReadFile: opened, number: number}
		c.files[number] = f
	}
	f.users++
	if f.idle != nil {
		c.idle.Remove(f.idle)
		f.idle = nil
	}
	return f
}

func (c *fileCache) release(f *cachedFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.users--
	if f.users > 0 {
		return
	}
	if f.dropped {
		_ = f.Close()
		return
	}
	f.idle = c.idle.PushBack(f)
	for c.idle.Len() > c.limit {
		c.forget(c.idle.Front().Value.(*cachedFile))
	}
}

// drop takes a file out whose segment is gone. Who reads it goes on.
func (c *fileCache) drop(number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.files[number]; f != nil {
		c.forget(f)
	}
}

// dropAll takes all files out.
func (c *fileCache) dropAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.files {
		c.forget(f)
	}
}

// forget takes a file out, and closes it if nobody uses it.
func (c *fileCache) forget(f *cachedFile) {
	delete(c.files, f.number)
	f.dropped = true
	if f.idle != nil {
		c.idle.Remove(f.idle)
		f.idle = nil
		_ = f.Close() // nothing was written to it
	}
}
