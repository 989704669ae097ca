package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local/vfs"
	"github.com/vaultaire/vaultaire/engine"
)

// incompleteName is a file in a directory that says that a backup to it has not
// ended.
const incompleteName = "INCOMPLETE"

// Backup copies eng, which Open has returned, to the directory dst while it is in
// use; see [engine.Engine.Backup] for what the copy has. dst, whose parent exists,
// does not exist or is empty, else the error is a container.ErrInvalid. Files are
// linked where dst is on the same file system, so a backup there takes little room
// and time, and does not outlive the disk: copy it elsewhere.
//
// To restore, copy dst to where it is wanted, with whatever copies files, and call
// Open, which refuses a backup that was cut short.
func Backup(ctx context.Context, eng *engine.Engine, dst string) error {
	if err := backup(ctx, vfs.OS{}, eng, dst); err != nil {
		return fmt.Errorf("embedded: backup to %q: %w", dst, err)
	}
	return nil
}

func backup(ctx context.Context, disk vfs.FS, eng *engine.Engine, dst string) error {
	if err := makeEmpty(disk, dst); err != nil {
		return err
	}
	// First and last, so that there is no moment in which a part looks whole.
	incomplete := filepath.Join(dst, incompleteName)
	f, err := disk.Create(incomplete)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Close(), disk.SyncDir(dst)); err != nil {
		return err
	}
	err = eng.Backup(ctx, engine.BackupDirs{
		Catalog: filepath.Join(dst, catalogDir),
		Drivers: map[string]string{DriverName: filepath.Join(dst, blobsDir)},
	})
	if err != nil {
		return err
	}
	if err := disk.SyncDir(dst); err != nil {
		return err
	}
	if err := disk.Remove(incomplete); err != nil {
		return err
	}
	return disk.SyncDir(dst)
}

// makeEmpty makes the directory dst durably, or makes sure that it is empty.
func makeEmpty(disk vfs.FS, dst string) error {
	if dst == "" {
		return fmt.Errorf("%w: the directory has no name", container.ErrInvalid)
	}
	if err := disk.Mkdir(dst); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := disk.SyncDir(filepath.Dir(dst)); err != nil {
		return err
	}
	entries, err := disk.ReadDir(dst)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%w: the directory holds %q; accepted is an empty one, or none", container.ErrInvalid, entries[0].Name())
	}
	return nil
}
