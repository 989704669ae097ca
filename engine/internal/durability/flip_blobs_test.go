package durability

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
	"github.com/vaultaire/vaultaire/engine"
)

// TestAFlippedBitInABlobIsNeverReturned flips each byte of each file of a driver,
// one at a time. Each artifact is then either exact or damaged, also after
// everything was reclaimed.
func TestAFlippedBitInABlobIsNeverReturned(t *testing.T) {
	t.Parallel()
	for name, rig := range map[string]struct {
		sync   local.SyncMode
		killed bool
		stride int64
	}{
		"closed":                {local.SyncAlways, false, 1},
		"killed":                {local.SyncAlways, true, 7},
		"killed without a sync": {local.SyncNone, true, 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := newCoverage()
			s := newFlipStore(t, rig.sync, rig.killed, seen)
			for _, kind := range blobKinds() {
				require.Contains(t, seen.seen, kind)
			}
			flips := s.blobFlips(t, rig.stride)
			var counts flipCounts
			var work errgroup.Group
			const workers = 2
			for w := range workers {
				work.Go(func() error {
					run := s.openCopy(t)
					defer run.eng.Close(context.Background())
					for i := w; i < len(flips); i += workers {
						if err := s.flipBlob(t.Context(), run, flips[i], &counts); err != nil {
							return fmt.Errorf("%v: %w", flips[i], err)
						}
					}
					return nil
				})
			}
			require.NoError(t, work.Wait())
			t.Logf("flips: %d, wrong bytes: 0 (of %d reads %d exact, %d damaged; opening refused %d times)",
				len(flips), counts.exact.Load()+counts.damaged.Load(), counts.exact.Load(), counts.damaged.Load(), counts.refused.Load())
		})
	}
}

// A flipCounts is what came of flips.
type flipCounts struct{ exact, damaged, undone, refused atomic.Int64 }

// blobFlips returns the flips of all files of the driver. Of the zeros that are
// kept ahead of a writer, which are like each other, it takes a few.
func (s *flipStore) blobFlips(t *testing.T, stride int64) (flips []flip) {
	t.Helper()
	for _, file := range s.blobs.Files() {
		content := readFile(t, s.blobs, file)
		written := int64(len(bytes.TrimRight(content, "\x00")))
		flips = append(flips, flipsOf(file, written, stride)...)
		for off := written; off < int64(len(content)); off += 1 + off/5 {
			flips = append(flips, flip{file, off, int(off % 8)})
		}
	}
	return flips
}

func readFile(t *testing.T, disk *crashfs.FS, name string) []byte {
	t.Helper()
	f, err := disk.Open(name)
	require.NoError(t, err)
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	require.NoError(t, err)
	return b
}

// openCopy opens an engine on a copy of the catalog. Its driver is yet to come.
func (s *flipStore) openCopy(t *testing.T) *flipRun {
	copied := &flipStore{catalog: s.cloneCatalog(), blobs: s.blobs.Crash(nil, crashfs.KeepAll), sync: s.sync}
	return copied.open(t, newCoverage())
}

// flipBlob replaces the engine's driver by one on a disk with one flipped bit,
// and reads everything, before and after a Reclaim.
func (s *flipStore) flipBlob(ctx context.Context, run *flipRun, f flip, counts *flipCounts) error {
	disk := s.blobs.Crash(nil, crashfs.KeepAll)
	if err := disk.FlipBit(f.file, f.off, f.bit); err != nil {
		return err
	}
	damaged, err := local.Open(ctx, "/blobs", flipOptions(disk, s.sync))
	if err != nil {
		if path.Base(f.file) != "FORMAT" {
			return fmt.Errorf("a damaged file keeps all others from being read: %w", err)
		}
		counts.refused.Add(1)
		return nil
	}
	defer damaged.Close(ctx)
	// Nothing else uses the driver, for the engine has nothing to do.
	run.driver.current.Store(damaged)
	before, err := s.readAll(ctx, run.eng, counts)
	if err != nil || f.off%8 > 0 && !soaking {
		return err
	}
	// What is damaged is not freed, and does not keep anything else from it.
	if _, err := run.eng.Reclaim(ctx); err != nil {
		return fmt.Errorf("reclaim: %w", err)
	}
	after, err := s.readAll(ctx, run.eng, counts)
	if err == nil && before != after {
		err = fmt.Errorf("%d artifacts were damaged, and after a Reclaim %d", before, after)
	}
	return err
}

// readAll reads every artifact, whole and from the middle, and returns how many of
// the reads find damage. A whole one is verified by the engine too, a part of one
// by the driver alone.
func (s *flipStore) readAll(ctx context.Context, eng *engine.Engine, counts *flipCounts) (damaged int, err error) {
	for at, v := range s.want {
		half := len(v.now) / 2
		reads := map[int]engine.GetOptions{0: {}}
		if half > 0 {
			reads[half] = engine.GetOptions{Range: container.From(int64(half))}
		}
		for from, opts := range reads {
			got, err := get(at.context(ctx), eng, at, opts)
			switch {
			case errors.Is(err, container.ErrCorrupt):
				damaged++
				counts.damaged.Add(1)
			case err != nil:
				return damaged, fmt.Errorf("get %v: %w", at, err)
			case !bytes.Equal(got, v.now[from:]):
				return damaged, fmt.Errorf("get %v: %w", at, errWrongBytes)
			default:
				counts.exact.Add(1)
			}
		}
	}
	return damaged, nil
}

func get(ctx context.Context, eng *engine.Engine, at flipKey, opts engine.GetOptions) ([]byte, error) {
	r, err := eng.Get(ctx, at.name, at.key, opts)
	if err != nil {
		return nil, err
	}
	return readAll(r, 512)
}
