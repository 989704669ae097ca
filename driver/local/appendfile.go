package local

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

// An appendFile is a file that this driver writes from its start to its end: a
// segment or a deletion log. In SyncAlways there are zeros ahead of the writer,
// which were synced before, so that syncing what is written over them changes
// nothing but these bytes; that takes a third of the time off a sync. A log
// always has them, as they are also room that nobody else can take.
//
// One goroutine at a time calls its methods, flush excepted.
type appendFile struct {
	driver *Driver
	path   string
	mark   mark // its first bytes
	file   vfs.WriteFile

	// pos is where the next byte goes. What is before was acknowledged, what is
	// behind was not, and is written over.
	pos    int64
	ahead  bool  // whether there are zeros ahead
	filled int64 // up to where there are
	step   int64 // by how much filled advanced last

	durable atomic.Int64 // up to where the bytes are known to be durable

	syncs  sync.Mutex // one sync at a time; see rounds
	closed bool       // guarded by syncs
}

// Zeros are written in steps that double, so that a small store stays small.
const (
	firstStep = 256 << 10
	lastStep  = 4 << 20
)

var zeros [256 << 10]byte

// makeAppendFile makes a file that begins with m, and whose name is durable.
// On failure there is none.
func (d *Driver) makeAppendFile(path string, m mark, step int64) (_ *appendFile, err error) {
	file, err := d.fs.Create(path)
	if err != nil {
		return nil, err
	}
	f := &appendFile{driver: d, path: path, mark: m, file: file, step: step}
	f.ahead = d.sync == SyncAlways || m.magic == logMagic
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = d.fs.Remove(path) // else the next open finds that nothing is in it
		}
	}()
	if _, err := file.WriteAt(m.append(nil), 0); err != nil {
		return nil, err
	}
	f.pos, f.filled = markSize, markSize
	if f.ahead {
		f.filled = step
		if err := writeZeros(file, markSize, step); err != nil {
			return nil, err
		}
	}
	if err := d.syncFile(file); err != nil {
		return nil, err
	}
	f.durable.Store(f.pos)
	return f, d.settleFolder(filepath.Dir(path))
}

func writeZeros(f vfs.WriteFile, from, to int64) error {
	for from < to {
		n, err := f.WriteAt(zeros[:min(to-from, int64(len(zeros)))], from)
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}

// append writes b at pos and, if sync is set, makes it durable, with all that
// was written before. If there is no room, pos stays where it is.
func (f *appendFile) append(b []byte, sync bool) error {
	if err := f.driver.poison.check(); err != nil {
		return err
	}
	if err := f.reserve(int64(len(b))); err != nil {
		return err
	}
	if _, err := f.file.WriteAt(b, f.pos); err != nil {
		return f.failed("write", err)
	}
	end := f.pos + int64(len(b))
	if sync {
		if err := f.sync(end, f.file.SyncData); err != nil {
			return err
		}
	}
	f.pos = end
	return nil
}

// reserve makes sure that there are zeros for n bytes and for a seal.
func (f *appendFile) reserve(n int64) error {
	if !f.ahead {
		return nil
	}
	want := f.pos + n + markSize
	if want <= f.filled {
		return nil
	}
	step := min(2*f.step, lastStep)
	to := max(want, f.filled+step)
	err := writeZeros(f.file, f.filled, to)
	if err == nil {
		// Also the file's size, and where on the disk its blocks are.
		err = f.sync(f.pos, f.file.Sync)
	}
	if err != nil {
		_ = f.file.Truncate(f.filled) // gives room back that is of no use
		return f.failed("extend", err)
	}
	f.step, f.filled = step, to
	return nil
}

// sync makes everything up to end durable with one of file's methods.
func (f *appendFile) sync(end int64, sync func() error) error {
	f.syncs.Lock()
	defer f.syncs.Unlock()
	return f.syncLocked(end, sync)
}

func (f *appendFile) syncLocked(end int64, sync func() error) error {
	if f.driver.sync == SyncNone {
		return nil
	}
	if err := f.driver.poison.check(); err != nil {
		return err
	}
	if err := sync(); err != nil {
		// In SyncAlways the bytes before pos were synced already, so a disk that
		// turns out to be full only now harms nobody but this round.
		if f.driver.sync != SyncAlways || !vfs.IsNoSpace(err) {
			f.driver.poison.fail(err)
		}
		return noSpace(fmt.Errorf("sync: %w", err))
	}
	f.durable.Store(max(end, f.durable.Load()))
	return nil
}

// failed returns err, with which a write failed. What a write leaves behind
// that fails for any other reason than a full disk is unknown.
func (f *appendFile) failed(what string, err error) error {
	if !vfs.IsNoSpace(err) {
		f.driver.poison.fail(err)
	}
	return noSpace(fmt.Errorf("%s: %w", what, err))
}

// flush makes everything up to end durable, while others append.
func (f *appendFile) flush(end int64) error {
	f.syncs.Lock()
	defer f.syncs.Unlock()
	if f.closed || f.durable.Load() >= end {
		return nil // who closed it has synced it
	}
	return f.syncLocked(end, f.file.SyncData)
}

// finish makes all that was appended durable, cuts off the zeros ahead after
// writing tail there, and closes the file, which is never changed again.
func (f *appendFile) finish(tail []byte) error {
	if err := f.driver.poison.check(); err != nil {
		return err
	}
	// First, since a seal must not be durable before what it seals.
	if err := f.flush(f.pos); err != nil {
		return err
	}
	if len(tail) > 0 {
		if _, err := f.file.WriteAt(tail, f.pos); err != nil {
			return f.failed("seal", err)
		}
	}
	end := f.pos + int64(len(tail))
	f.filled = min(f.filled, end) // if what follows fails for want of room
	if err := f.file.Truncate(end); err != nil {
		return f.failed("truncate", err)
	}
	if err := f.sync(end, f.file.Sync); err != nil {
		return err
	}
	return f.close()
}

// close closes the file as it is. Closing again does nothing.
func (f *appendFile) close() error {
	f.syncs.Lock()
	defer f.syncs.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	return f.file.Close()
}

// discard closes and removes a file in which nothing was written.
func (f *appendFile) discard() error {
	return errors.Join(f.close(), f.driver.fs.Remove(f.path))
}
