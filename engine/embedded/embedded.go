// Package embedded opens a whole engine in one directory.
//
//	eng, err := embedded.Open(ctx, "./data")
//	...
//	defer eng.Close(ctx)
//
// The directory holds the catalog, a Pebble store, in "catalog" and the bytes,
// a local driver, in "blobs". One engine at a time has it open.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

// Reserve is how many bytes of the disk puts leave free, 256 MiB, unless
// engine.WithReserve says otherwise.
const Reserve = 256 << 20

// DriverName is the name of the local driver in the engines that Open returns.
const DriverName = "local"

// The directories in an engine's directory. The catalog is made first.
const (
	catalogDir = "catalog"
	blobsDir   = "blobs"
)

// check returns an ErrInvalid if dir holds a part of a backup, or blobs and no
// catalog: a new one beside them would show that all of them are gone.
func check(dir string) error {
	if err := checkComplete(dir); err != nil {
		return err
	}
	hasCatalog, err := holdsAnything(filepath.Join(dir, catalogDir))
	if err != nil || hasCatalog {
		return err
	}
	hasBlobs, err := holdsAnything(filepath.Join(dir, blobsDir))
	if err != nil || !hasBlobs {
		return err
	}
	return fmt.Errorf("%w: directory %q holds %q, and the %q that belongs to it is gone; Rebuild makes a new one",
		container.ErrInvalid, dir, blobsDir, catalogDir)
}

// checkComplete returns an ErrInvalid if dir holds a part of a backup.
func checkComplete(dir string) error {
	_, err := os.Stat(filepath.Join(dir, incompleteName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, fmt.Errorf("%w: directory %q holds a backup that was cut short, as its %q says",
		container.ErrInvalid, dir, incompleteName))
}

func holdsAnything(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return len(entries) > 0, err
}

// Options say how to open an engine. The zero value is what [Open] uses.
type Options struct {
	// Blobs are for the local driver. With its asynchronous mode a put is faster
	// and what was put last may be lost in a power cut; see package engine.
	Blobs local.Options
}

// Open is [OpenWith] the defaults.
func Open(ctx context.Context, dir string, opts ...engine.Option) (*engine.Engine, error) {
	return OpenWith(ctx, dir, Options{}, opts...)
}

// OpenWith opens the engine in dir, which it creates if it does not exist. opts
// are further options of [engine.New]; catalog and driver are given already.
//
// It returns an error that matches container.ErrLocked if another engine has
// the directory open, and container.ErrInvalid if its "catalog" or "blobs" is not
// ours, or if the catalog is gone; see [Rebuild]. Other files in the directory are left alone.
// [engine.Engine.Close] closes everything. ctx governs the opening only.
func OpenWith(ctx context.Context, dir string, how Options, opts ...engine.Option) (*engine.Engine, error) {
	if err := check(dir); err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	store, err := pebblestore.Open(ctx, filepath.Join(dir, catalogDir), pebblestore.Options{})
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	blobs, err := local.Open(ctx, filepath.Join(dir, blobsDir), how.Blobs)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", errors.Join(err, store.Close(ctx)))
	}
	eng, err := engine.New(ctx, append([]engine.Option{
		engine.WithCatalog(store),
		engine.WithDriver(DriverName, blobs),
		engine.WithReserve(Reserve, store.FreeSpace),
	}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", errors.Join(err, blobs.Close(ctx), store.Close(ctx)))
	}
	return eng, nil
}
