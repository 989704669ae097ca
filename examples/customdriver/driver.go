package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

// A Folder is a driver that keeps each blob as a plain file in one folder. A
// blob's ref, and its file, is the SHA-256 of its name: names never repeat, so
// neither do refs.
//
// It keeps its word on power cuts: a file is synced, renamed, and then its
// folder is. It does not know damaged bytes, since files have no checksums, it
// leaves the drafts of a crash, and it lets a second process in; the driver in
// package local does better.
type Folder struct {
	gate driver.Gate
	root *os.Root
}

// OpenFolder opens the folder dir, which exists.
func OpenFolder(dir string) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	return &Folder{root: root}, err
}

// Put implements driver.Driver.
func (f *Folder) Put(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
	if err := f.gate.Enter(); err != nil {
		return "", err
	}
	defer f.gate.Leave()
	ref := fmt.Sprintf("%x", sha256.Sum256([]byte(name)))
	draft := ref + ".new"
	defer f.root.Remove(draft) // does nothing once it has its final name
	if err := f.write(draft, driver.NewSource(ctx, src, opts.Size)); err != nil {
		return "", err
	}
	if err := f.root.Rename(draft, ref); err != nil {
		return "", err
	}
	return driver.Ref(ref), f.sync()
}

// Open implements driver.Driver.
func (f *Folder) Open(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
	if err := f.gate.Enter(); err != nil {
		return nil, err
	}
	defer f.gate.Leave()
	if !minted(string(ref)) {
		return nil, container.ErrNotFound
	}
	file, err := f.root.Open(string(ref))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, container.ErrNotFound
	} else if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && (off < 0 || off > info.Size() || n > info.Size()-off) {
		err = container.ErrRange
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if n < 0 {
		n = info.Size() - off
	}
	r := driver.NewSource(ctx, io.NewSectionReader(file, off, n), n) // for its ctx
	return struct {
		io.Reader
		io.Closer
	}{r, file}, nil
}

// Delete implements driver.Driver.
func (f *Folder) Delete(_ context.Context, ref driver.Ref) error {
	if err := f.gate.Enter(); err != nil {
		return err
	}
	defer f.gate.Leave()
	if !minted(string(ref)) {
		return nil
	}
	if err := f.root.Remove(string(ref)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.sync()
}

// List implements driver.Driver, in the order of refs.
func (f *Folder) List(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
	return func(yield func(driver.Blob, error) bool) {
		entries, err := f.entries()
		for i := 0; i < len(entries) && err == nil; i++ {
			blob := driver.Blob{Ref: driver.Ref(entries[i].Name()), Size: -1}
			if blob.Ref > after && minted(entries[i].Name()) && !yield(blob, nil) {
				return
			}
			err = ctx.Err()
		}
		if err != nil {
			yield(driver.Blob{}, err)
		}
	}
}

func (f *Folder) entries() ([]fs.DirEntry, error) {
	if err := f.gate.Enter(); err != nil {
		return nil, err
	}
	defer f.gate.Leave()
	return fs.ReadDir(f.root.FS(), ".")
}

// Close implements driver.Driver.
func (f *Folder) Close(ctx context.Context) error {
	if err := f.gate.Close(ctx); err != nil {
		return err
	}
	return f.root.Close()
}

// minted reports whether Put could have returned ref.
func minted(ref string) bool {
	return len(ref) == 2*sha256.Size && strings.Trim(ref, "0123456789abcdef") == ""
}

// write makes a new file of what src yields and syncs it.
func (f *Folder) write(name string, src io.Reader) error {
	file, err := f.root.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, src)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// sync makes the names in the folder durable.
func (f *Folder) sync() error {
	folder, err := f.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
