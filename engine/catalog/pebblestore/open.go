package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

// Options say how to open a store. The zero value is the default.
type Options struct {
	// FS is where the directory is; nil means the disk.
	FS vfs.FS
	// Logger hears about failures, and at debug level what Pebble does; nil
	// means nobody does.
	Logger *slog.Logger
	// CacheSize is the size of the block cache in bytes; 0 means 64 MiB.
	CacheSize int64

	memTableSize uint64 // 0 means memTableSize; tests flush early
}

// A Store is a [catalog.LazyStore] in a directory.
type Store struct {
	dir    string
	db     *pebble.DB
	lock   *pebble.Lock
	fence  *fence
	poison *poison
	log    *slog.Logger
	gate   driver.Gate

	// mu makes "take a snapshot", and "validate and apply", one step each.
	mu        sync.Mutex
	conflicts *conflicts
	last      *commit // the last that was applied; nil after Open

	wedged   atomic.Bool // Pebble may have kept its own locks
	closing  sync.Mutex
	released bool
}

var _ catalog.LazyStore = (*Store)(nil)

// Open opens the store in dir, and makes it if dir is missing or empty. It
// returns a [container.ErrInvalid] for a directory that holds something else,
// a [container.ErrLocked] if the store is open already, in this process or in
// another, and a [container.ErrCorrupt] if it is damaged. ctx is asked before the
// work begins; recovering the log, of at most a few memory tables, is not
// interrupted.
func Open(ctx context.Context, dir string, opts Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if opts.CacheSize < 0 {
		return nil, fmt.Errorf("%w: cache size is %d bytes, 0 or more are accepted", container.ErrInvalid, opts.CacheSize)
	}
	if dir == "" {
		return nil, fmt.Errorf("%w: store directory is empty", container.ErrInvalid)
	}
	fsys, dir, err := locate(opts.FS, dir)
	if err != nil {
		return nil, err
	}
	lock, err := lockDirectory(fsys, dir)
	if err != nil {
		return nil, err
	}
	s := newStore(fsys, dir, lock, opts)
	if err := s.openPebble(dir, opts); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

// OpenMemory opens an empty store that lives in memory until it is closed.
func OpenMemory(ctx context.Context) (*Store, error) {
	return Open(ctx, "store", Options{FS: vfs.NewMem()})
}

// locate makes dir and returns the file system and the one name that dir has on
// it: within a process the lock goes by names.
func locate(fsys vfs.FS, dir string) (vfs.FS, string, error) {
	onDisk := fsys == nil
	if onDisk {
		fsys = vfs.Default
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, "", fmt.Errorf("pebblestore: %w", err)
		}
		dir = abs
	}
	if err := makeDirectory(fsys, dir); err != nil {
		return nil, "", fmt.Errorf("pebblestore: make directory: %w", err)
	}
	if onDisk {
		resolved, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return nil, "", fmt.Errorf("pebblestore: %w", err)
		}
		dir = resolved
	}
	return fsys, dir, nil
}

func newStore(fsys vfs.FS, dir string, lock *pebble.Lock, opts Options) *Store {
	log := opts.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	p := &poison{log: log}
	return &Store{
		dir:       dir,
		lock:      lock,
		fence:     newFence(fsys, dir, p),
		poison:    p,
		log:       log,
		conflicts: newConflicts(maxWindow),
	}
}

// openPebble opens what is below. Behind the fence Pebble does not learn of a
// failed write, so the poison is asked as well.
func (s *Store) openPebble(dir string, opts Options) error {
	pebbleOpts := pebbleOptions(opts)
	pebbleOpts.FS = s.fence
	pebbleOpts.Lock = s.lock
	logTo(pebbleOpts, &pebbleLogger{log: s.log, poison: s.poison})
	if err := checkDamage(s.fence, dir); err != nil {
		return fmt.Errorf("pebblestore: open %s: %w", dir, err)
	}
	db, err := pebble.Open(dir, pebbleOpts)
	if err != nil {
		return fmt.Errorf("pebblestore: open %s: %w", dir, errors.Join(s.poison.err(), readError(err)))
	}
	s.db = db
	s.fence.opened.Store(true)
	if err := s.poison.err(); err != nil {
		return fmt.Errorf("pebblestore: open %s: %w", dir, errors.Join(err, s.closePebble()))
	}
	return nil
}

// FreeSpace returns how many bytes the disk of the store has left for its user.
// It works without the store, so also after Close.
func (s *Store) FreeSpace(ctx context.Context) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	usage, err := s.fence.GetDiskUsage(s.dir)
	if err != nil {
		return 0, fmt.Errorf("pebblestore: free space of %s: %w", s.dir, err)
	}
	return int64(min(usage.AvailBytes, math.MaxInt64)), nil
}

// Close implements [catalog.Store]. Once no call runs any more, closing Pebble
// takes as long as its compactions need to notice, whatever ctx says.
func (s *Store) Close(ctx context.Context) error {
	if err := s.gate.Close(ctx); err != nil {
		return fmt.Errorf("pebblestore: close: calls still run: %w", err)
	}
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.released {
		return nil
	}
	s.released = true
	if s.wedged.Load() {
		return fmt.Errorf("pebblestore: close: Pebble cannot be closed any more, end the process: %w", s.poison.err())
	}
	return errors.Join(s.closePebble(), s.lock.Close())
}

func (s *Store) closePebble() error {
	close(s.fence.closing)
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("pebblestore: close: %w", err)
	}
	return nil
}
