// Package local is a [driver.Driver] that keeps blobs on disk, one file each.
//
//	d, err := local.Open(ctx, "/srv/blobs", local.Options{})
//	d, err := registry.Open(ctx, "local", map[string]any{"dir": "/srv/blobs"})
//
// # Files
//
//	FORMAT                what this folder is, its version and its identity
//	LOCK                  held by the one driver that has the folder open
//	blob/%08x/%016x       a blob by its number; 4096 numbers to a folder
//	tmp/%016x             a blob on its way; emptied whenever the driver opens
//
// A file is the blob's bytes, a CRC-32C for each 64 KiB of them, and a footer
// (see format.go). The sums are seeded with the place of the block and with a
// random nonce of the blob, so damaged, stale and misplaced bytes all fail,
// and every block is verified before a byte of it is returned. The blob's ref
// is its number and its nonce. Numbers may come again, after the highest blob
// was deleted or a copy was restored; the nonce is why refs do not.
//
// # Durability
//
// A Put writes the file under tmp, syncs it, moves it to its place and syncs
// the folder; then it returns. A file under blob is therefore always whole. A
// Delete syncs the folder too. Calls that run at the same time share the syncs
// of folders. When a sync fails, nobody can know what the disk still holds, so
// the driver accepts no more Puts and Deletes until it is opened again; reads
// go on. A blob for which the disk has no room is no such failure: that Put
// returns ErrNoSpace.
package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local/internal/vfs"
)

// A Driver keeps blobs in a folder. Use [Open].
type Driver struct {
	gate     driver.Gate
	fs       vfs.FS
	root     string
	sync     SyncMode
	geometry geometry
	identity string
	syncer   syncer
	next     atomic.Uint64 // number of the next blob

	// lastFolder is the one blob folder that is known to be durable in its
	// parent, which is enough: numbers ascend. -1 if none is.
	lastFolder atomic.Int64

	unlock sync.Once
	lock   interface{ Close() error }
}

var (
	_ driver.Driver     = (*Driver)(nil)
	_ driver.Identifier = (*Driver)(nil)
	_ driver.OpenFunc   = OpenConfig
)

// Open opens the folder dir, and makes it if it does not exist or is empty. A
// folder that holds anything else is an ErrInvalid, one that another driver
// has open, in this process or another, an ErrLocked.
func Open(ctx context.Context, dir string, opts Options) (*Driver, error) {
	d, err := openFS(ctx, vfs.OS{}, dir, opts)
	if err != nil {
		return nil, fmt.Errorf("local: open %q: %w", dir, noSpace(err))
	}
	return d, nil
}

// OpenConfig is Open as a driver.OpenFunc. It accepts the keys
//
//	dir    the folder; required
//	sync   "always" (default) or "none"; see SyncMode
func OpenConfig(ctx context.Context, _ *driver.Registry, config map[string]any) (driver.Driver, error) {
	var dir string
	var opts Options
	if err := driver.Decode(config, driver.Fields{"dir": &dir, "sync": &opts.Sync}); err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	if dir == "" {
		return nil, fmt.Errorf(`local: %w: key "dir" is missing; accepted is the path of a folder`, container.ErrInvalid)
	}
	d, err := Open(ctx, dir, opts)
	if err != nil {
		return nil, err // not d: a nil *Driver in an interface is not nil
	}
	return d, nil
}

func openFS(ctx context.Context, disk vfs.FS, dir string, opts Options) (_ *Driver, err error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	if dir == "" {
		return nil, fmt.Errorf("%w: the folder has no name", container.ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := &Driver{fs: disk, root: filepath.Clean(dir), sync: opts.Sync, geometry: defaultGeometry}
	d.syncer.syncDir = disk.SyncDir
	d.lastFolder.Store(-1)
	if err := d.acquire(); err != nil {
		return nil, err
	}
	if err := d.recover(ctx); err != nil {
		return nil, errors.Join(err, d.lock.Close())
	}
	return d, nil
}

// acquire makes sure that the root is ours, and ours alone.
func (d *Driver) acquire() error {
	if err := d.makeFolders(d.root); err != nil {
		return err
	}
	// Before the lock, lest a folder of somebody else gets a file of ours.
	if err := d.refuseForeign(); err != nil {
		return err
	}
	lock, err := d.fs.Lock(filepath.Join(d.root, lockName))
	if errors.Is(err, vfs.ErrLocked) {
		return fmt.Errorf("%w: another driver has it open, in this process or another", container.ErrLocked)
	}
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	d.lock = lock
	return nil
}

// makeFolders makes dir and what is missing above it.
func (d *Driver) makeFolders(dir string) error {
	info, err := d.fs.Stat(dir)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%w: %q is not a folder", container.ErrInvalid, dir)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if parent == dir {
		return err
	}
	if err := d.makeFolders(parent); err != nil {
		return err
	}
	if err := d.fs.Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.syncFolder(parent)
}

// syncFolder makes the names in a folder durable, if the driver makes
// anything durable.
func (d *Driver) syncFolder(dir string) error {
	if d.sync == SyncNone {
		return nil
	}
	return d.syncer.sync(dir)
}

// Identity implements driver.Identifier. It was made with the folder and is
// kept in its FORMAT.
func (d *Driver) Identity(context.Context) (string, error) {
	if err := d.gate.Enter(); err != nil {
		return "", fmt.Errorf("local: identity: %w", err)
	}
	defer d.gate.Leave()
	return d.identity, nil
}

// Close implements driver.Driver. If ctx ends before all calls have, the
// folder stays locked until another Close succeeds or the process ends.
// Readers that are open go on.
func (d *Driver) Close(ctx context.Context) error {
	if err := d.gate.Close(ctx); err != nil {
		return fmt.Errorf("local: close: %w", err)
	}
	var err error
	d.unlock.Do(func() { err = d.lock.Close() })
	if err != nil {
		return fmt.Errorf("local: close: unlock: %w", err)
	}
	return nil
}

// noSpace makes the operating system's ways to say that a disk is full match
// ErrNoSpace.
func noSpace(err error) error {
	if err != nil && vfs.IsNoSpace(err) {
		return fmt.Errorf("%w: %w", container.ErrNoSpace, err)
	}
	return err
}
