package pebblestore_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/catalog/catalogtest"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

func TestStoreOnDiskKeepsTheContract(t *testing.T) {
	t.Parallel()
	catalogtest.Run(t, catalogtest.Harness{New: func(t *testing.T) catalogtest.Place {
		dir := t.TempDir()
		return catalogtest.Place{Open: func(ctx context.Context) (catalog.Store, error) {
			return pebblestore.Open(ctx, dir, pebblestore.Options{})
		}}
	}})
}

func TestStoreInMemoryKeepsTheContract(t *testing.T) {
	t.Parallel()
	catalogtest.Run(t, catalogtest.Harness{New: func(*testing.T) catalogtest.Place {
		return placeOn(vfs.NewCrashableMem())
	}})
}

// placeOn keeps a store on fs, and crashes by cloning what fs has synced.
func placeOn(fs *vfs.MemFS) catalogtest.Place {
	return catalogtest.Place{
		Open: func(ctx context.Context) (catalog.Store, error) {
			return pebblestore.Open(ctx, "/store", pebblestore.Options{FS: fs})
		},
		Crash: func(seed uint64) catalogtest.Place {
			return placeOn(fs.CrashClone(vfs.CrashCloneCfg{
				UnsyncedDataPercent: int(seed*25) % 125,
				RNG:                 rand.New(rand.NewPCG(seed, 0)),
			}))
		},
	}
}
