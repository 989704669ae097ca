package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

// FlushInterval implements driver.Flusher.
func (d *Driver) FlushInterval() time.Duration {
	if d.sync == SyncAsync {
		return d.flusher.interval
	}
	return 0
}

// Flush implements driver.Flusher. In SyncNone it does nothing.
func (d *Driver) Flush(ctx context.Context) error {
	if err := d.gate.Enter(); err != nil {
		return fmt.Errorf("local: flush: %w", err)
	}
	defer d.gate.Leave()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("local: flush: %w", err)
	}
	if err := d.flush(); err != nil {
		return fmt.Errorf("local: flush: %w", err)
	}
	return nil
}

// flush makes durable what SyncAsync has put off.
func (d *Driver) flush() error {
	if d.sync != SyncAsync {
		return nil
	}
	return d.flusher.rounds.do(struct{}{})
}

// A flusher makes durable, in SyncAsync, what calls that have returned did. If
// it fails, the driver is poisoned.
type flusher struct {
	driver   *Driver
	interval time.Duration
	rounds   rounds[struct{}]

	stop chan struct{} // nil until it runs
	done chan struct{}

	mu    sync.Mutex
	dirty map[string]struct{} // folders that are to be synced
}

func newFlusher(d *Driver, interval time.Duration) *flusher {
	f := &flusher{driver: d, interval: interval, dirty: make(map[string]struct{})}
	f.rounds = rounds[struct{}]{run: func([]struct{}) error { return f.flush() }}
	return f
}

// start flushes at every interval until finish is called.
func (f *flusher) start() {
	f.stop, f.done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(f.done)
		ticker := time.NewTicker(f.interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				_ = f.driver.flush() // whoever writes next is told of a failure
			case <-f.stop:
				return
			}
		}
	}()
}

// finish waits for the flush that runs. If start was not called, it does
// nothing.
func (f *flusher) finish() {
	if f.stop != nil {
		close(f.stop)
		<-f.done
	}
}

// later says that a folder is to be synced.
func (f *flusher) later(dir string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dirty[dir] = struct{}{}
}

func (f *flusher) flush() error {
	d := f.driver
	if err := d.poison.check(); err != nil {
		return err
	}
	if err := d.appender.flush(); err != nil {
		return err
	}
	if err := d.deadLog.flush(); err != nil {
		return err
	}
	f.mu.Lock()
	dirty := f.dirty
	f.dirty = make(map[string]struct{})
	f.mu.Unlock()
	// A merge of logs may sync a folder of its own accord; see rounds.
	return d.folders.alone(func() error { return d.syncFolders(slices.Collect(maps.Keys(dirty))) })
}

// settleFolder makes the names in a folder durable, now or at the next flush.
func (d *Driver) settleFolder(dir string) error {
	if d.sync == SyncAsync {
		d.flusher.later(dir)
		return d.poison.check()
	}
	return d.syncFolder(dir)
}

// While a driver puts off syncs there is a file in the root that says so. Who
// finds it at open finds what a process left that was killed: names that are
// there, and that nobody has made durable.

// markUnflushed makes sure that the file is there.
func (d *Driver) markUnflushed() error {
	path := filepath.Join(d.root, unflushedName)
	if _, err := d.fs.Stat(path); err == nil {
		return nil
	}
	if err := d.writeFile(path, func(vfs.WriteFile) error { return nil }); err != nil {
		return err
	}
	return d.syncFolder(d.root)
}

// unmarkUnflushed removes the file, after all was made durable.
func (d *Driver) unmarkUnflushed() error {
	err := d.fs.Remove(filepath.Join(d.root, unflushedName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.syncFolder(d.root)
}

// recoverUnflushed makes durable what names an earlier run did not.
func (d *Driver) recoverUnflushed(ctx context.Context) error {
	_, err := d.fs.Stat(filepath.Join(d.root, unflushedName))
	if errors.Is(err, fs.ErrNotExist) || d.sync == SyncNone {
		return nil
	}
	if err != nil {
		return err
	}
	folders, err := d.blobFolders(0)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := d.syncFolder(d.folderPath(folder)); err != nil {
			return err
		}
	}
	for _, name := range []string{blobName, segmentName, deadName} {
		if err := d.syncFolder(filepath.Join(d.root, name)); err != nil {
			return err
		}
	}
	if d.sync == SyncAsync {
		return nil // this run needs it, too
	}
	return d.unmarkUnflushed()
}
