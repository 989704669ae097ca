// Package local is a [driver.Driver] that keeps blobs on disk: small ones
// together in segments, large ones in a file each.
//
//	d, err := local.Open(ctx, "/srv/blobs", local.Options{})
//	d, err := registry.Open(ctx, "local", map[string]any{"dir": "/srv/blobs"})
//
// # Files
//
//	FORMAT                what this folder is, its version and its identity
//	LOCK                  held by the one driver that has the folder open
//	seg/%012d.seg         a segment: blobs of up to 128 KiB, one behind the other
//	dead/%012d.log        which blobs in segments are deleted
//	blob/%08x/%016x       a larger blob by its number; 4096 numbers to a folder
//	tmp/%016x             a larger blob on its way; emptied whenever the driver opens
//
// A record in a segment is a header, a CRC-32C for each 64 KiB of the blob, and
// the blob (see record.go); a file is the blob, its sums, and a footer (see
// format.go). Sums are seeded with the place of the block and with a random
// nonce of the blob, so damaged, stale and misplaced bytes all fail, and every
// block is verified before a byte of it is returned. A blob's ref is where it
// is, and its nonce. A file's number may come again, after the highest blob was
// deleted, and any number after a copy was restored; the nonce is why refs do
// not.
//
// # Durability
//
// Small blobs are appended in rounds: while one is being synced the next
// gathers, and then shares one write and one sync. Deletions of small blobs are
// appended to a log in the same way. A segment is written by one run of a
// driver, sealed at its end, and removed when all that is in it was deleted. An
// open finds the segment that a crash left unsealed, keeps what is whole, and
// seals it.
//
// A large blob is written under tmp, synced, moved to its place, and then the
// folder is synced. It might be made under its final name at once, and save
// the move; but then nobody could tell a file that a crash left incomplete from
// one that was damaged later, and the first must go while the second must not.
// Calls that run at the same time share the syncs of folders.
//
// So it is in SyncAlways. SyncAsync writes as it does, and leaves the syncs of
// segments, logs and folders to a flush, every second unless told otherwise; a
// file is still synced before it is moved to its place. While a driver does so
// there is a file UNFLUSHED in its folder, so that an open after a crash makes
// durable what it finds.
//
// When a write or a sync fails, nobody can know what the disk still holds, so
// the driver accepts no more Puts and Deletes until it is opened again; reads
// go on. A blob for which the disk has no room is no such failure: that Put
// returns ErrNoSpace, and the next is welcome. Deletions go on: their log keeps
// some room in advance.
//
// # Upkeep
//
// A deletion gives room back when it is the last in its segment. Compact moves
// what is left in segments of which much is deleted, so it should be called now
// and then; an engine does. Snapshot copies the folder while it is in use.
// Restoring a copy is to open it.
package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

// A Driver keeps blobs in a folder. Use [Open].
type Driver struct {
	gate     driver.Gate
	fs       vfs.FS
	root     string
	sync     SyncMode
	geometry geometry
	identity string
	poison   poison
	folders  rounds[string] // syncs folders
	next     atomic.Uint64  // number of the next blob that has a file

	// lastFolder is the one blob folder that is known to be durable in its
	// parent, which is enough: numbers ascend. -1 if none is.
	lastFolder atomic.Int64

	smallBlob      int64 // the most bytes of a blob in a segment; -1: none is there
	skipVerify     bool
	segmentSize    int64
	step           int64 // bytes of zeros that a segment is made with
	logs           int   // deletion logs that are not merged
	logReserve     int64 // bytes of zeros that a log has at least
	segments       *segments
	segmentNumbers counter
	files          *fileCache // segments, open to be read
	appender       *appender
	deadLog        *deadLog
	flusher        *flusher
	upkeep         chan struct{} // has room for one: the Compact or Snapshot that runs
	logNumbers     counter

	unlock sync.Once
	lock   interface{ Close() error }
}

var (
	_ driver.Driver      = (*Driver)(nil)
	_ driver.Identifier  = (*Driver)(nil)
	_ driver.Flusher     = (*Driver)(nil)
	_ driver.Compactor   = (*Driver)(nil)
	_ driver.Snapshotter = (*Driver)(nil)
	_ driver.OpenFunc    = OpenConfig
)

// Open opens the folder dir, and makes it if it does not exist or is empty. A
// folder that holds anything else is an ErrInvalid, one that another driver
// has open, in this process or another, an ErrLocked.
func Open(ctx context.Context, dir string, opts Options) (*Driver, error) {
	d, err := openDir(ctx, dir, opts)
	if err != nil {
		return nil, fmt.Errorf("local: open %q: %w", dir, noSpace(err))
	}
	return d, nil
}

