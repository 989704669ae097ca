package durability

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
	"github.com/vaultaire/vaultaire/event"
)

// TestAFlippedBitInTheCatalogIsNeverServed flips each byte of each file of a
// catalog, one at a time. Opening it is then refused, or each artifact is exact or
// damaged. Only the last two commits before the kill may be gone, and nothing
// else.
func TestAFlippedBitInTheCatalogIsNeverServed(t *testing.T) {
	t.Parallel()
	excused := notWrittenYet()
	excused[operationName(event.Backup)] = "it changes nothing that is in a store"
	excusedAsync := maps.Clone(excused)
	delete(excusedAsync, tableName('u'))
	for name, rig := range map[string]struct {
		sync    local.SyncMode
		stride  int64
		excused map[string]string
	}{
		"durable":      {local.SyncAlways, 1, excused},
		"asynchronous": {local.SyncAsync, 7, excusedAsync},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := newCoverage()
			s := newFlipStore(t, rig.sync, true, seen)
			seen.require(t, rig.excused)
			flips := s.catalogFlips(t, rig.stride)
			var counts flipCounts
			var work errgroup.Group
			const workers = 3 // Pebble waits now and then
			for w := range workers {
				work.Go(func() error {
					for i := w; i < len(flips); i += workers {
						watch := time.AfterFunc(time.Minute, func() { panic("hangs: " + flips[i].String()) })
						err := s.flipCatalog(t.Context(), flips[i], &counts)
						watch.Stop()
						if err != nil {
							return fmt.Errorf("%v: %w", flips[i], err)
						}
					}
					return nil
				})
			}
			require.NoError(t, work.Wait())
			t.Logf("flips: %d, wrong bytes: 0 (opening refused %d times; of the reads %d exact, %d damaged, %d of what the last commits replaced)",
				len(flips), counts.refused.Load(), counts.exact.Load(), counts.damaged.Load(), counts.undone.Load())
		})
	}
}

const catalogPath = "/catalog"

func (s *flipStore) catalogFlips(t *testing.T, stride int64) (flips []flip) {
	t.Helper()
	names, err := s.catalog.List(catalogPath)
	require.NoError(t, err)
	for _, name := range names {
		file := path.Join(catalogPath, name)
		info, err := s.catalog.Stat(file)
		require.NoError(t, err)
		stride := stride
		if strings.HasPrefix(name, "OPTIONS") {
			stride *= 9 // a text, of which little is read
		}
		flips = append(flips, flipsOf(file, info.Size(), stride)...)
	}
	return flips
}

func (s *flipStore) cloneCatalog() *pebblevfs.MemFS {
	return s.catalog.CrashClone(pebblevfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: newRand(0, 0)})
}

// flipCatalog opens an engine over a catalog with one flipped bit, and reads
// everything.
func (s *flipStore) flipCatalog(ctx context.Context, f flip, counts *flipCounts) error {
	disk := s.cloneCatalog()
	if err := flipBit(disk, f); err != nil {
		return err
	}
	store, err := pebblestore.Open(ctx, catalogPath, pebblestore.Options{FS: disk})
	if err != nil {
		counts.refused.Add(1)
		return nil
	}
	blobs, err := local.Open(ctx, "/blobs", flipOptions(s.blobs.Crash(nil, crashfs.KeepAll), s.sync))
	if err != nil {
		return err
	}
	eng, err := engine.New(ctx, engine.WithCatalog(store), engine.WithDriver("main", blobs))
	if err != nil {
		counts.refused.Add(1)
		return errors.Join(blobs.Close(ctx), ignore(store.Close(ctx)))
	}
	defer eng.Close(ctx)
	for at, v := range s.want {
		got, err := get(at.context(ctx), eng, at, engine.GetOptions{})
		switch {
		case errors.Is(err, container.ErrCorrupt):
			counts.damaged.Add(1)
		case err == nil && bytes.Equal(got, v.now):
			counts.exact.Add(1)
		case strings.HasSuffix(f.file, ".log") && f.off >= s.lastWrites && v.wasBefore(got, err):
			counts.undone.Add(1)
		default:
			return fmt.Errorf("get %v: %w", at, errors.Join(err, errWrongBytes))
		}
	}
	return nil
}

func ignore(error) error { return nil }

// wasBefore reports whether what was read is what was there before.
func (v flipValue) wasBefore(got []byte, err error) bool {
	if err != nil {
		return len(v.before) < 2 && errors.Is(err, container.ErrArtifactNotFound)
	}
	return slices.ContainsFunc(v.before, func(b []byte) bool { return bytes.Equal(b, got) })
}

func flipBit(disk *pebblevfs.MemFS, f flip) (err error) {
	file, err := disk.OpenReadWrite(f.file, pebblevfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	b := make([]byte, 1)
	if _, err := file.ReadAt(b, f.off); err != nil && err != io.EOF {
		return err
	}
	b[0] ^= 1 << f.bit
	_, err = file.WriteAt(b, f.off)
	return err
}
