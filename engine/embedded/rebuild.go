package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/driver/local/vfs"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

// rebuildDir is where a catalog is made, until it is whole.
const rebuildDir = "catalog.rebuild"

// Rebuild makes a new catalog for an engine's directory of which only the blobs
// are left, from what the blobs say of themselves; see [catalog.Rebuild]. An
// engine that opens it deletes no blob that nothing names, until its
// ReleaseOrphans is called.
//
// It overwrites nothing: a directory whose "catalog" holds anything is an
// ErrInvalid, and so is one without blobs. Move a damaged catalog away. One that an
// engine has open is an ErrLocked. If Rebuild fails or is cut off, there is no
// catalog, and it may be called again.
func Rebuild(ctx context.Context, dir string, opts catalog.RebuildOptions) (report catalog.RebuildReport, err error) {
	if err := checkRebuild(dir); err != nil {
		return report, fmt.Errorf("embedded: rebuild: %w", err)
	}
	// Before anything is made: it keeps other engines and rebuilds out.
	blobs, err := local.Open(ctx, filepath.Join(dir, blobsDir), local.Options{})
	if err != nil {
		return report, fmt.Errorf("embedded: rebuild: %w", err)
	}
	report, err = rebuild(ctx, dir, blobs, opts)
	if err := errors.Join(err, blobs.Close(context.WithoutCancel(ctx))); err != nil {
		return report, fmt.Errorf("embedded: rebuild: %w", err)
	}
	return report, nil
}

// checkRebuild returns an ErrInvalid if there is something that would be
// overwritten, or nothing to begin with.
func checkRebuild(dir string) error {
	if err := checkComplete(dir); err != nil {
		return err
	}
	hasCatalog, err := holdsAnything(filepath.Join(dir, catalogDir))
	if err != nil {
		return err
	}
	if hasCatalog {
		return fmt.Errorf("%w: directory %q holds a %q, which is not overwritten; move it away", container.ErrInvalid, dir, catalogDir)
	}
	hasBlobs, err := holdsAnything(filepath.Join(dir, blobsDir))
	if err != nil {
		return err
	}
	if !hasBlobs {
		return fmt.Errorf("%w: directory %q holds no %q", container.ErrInvalid, dir, blobsDir)
	}
	return nil
}

func rebuild(ctx context.Context, dir string, blobs driver.Driver, opts catalog.RebuildOptions) (report catalog.RebuildReport, err error) {
	draft := filepath.Join(dir, rebuildDir)
	if err := os.RemoveAll(draft); err != nil { // of one that was cut off
		return report, err
	}
	store, err := pebblestore.Open(ctx, draft, pebblestore.Options{})
	if err != nil {
		return report, err
	}
	report, err = catalog.Rebuild(ctx, store, map[string]driver.Driver{DriverName: blobs}, opts)
	if err := errors.Join(err, store.Close(context.WithoutCancel(ctx))); err != nil {
		return report, err
	}
	final := filepath.Join(dir, catalogDir)
	// Only an empty directory goes, and somebody may have filled it meanwhile.
	if err := os.Remove(final); err != nil && !errors.Is(err, os.ErrNotExist) {
		return report, err
	}
	if err := os.Rename(draft, final); err != nil {
		return report, err
	}
	return report, vfs.OS{}.SyncDir(dir)
}