// OpenConfig is Open as a driver.OpenFunc. It accepts the keys
//
//	dir          the folder; required
//	sync         "always" (default), "async" or "none"; see SyncMode
//	interval     such as "1s" (default), with "async"
//	small_blob   bytes; see Options.SmallBlob, but 0 means that every blob has a file
//	verify       false for Options.SkipVerify
func OpenConfig(ctx context.Context, _ *driver.Registry, config map[string]any) (driver.Driver, error) {
	var dir string
	var opts Options
	small, verify := int64(DefaultSmallBlob), true
	err := driver.Decode(config, driver.Fields{
		"dir": &dir, "sync": &opts.Sync, "interval": &opts.Interval, "small_blob": &small, "verify": &verify,
	})
	if err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	if small < 0 || small > maxSmallBlob {
		return nil, fmt.Errorf(`local: %w: key "small_blob" is %d; accepted is 0 to %d`, container.ErrInvalid, small, maxSmallBlob)
	}
	opts.SmallBlob, opts.SkipVerify = small, !verify
	if small == 0 {
		opts.SmallBlob = -1
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

func openDir(ctx context.Context, dir string, opts Options) (_ *Driver, err error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	if dir == "" {
		return nil, fmt.Errorf("%w: the folder has no name", container.ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := newDriver(filepath.Clean(dir), opts)
	if err := d.acquire(); err != nil {
		return nil, err
	}
	if err := d.recover(ctx); err != nil {
		return nil, errors.Join(err, d.abandon())
	}
	if d.sync == SyncAsync {
		d.flusher.start()
	}
	return d, nil
}

// openSegments is how many segments stay open that nobody reads.
const openSegments = 256

func newDriver(root string, opts Options) *Driver {
	d := &Driver{
		fs:          opts.disk(),
		root:        root,
		sync:        opts.Sync,
		geometry:    defaultGeometry,
		smallBlob:   opts.smallBlob(),
		skipVerify:  opts.SkipVerify,
		segmentSize: cmp.Or(opts.segmentSize, defaultSegmentSize),
		step:        cmp.Or(opts.step, firstStep),
		logs:        cmp.Or(opts.logs, maxLogs),
		logReserve:  cmp.Or(opts.logReserve, minLogReserve),
		segments:    newSegments(),
		upkeep:      make(chan struct{}, 1),
	}
	d.folders = rounds[string]{run: d.syncFolders}
	d.files = newFileCache(openSegments, func(number uint64) (vfs.ReadFile, error) {
		return d.fs.Open(d.segmentPath(number))
	})
	d.appender = newAppender(d)
	d.deadLog = newDeadLog(d)
	d.flusher = newFlusher(d, cmp.Or(opts.Interval, defaultInterval))
	d.lastFolder.Store(-1)
	return d
}

// acquire makes sure that the root is ours, and ours alone.
func (d *Driver) acquire() error {
	if err := d.makeFolders(d.root, d.syncFolder); err != nil {
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

// makeFolders makes dir and what is missing above it, and calls sync for each
// folder that it adds a name to.
func (d *Driver) makeFolders(dir string, sync func(dir string) error) error {
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
	if err := d.makeFolders(parent, sync); err != nil {
		return err
	}
	if err := d.fs.Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return sync(parent)
}

// syncFolder makes the names in a folder durable, if the driver makes
// anything durable.
func (d *Driver) syncFolder(dir string) error {
	if d.sync == SyncNone {
		return nil
	}
	return d.folders.do(dir)
}

// syncFolders is a round of syncs.
func (d *Driver) syncFolders(dirs []string) error {
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		if err := d.poison.check(); err != nil {
			return err
		}
		if err := d.fs.SyncDir(dir); err != nil {
			d.poison.fail(err)
			return fmt.Errorf("sync folder: %w", err)
		}
	}
	return nil
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
	d.unlock.Do(func() { err = d.release() })
	if err != nil {
		return fmt.Errorf("local: close: %w", err)
	}
	return nil
}

// release ends what is written and gives up the lock.
func (d *Driver) release() error {
	d.flusher.finish()
	err := errors.Join(d.flush(), d.appender.close())
	if err == nil && d.sync == SyncAsync {
		err = d.unmarkUnflushed()
	}
	return errors.Join(err, d.abandon())
}

// abandon closes what is open and gives up the lock.
func (d *Driver) abandon() error {
	d.files.dropAll()
	err := d.deadLog.close() // which a failed open may have left open
	if unlock := d.lock.Close(); unlock != nil {
		err = errors.Join(err, fmt.Errorf("unlock: %w", unlock))
	}
	return err
}

// noSpace makes the operating system's ways to say that a disk is full match
// ErrNoSpace.
func noSpace(err error) error {
	if err != nil && vfs.IsNoSpace(err) {
		return fmt.Errorf("%w: %w", container.ErrNoSpace, err)
	}
	return err
}
