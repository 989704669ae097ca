package durability

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

// TestAFullDiskIsSurvived fills a real, small disk until nothing more goes in,
// frees a part of it and goes on, without a restart, again and again.
func TestAFullDiskIsSurvived(t *testing.T) {
	t.Parallel()
	seed := newSeed(t)
	for _, rig := range []struct {
		name string
		most int // bytes of an artifact
		open func(t *testing.T) func(ctx context.Context) (*engine.Engine, error)
	}{
		// As package embedded has it, with a reserve that fits a small disk.
		{"shared with the catalog", 3 << 20, func(t *testing.T) func(ctx context.Context) (*engine.Engine, error) {
			disk := mountDisk(t, 192<<20)
			return func(ctx context.Context) (*engine.Engine, error) { return openParts(ctx, disk, disk, 128<<20) }
		}},
		// Those that are kept together give their room back when they are moved.
		{"full of small artifacts", 100_000, func(t *testing.T) func(ctx context.Context) (*engine.Engine, error) {
			disk := mountDisk(t, 240<<20)
			return func(ctx context.Context) (*engine.Engine, error) { return openParts(ctx, disk, disk, 128<<20) }
		}},
		// Here the driver itself meets the end of the disk, wherever that is.
		{"of the driver alone", 3 << 20, func(t *testing.T) func(ctx context.Context) (*engine.Engine, error) {
			disk, other := mountDisk(t, 24<<20), t.TempDir()
			return func(ctx context.Context) (*engine.Engine, error) { return openParts(ctx, other, disk, 0) }
		}},
	} {
		t.Run(rig.name, func(t *testing.T) {
			t.Parallel()
			f := &fullRun{most: rig.most, rng: newRand(seed, hash(rig.name)), open: rig.open(t), kept: map[string]fullBody{}}
			require.NoError(t, f.start(t.Context()))
			cycles := times(5, 100)
			for i := range cycles {
				require.NoError(t, f.cycle(t.Context(), i%2 == 1), "cycle %d", i)
			}
			require.NoError(t, f.eng.Close(context.Background()))
			t.Logf("full disks: %d, put: %d, refused for want of space: %d, wrong bytes: 0", cycles, f.puts, f.refused)
		})
	}
}

// mountDisk mounts a disk of so many bytes, in memory.
func mountDisk(t *testing.T, size int64) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount the small disk that this test fills")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("the small disk that this test fills cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

// openParts opens an engine with its catalog and its blobs below two folders, and
// a reserve if that is more than 0.
func openParts(ctx context.Context, forCatalog, forBlobs string, reserve int64) (*engine.Engine, error) {
	store, err := pebblestore.Open(ctx, filepath.Join(forCatalog, "catalog"), pebblestore.Options{})
	if err != nil {
		return nil, err
	}
	blobs, err := local.Open(ctx, filepath.Join(forBlobs, "blobs"), local.Options{})
	if err != nil {
		return nil, errors.Join(err, store.Close(ctx))
	}
	opts := []engine.Option{engine.WithCatalog(store), engine.WithDriver("main", blobs)}
	if reserve > 0 {
		opts = append(opts, engine.WithReserve(reserve, store.FreeSpace))
	}
	eng, err := engine.New(ctx, opts...)
	if err != nil {
		return nil, errors.Join(err, blobs.Close(ctx), store.Close(ctx))
	}
	return eng, nil
}

// A fullRun is an engine on a small disk, and what must be there.
type fullRun struct {
	most int // bytes of an artifact
	rng  *rand.Rand
	open func(ctx context.Context) (*engine.Engine, error)
	eng  *engine.Engine
	kept map[string]fullBody
	next uint64

	puts, refused int
}

// A fullBody says what the bytes of an artifact are.
type fullBody struct {
	id   uint64
	size int
}

func (f *fullRun) start(ctx context.Context) (err error) {
	if f.eng, err = f.open(ctx); err != nil {
		return err
	}
	_, err = f.eng.CreateContainer(ctx, "c", engine.CreateContainerOptions{})
	return err
}

