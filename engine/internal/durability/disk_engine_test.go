package durability

import (
	"context"
	"errors"
	"fmt"

	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

// Where the halves of an engine are on its disk, below the root of the engine.
const (
	diskRoot    = "/data"
	diskCatalog = "/catalog"
	diskBlobs   = "/blobs"
)

// diskSmallBlob lets small artifacts be in segments and others in files.
const diskSmallBlob = 4 << 10

// A diskEngine is an engine of which both halves are on one disk.
type diskEngine struct {
	*engine.Engine
	disk  *crashfs.FS
	store *pebblestore.Store
	blobs *local.Driver
}

// openDisk opens the engine on a disk, or makes a new one. Closing it leaves the
// store open, to be looked into; see closeAll.
func openDisk(ctx context.Context, disk *crashfs.FS, opts ...engine.Option) (*diskEngine, error) {
	return openDiskAs(ctx, disk, local.Options{}, opts...)
}

// openDiskAs is openDisk for a driver that is told how to sync.
func openDiskAs(ctx context.Context, disk *crashfs.FS, how local.Options, opts ...engine.Option) (*diskEngine, error) {
	return openDiskIn(ctx, disk, diskRoot, how, opts...)
}

// openDiskIn is openDiskAs for an engine below another root.
func openDiskIn(ctx context.Context, disk *crashfs.FS, root string, how local.Options, opts ...engine.Option) (*diskEngine, error) {
	how.FS, how.SmallBlob = disk, diskSmallBlob
	store, err := pebblestore.Open(ctx, root+diskCatalog, pebblestore.Options{FS: pebbleFS{disk}, CacheSize: 1 << 20})
	if err != nil {
		return nil, fmt.Errorf("open catalog: %w", err)
	}
	blobs, err := local.Open(ctx, root+diskBlobs, how)
	if err != nil {
		return nil, fmt.Errorf("open blobs: %w", errors.Join(err, store.Close(ctx)))
	}
	eng, err := engine.New(ctx, append(opts, engine.WithCatalog(leftOpen{store}), engine.WithDriver("main", blobs))...)
	if err != nil {
		return nil, fmt.Errorf("open engine: %w", errors.Join(err, blobs.Close(ctx), store.Close(ctx)))
	}
	return &diskEngine{eng, disk, store, blobs}, nil
}

// closeAll closes the engine and its store.
func (e *diskEngine) closeAll(ctx context.Context) error {
	return errors.Join(e.Close(ctx), e.store.Close(ctx))
}

// A leftOpen is a store that outlives its engine.
type leftOpen struct{ *pebblestore.Store }

func (leftOpen) Close(context.Context) error { return nil }
