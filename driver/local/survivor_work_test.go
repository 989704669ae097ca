package local

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
)

// work does one worker's share of a workload, until something fails.
func (s *survivor) work(ctx context.Context, d *Driver, rng *rand.Rand, steps int) error {
	var mine []driver.Ref
	for range steps {
		var err error
		switch n := rng.IntN(40); {
		case n < 21 || len(mine) == 0:
			var ref driver.Ref
			ref, err = s.put(ctx, d, survivorContent(rng))
			mine = append(mine, ref)
		case n < 35:
			i := rng.IntN(len(mine))
			err = s.delete(ctx, d, mine[i])
			mine = slices.Delete(mine, i, i+1)
		case n < 37:
			err = s.flush(ctx, d)
		case n < 39:
			err = s.compact(ctx, d, rng)
		default:
			err = s.snapshot(ctx, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// survivorContent returns what is put: often what goes with others, sometimes
// what gets a file, now and then nothing.
func survivorContent(rng *rand.Rand) []byte {
	b := make([]byte, rng.IntN([]int{100, 1500, 4000}[rng.IntN(3)]))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func (s *survivor) put(ctx context.Context, d *Driver, b []byte) (driver.Ref, error) {
	s.mu.Lock()
	s.tried[string(b)] = true
	s.mu.Unlock()
	ref, err := d.Put(ctx, "name", bytes.NewReader(b), driver.PutOptions{Size: -1})
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	s.contents[ref] = b
	s.mu.Unlock()
	s.promised(promise{ref: ref})
	return ref, nil
}

func (s *survivor) delete(ctx context.Context, d *Driver, ref driver.Ref) error {
	s.mu.Lock()
	s.dying[ref] = true
	delete(s.durable, ref)
	s.mu.Unlock()
	if err := d.Delete(ctx, ref); err != nil {
		return err
	}
	s.promised(promise{ref: ref, deleted: true})
	return nil
}

func (s *survivor) flush(ctx context.Context, d *Driver) error {
	s.mu.Lock()
	before := slices.Clone(s.pending)
	s.mu.Unlock()
	if err := d.Flush(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut == nil {
		s.settle(before)
	}
	return nil
}

// compact moves blobs, of which some are not to be moved, and deletes those
// that were.
func (s *survivor) compact(ctx context.Context, d *Driver, rng *rand.Rand) error {
	var gone []driver.Ref // guarded by mu, as rng is
	err := d.Compact(ctx, rng.Float64(), func(_ context.Context, from, to driver.Ref) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.cut != nil {
			return errFault
		}
		if b, ok := s.contents[from]; ok {
			s.contents[to] = b
		}
		if rng.IntN(4) == 0 {
			s.dying[to] = true
			return errUnmoved
		}
		s.durable[to] = true // in every mode
		gone = append(gone, from)
		return nil
	})
	if err != nil && !errors.Is(err, errUnmoved) {
		return err
	}
	for _, ref := range gone {
		if err := s.delete(ctx, d, ref); err != nil {
			return err
		}
	}
	return nil
}

var errUnmoved = errors.New("the caller does not want the blob moved")

// snapshot copies the folder, once in the life of a driver.
func (s *survivor) snapshot(ctx context.Context, d *Driver) error {
	c := &copied{holds: make(map[driver.Ref]bool)}
	s.mu.Lock()
	if s.copied != nil || s.cut != nil {
		s.mu.Unlock()
		return nil
	}
	maps.Copy(c.holds, s.durable)
	c.buried = maps.Clone(s.buried)
	for _, p := range s.pending {
		if p.deleted {
			c.buried[p.ref] = true
		} else if !s.dying[p.ref] {
			c.holds[p.ref] = true
		}
	}
	s.copied = c
	s.mu.Unlock()
	if err := d.Snapshot(ctx, copyDir); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(c.holds, func(ref driver.Ref, _ bool) bool { return s.dying[ref] })
	c.done = s.cut == nil
	return nil
}

// removeTree removes a folder and what is in it, if it is there.
func removeTree(disk *crashfs.FS, name string) error {
	info, err := disk.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		entries, err := disk.ReadDir(name)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := removeTree(disk, path.Join(name, e.Name())); err != nil {
				return err
			}
		}
	}
	return disk.Remove(name)
}