// cycle fills the disk, uses it when it is full, and makes room.
func (f *fullRun) cycle(ctx context.Context, reopen bool) error {
	if err := f.fill(ctx); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	if reopen {
		if err := f.eng.Close(ctx); err != nil {
			return fmt.Errorf("close while full: %w", err)
		}
		var err error
		if f.eng, err = f.open(ctx); err != nil {
			return fmt.Errorf("open while full: %w", err)
		}
	}
	if err := f.overwriteWhileFull(ctx); err != nil {
		return fmt.Errorf("overwrite while full: %w", err)
	}
	if err := f.verify(ctx); err != nil {
		return fmt.Errorf("read while full: %w", err)
	}
	if err := f.makeRoom(ctx); err != nil {
		return fmt.Errorf("make room: %w", err)
	}
	return f.verify(ctx)
}

// fill puts artifacts of all sizes until not even a small one goes in.
func (f *fullRun) fill(ctx context.Context) error {
	for most := f.most; most > 2000; {
		err := f.put(ctx, fmt.Sprintf("k%d", f.next), f.rng.IntN(most))
		switch {
		case errors.Is(err, container.ErrNoSpace):
			f.refused++
			most /= 2
		case err != nil:
			return err
		case f.rng.IntN(3) > 0:
			// Small ones among the large ones.
			if err := f.put(ctx, fmt.Sprintf("k%d", f.next), f.rng.IntN(8000)); err != nil && !errors.Is(err, container.ErrNoSpace) {
				return err
			}
		}
	}
	return nil
}

func (f *fullRun) put(ctx context.Context, key string, size int) error {
	f.next++
	body := fullBody{f.next, size}
	// Half of them do not say beforehand how long they are.
	opts := engine.PutOptions{Size: int64(size * f.rng.IntN(2))}
	_, err := f.eng.Put(ctx, "c", key, newBody(body.id, size), opts)
	if err == nil {
		f.puts++
		f.kept[key] = body
	}
	return err
}

// overwriteWhileFull replaces artifacts, or does not; what is there afterwards is
// the one or the other.
func (f *fullRun) overwriteWhileFull(ctx context.Context) error {
	keys := slices.Sorted(maps.Keys(f.kept))
	for range 20 {
		key := keys[f.rng.IntN(len(keys))]
		if err := f.put(ctx, key, f.rng.IntN(f.most)); err != nil && !errors.Is(err, container.ErrNoSpace) {
			return err
		}
	}
	return nil
}

// verify reads everything.
func (f *fullRun) verify(ctx context.Context) error {
	seen := 0
	for entry, err := range f.eng.List(ctx, "c", engine.ListOptions{}) {
		if err != nil {
			return err
		}
		body, ok := f.kept[entry.Artifact.Key]
		if !ok {
			return fmt.Errorf("%q is there, and its put has failed", entry.Artifact.Key)
		}
		reader, err := f.eng.Get(ctx, "c", entry.Artifact.Key, engine.GetOptions{})
		if err != nil {
			return err
		}
		got, err := readAll(reader, 0)
		if err := errors.Join(err, sameBytes(got, pattern(body.id, body.size))); err != nil {
			return fmt.Errorf("%q: %w", entry.Artifact.Key, err)
		}
		seen++
	}
	if seen != len(f.kept) {
		return fmt.Errorf("%d of %d artifacts are there", seen, len(f.kept))
	}
	return nil
}

// makeRoom deletes most of what is there. A part of the room that this gives can
// be used at once.
func (f *fullRun) makeRoom(ctx context.Context) error {
	freed := 0
	for _, key := range slices.Sorted(maps.Keys(f.kept)) {
		if f.rng.IntN(4) == 0 {
			continue
		}
		if err := f.eng.Delete(ctx, "c", key, engine.DeleteOptions{}); err != nil {
			return fmt.Errorf("delete: %w", err)
		}
		freed += f.kept[key].size
		delete(f.kept, key)
	}
	if _, err := f.eng.Reclaim(ctx); err != nil {
		return fmt.Errorf("reclaim: %w", err)
	}
	for used := 0; used < freed/2; {
		size := f.rng.IntN(min(f.most, 400_000))
		if err := f.put(ctx, fmt.Sprintf("k%d", f.next), size); err != nil {
			return fmt.Errorf("put %d bytes after %d were freed and %d used again: %w", size, freed, used, err)
		}
		used += size
	}
	return nil
}
