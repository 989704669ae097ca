package local

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

// Names in the root.
const (
	formatName    = "FORMAT"
	formatNewName = "FORMAT.new"
	lockName      = "LOCK"
	blobName      = "blob"
	segmentName   = "seg"
	deadName      = "dead"
	tmpName       = "tmp"
	unflushedName = "UNFLUSHED"
)

// What the names of segments and deletion logs end in.
const (
	segmentSuffix = ".seg"
	logSuffix     = ".log"
)

const (
	formatKind    = "vaultaire/driver/local"
	formatVersion = 2
	maxFormatSize = 4 << 10
)

// A rootFormat is what FORMAT says.
type rootFormat struct {
	Kind     string `json:"kind"`
	Version  int    `json:"version"`
	Identity string `json:"identity"`
}

// refuseForeign returns an ErrInvalid if the root holds something and is not
// a driver's. A driver that was killed while it made its first files left
// nothing but some of those; lost+found is in every new file system.
func (d *Driver) refuseForeign() error {
	entries, err := d.fs.ReadDir(d.root)
	if err != nil {
		return err
	}
	foreign := ""
	for _, e := range entries {
		switch e.Name() {
		case formatName:
			return nil
		case lockName, formatNewName, "lost+found":
		default:
			foreign = e.Name()
		}
	}
	if foreign != "" {
		return fmt.Errorf("%w: the folder holds %q and no %s, so it is not one of this driver; "+
			"accepted is such a folder, an empty one, or none", container.ErrInvalid, foreign, formatName)
	}
	return nil
}

// recover brings the root to the state in which a running driver keeps it.
func (d *Driver) recover(ctx context.Context) error {
	format, err := d.readFormat()
	if errors.Is(err, fs.ErrNotExist) {
		format, err = d.makeFormat()
	}
	if err != nil {
		return err
	}
	d.identity = format.Identity
	for _, name := range []string{blobName, segmentName, deadName, tmpName} {
		if err := d.fs.Mkdir(filepath.Join(d.root, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	// Also what a run before this one made and may have had no time to sync.
	if err := d.syncFolder(d.root); err != nil {
		return err
	}
	if err := d.recoverUnflushed(ctx); err != nil {
		return err
	}
	if err := d.emptyTmp(ctx); err != nil {
		return err
	}
	next, err := d.findNext(ctx)
	if err != nil {
		return err
	}
	d.next.Store(next)
	if err := d.recoverSegments(ctx); err != nil {
		return err
	}
	if d.sync == SyncAsync {
		return d.markUnflushed()
	}
	return nil
}

func (d *Driver) readFormat() (rootFormat, error) {
	f, err := d.fs.Open(filepath.Join(d.root, formatName))
	if err != nil {
		return rootFormat{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, 0, maxFormatSize))
	if err != nil {
		return rootFormat{}, fmt.Errorf("read %s: %w", formatName, err)
	}
	return parseFormat(text)
}

func parseFormat(text []byte) (format rootFormat, err error) {
	if err := json.Unmarshal(text, &format); err != nil {
		return format, fmt.Errorf("%w: %s: %w", container.ErrCorrupt, formatName, err)
	}
	switch {
	case format.Kind != formatKind:
		return format, fmt.Errorf("%w: %s says that the folder is of kind %q; accepted is %q",
			container.ErrInvalid, formatName, format.Kind, formatKind)
	case format.Version != formatVersion:
		return format, fmt.Errorf("%w: %s says that the folder is of version %d; this program reads version %d",
			container.ErrInvalid, formatName, format.Version, formatVersion)
	case format.Identity == "":
		return format, fmt.Errorf("%w: %s has no identity", container.ErrCorrupt, formatName)
	}
	return format, nil
}

// makeFormat publishes a new FORMAT as a Put publishes a blob; see there.
func (d *Driver) makeFormat() (rootFormat, error) {
	identity := make([]byte, 16)
	_, _ = rand.Read(identity) // never fails: crypto/rand ends the process instead
	format := rootFormat{Kind: formatKind, Version: formatVersion, Identity: hex.EncodeToString(identity)}
	text, err := json.MarshalIndent(format, "", "  ")
	if err != nil {
		return format, err
	}
	draft := filepath.Join(d.root, formatNewName)
	if err := d.fs.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return format, err
	}
	err = d.writeFile(draft, func(f vfs.WriteFile) error {
		_, err := f.Write(append(text, '\n'))
		return err
	})
	if err != nil {
		return format, err
	}
	if err := d.fs.Rename(draft, filepath.Join(d.root, formatName)); err != nil {
		return format, err
	}
	return format, d.syncFolder(d.root)
}

// emptyTmp removes what earlier runs did not finish. It need not be durable:
// what comes back after a power cut is removed again.
func (d *Driver) emptyTmp(ctx context.Context) error {
	tmp := filepath.Join(d.root, tmpName)
	entries, err := d.fs.ReadDir(tmp)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.IsDir() {
			continue // not ours
		}
		if err := d.fs.Remove(filepath.Join(tmp, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// findNext returns one more than the highest number of a blob. It reads the
// folders from the last one down to the first that holds a blob.
func (d *Driver) findNext(ctx context.Context) (uint64, error) {
	folders, err := d.blobFolders(0)
	if err != nil {
		return 0, err
	}
	for _, folder := range slices.Backward(folders) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		numbers, err := d.numbers(folder, 0)
		if err != nil {
			return 0, err
		}
		if len(numbers) > 0 {
			return numbers[len(numbers)-1] + 1, nil
		}
	}
	return 0, nil
}
