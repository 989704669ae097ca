package pebblestore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

// killedStore returns the disk of a store that was killed after a number of
// transactions, each of which it had acknowledged, and how long the file was,
// whose name has the ending, before the last two: a record may be written in the
// instant between the sync of the one before and the note of that.
func killedStore(t *testing.T, transactions int, ending string) (disk *vfs.MemFS, file string, last int64) {
	t.Helper()
	running := vfs.NewCrashableMem()
	for run := range 2 { // the first leaves something that the second keeps in tables
		s, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: running})
		require.NoError(t, err)
		for i := range transactions {
			if i == transactions-2 {
				file, last = fileOf(t, running, ending)
			}
			require.NoError(t, s.Update(t.Context(), func(_ context.Context, txn catalog.Txn) error {
				txn.Set(fmt.Appendf(nil, "run %d, %04d", run, i), make([]byte, 100*(i%4)))
				return nil
			}))
		}
		disk = cloneAll(running)
		require.NoError(t, s.Close(t.Context()))
	}
	return disk, file, last
}

func cloneAll(disk *vfs.MemFS) *vfs.MemFS {
	return disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))})
}

// fileOf returns the last file of a store by the ending of its name, and its size.
func fileOf(t *testing.T, disk *vfs.MemFS, ending string) (name string, size int64) {
	t.Helper()
	names, err := disk.List("/store")
	require.NoError(t, err)
	for _, n := range names {
		if (strings.HasSuffix(n, ending) || strings.HasPrefix(n, ending)) && path.Join("/store", n) > name {
			name = path.Join("/store", n)
		}
	}
	info, err := disk.Stat(name)
	require.NoError(t, err)
	return name, info.Size()
}

// countRows opens the store on a copy of a disk.
func countRows(t *testing.T, disk *vfs.MemFS) (rows int, err error) {
	t.Helper()
	s, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: disk})
	if err != nil {
		return 0, err
	}
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	return rows, s.View(t.Context(), func(ctx context.Context, r catalog.Reader) error {
		it, err := r.Scan(ctx, []byte{0}, []byte{0xff})
		if err != nil {
			return err
		}
		for it.Next() {
			rows++
		}
		return it.Close()
	})
}

func change(t *testing.T, disk *vfs.MemFS, name string, off int64, bit int) {
	t.Helper()
	f, err := disk.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	b := make([]byte, 1)
	_, _ = f.ReadAt(b, off) // at the end also with io.EOF
	b[0] ^= 1 << bit
	_, err = f.WriteAt(b, off)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestADamagedLogIsNotTakenForATornOne(t *testing.T) {
	t.Parallel()
	for transactions, step := range map[int]int64{24: 1, 300: 41} { // of one block, and of several
		disk, log, last := killedStore(t, transactions, ".log")
		flips, refused := 0, 0
		for off := int64(0); off < last; off += step {
			damaged := cloneAll(disk)
			change(t, damaged, log, off, int(off%8))
			flips++
			rows, err := countRows(t, damaged)
			if err != nil {
				require.ErrorIs(t, err, container.ErrCorrupt, "byte %d", off)
				refused++
				continue
			}
			require.Equal(t, 2*transactions, rows, "byte %d", off)
		}
		require.Greater(t, refused, flips*9/10)
		// Of the last record nobody can say so.
		damaged := cloneAll(disk)
		_, size := fileOf(t, disk, ".log")
		change(t, damaged, log, size-1, 0)
		rows, err := countRows(t, damaged)
		require.NoError(t, err)
		require.Equal(t, 2*transactions-1, rows)
	}
}

func TestADamagedManifestIsNotTakenForATornOne(t *testing.T) {
	t.Parallel()
	const transactions = 4
	disk, _, _ := killedStore(t, transactions, ".log")
	manifest, size := fileOf(t, disk, "MANIFEST-")
	for off := range size {
		damaged := cloneAll(disk)
		change(t, damaged, manifest, off, int(off%8))
		if rows, err := countRows(t, damaged); err == nil {
			require.Equal(t, 2*transactions, rows, "byte %d of %d", off, size)
		}
	}
}

func TestALogThatWasTornOpensWithWhatIsWhole(t *testing.T) {
	t.Parallel()
	const transactions = 24
	disk, log, _ := killedStore(t, transactions, ".log")
	_, size := fileOf(t, disk, ".log")
	before := 2 * transactions
	for cut := size; cut >= 0; cut -= 7 {
		torn := cloneAll(disk)
		cutFile(t, torn, log, cut)
		rows, err := countRows(t, torn)
		require.NoError(t, err, "cut at %d of %d", cut, size)
		require.LessOrEqual(t, rows, before)
		before = rows
	}
	require.Equal(t, transactions, before, "what is in tables")
}

// cutFile leaves the first n bytes of a file.
func cutFile(t *testing.T, disk *vfs.MemFS, name string, n int64) {
	t.Helper()
	f, err := disk.Open(name)
	require.NoError(t, err)
	b := make([]byte, n)
	_, err = f.ReadAt(b, 0)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	out, err := disk.Create(name, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	_, err = out.Write(b)
	require.NoError(t, err)
	require.NoError(t, out.Close())
}
