package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

// A filler is a driver.Source, or one of which some bytes were read before.
type filler interface {
	Fill(p []byte) (int, error)
}

// putLarge gives a blob a file of its own.
func (d *Driver) putLarge(src filler) (driver.Ref, error) {
	id := blobID{number: d.next.Add(1) - 1, nonce: newNonce()}
	if id.number > maxNumber {
		return "", fmt.Errorf("%w: blob numbers are used up", container.ErrNoSpace)
	}
	if err := d.stage(id, src); err != nil {
		return "", err
	}
	if err := d.publish(id); err != nil {
		return "", noSpace(err)
	}
	return id.ref(), nil
}

// stage writes the blob under tmp, where a crash leaves it to be removed.
func (d *Driver) stage(id blobID, src filler) error {
	return d.writeFile(d.tmpPath(id.number), func(f vfs.WriteFile) error {
		w := blobWriter{file: f, nonce: id.nonce, geometry: d.geometry}
		return w.copy(src)
	})
}

// publish moves a staged blob to its place. From the move on the blob is
// whole and listed, even if the sync fails; from the sync on it is durable.
func (d *Driver) publish(id blobID) (err error) {
	staged := d.tmpPath(id.number)
	defer func() {
		if err != nil {
			_ = d.fs.Remove(staged) // if it is still there; else the next open removes it
		}
	}()
	// The folder first, since a durable name in a folder that is gone is none.
	if err := d.makeBlobFolder(id.number >> folderBits); err != nil {
		return err
	}
	// Only after its bytes were synced: a file system may make the name durable
	// before bytes that nobody asked it for, and then a crash shows an empty or
	// half a blob under its final name. Nothing can be replaced here, for no
	// number is higher than those that were found at open.
	path := d.blobPath(id.number)
	if err := d.fs.Rename(staged, path); err != nil {
		return err
	}
	// A rename is a change of the folder, and lasts when the folder is synced.
	return d.settleFolder(filepath.Dir(path))
}

// makeBlobFolder makes a folder for blobs and syncs its parent; also if it is
// there already, since whoever made it may have had no time to.
func (d *Driver) makeBlobFolder(folder uint64) error {
	if d.lastFolder.Load() == int64(folder) {
		return nil
	}
	path := d.folderPath(folder)
	if err := d.fs.Mkdir(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := d.settleFolder(filepath.Dir(path)); err != nil {
		return err
	}
	d.lastFolder.Store(int64(folder))
	return nil
}

// writeFile makes a file of what fill writes and syncs it. On any error, and
// if fill panics, no file is left.
func (d *Driver) writeFile(path string, fill func(vfs.WriteFile) error) error {
	f, err := d.fs.Create(path)
	if err != nil {
		return noSpace(err)
	}
	kept := false
	defer func() {
		if !kept {
			_ = f.Close() // a second close does no harm
			_ = d.fs.Remove(path)
		}
	}()
	if err := fill(f); err != nil {
		return err
	}
	if err := d.syncFile(f); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return noSpace(err)
	}
	kept = true
	return nil
}

func (d *Driver) syncFile(f vfs.WriteFile) error {
	if d.sync == SyncNone {
		return nil
	}
	err := f.Sync()
	if err == nil {
		return nil
	}
	// File systems that choose the place of bytes late find here that they have
	// none. That harms no file but this one, which goes. All else is unknown.
	if !vfs.IsNoSpace(err) {
		d.poison.fail(err)
	}
	return noSpace(fmt.Errorf("sync: %w", err))
}

// A blobWriter writes a blob's file from its start.
type blobWriter struct {
	file     vfs.WriteFile
	nonce    uint64
	geometry geometry
	blocks   int64
	size     int64
	sums     []byte // of the group being written
}

// copy writes all of src, the sums and the footer.
func (w *blobWriter) copy(src filler) error {
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	for {
		blocks := min(blocksAtOnce, w.geometry.groupLeft(w.blocks))
		n, err := src.Fill(buf.blocks[:blocks*blockSize])
		if err != nil && err != io.EOF {
			return fmt.Errorf("read source: %w", err)
		}
		if n > 0 {
			if err := w.writeBlocks(buf.blocks[:n]); err != nil {
				return noSpace(err)
			}
		}
		if err == io.EOF {
			return noSpace(w.finish())
		}
	}
}

// writeBlocks writes blocks of one group, of which only the blob's last may be
// short.
func (w *blobWriter) writeBlocks(data []byte) error {
	if _, err := w.file.Write(data); err != nil {
		return err
	}
	blocks := blocksIn(int64(len(data)))
	for i := range blocks {
		w.sums = binary.LittleEndian.AppendUint32(w.sums, blockSum(w.nonce, w.blocks+i, blockOf(data, i)))
	}
	w.blocks += blocks
	w.size += int64(len(data))
	if w.blocks%w.geometry.groupBlocks > 0 {
		return nil
	}
	_, err := w.file.Write(w.sums)
	w.sums = w.sums[:0]
	return err
}

func (w *blobWriter) finish() error {
	f := footer{geometry: w.geometry, size: w.size, nonce: w.nonce}
	_, err := w.file.Write(f.append(w.sums))
	return err
}
