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
	"path/filepath"

	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

// DriverName is the name of the local driver in the engines that Open returns.
const DriverName = "local"

// Open opens the engine in dir, which it creates if it does not exist. opts are
// further options of [engine.New]; catalog and driver are given already.
//
// It returns an error that matches container.ErrLocked if another engine has
// the directory open, and container.ErrInvalid if what is in it is not ours.
// [engine.Engine.Close] closes everything. ctx governs the opening only.
func Open(ctx context.Context, dir string, opts ...engine.Option) (*engine.Engine, error) {
	store, err := pebblestore.Open(ctx, filepath.Join(dir, "catalog"), pebblestore.Options{})
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	blobs, err := local.Open(ctx, filepath.Join(dir, "blobs"), local.Options{})
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", errors.Join(err, store.Close(ctx)))
	}
	eng, err := engine.New(ctx, append([]engine.Option{
		engine.WithCatalog(store),
		engine.WithDriver(DriverName, blobs),
	}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", errors.Join(err, blobs.Close(ctx), store.Close(ctx)))
	}
	return eng, nil
}
