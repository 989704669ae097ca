package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

// Delete implements driver.Driver. What is damaged so that it no longer says
// which blob it is goes too, because nobody can read it under any ref.
func (d *Driver) Delete(ctx context.Context, ref driver.Ref) error {
	if err := d.gate.Enter(); err != nil {
		return fmt.Errorf("local: delete %q: %w", ref, err)
	}
	defer d.gate.Leave()
	if err := d.delete(ctx, ref); err != nil {
		return fmt.Errorf("local: delete %q: %w", ref, noSpace(err))
	}
	return nil
}

func (d *Driver) delete(ctx context.Context, ref driver.Ref) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := d.poison.check(); err != nil {
		return err
	}
	if small, ok := parseSmallRef(ref); ok {
		return d.deleteSmall(small)
	}
	if id, ok := parseRef(ref); ok {
		return d.deleteLarge(id)
	}
	return nil // never minted here, so it never was there
}

// deleteLarge deletes a blob that has a file of its own.
func (d *Driver) deleteLarge(id blobID) error {
	if err := d.unlink(id); err != nil {
		return err
	}
	// Also if the file was gone already: a Delete that is still running, or
	// that a crash cut short, may have removed it and not synced the folder.
	folder := d.folderPath(id.number >> folderBits)
	if _, err := d.fs.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return d.settleFolder(folder)
}

// unlink removes the file of the blob, if it is there.
func (d *Driver) unlink(id blobID) error {
	f, err := d.openFile(id.number)
	switch {
	case errors.Is(err, container.ErrNotFound):
		return nil
	case errors.Is(err, container.ErrCorrupt):
	case err != nil:
		return err
	default:
		if err := f.Close(); err != nil {
			return err
		}
		if f.nonce != id.nonce {
			return nil // the number came again, for another blob
		}
	}
	err = d.fs.Remove(d.blobPath(id.number))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
