package crashfs_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver/local/vfs"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
)

// states is how many power cuts a test looks at where chance decides.
const states = 400

// outcomes returns what look saw after many power cuts, and how often.
func outcomes(disk *crashfs.FS, look func(after *crashfs.FS) string) map[string]int {
	rng := rand.New(rand.NewPCG(1, 2))
	seen := make(map[string]int)
	for range states {
		seen[look(disk.Crash(rng, crashfs.KeepSome))]++
	}
	return seen
}

func keys(seen map[string]int) (all []string) {
	for k := range seen {
		all = append(all, k)
	}
	return all
}

// names returns the names of all files, in one string.
func names(disk *crashfs.FS) string { return strings.Join(disk.Files(), " ") }

func write(t *testing.T, disk *crashfs.FS, name, text string) vfs.WriteFile {
	t.Helper()
	f, err := disk.Create(name)
	require.NoError(t, err)
	_, err = f.Write([]byte(text))
	require.NoError(t, err)
	return f
}

// durable makes a file of which everything is durable.
func durable(t *testing.T, disk *crashfs.FS, name, text string) vfs.WriteFile {
	t.Helper()
	f := write(t, disk, name, text)
	require.NoError(t, f.Sync())
	require.NoError(t, disk.SyncDir("/"))
	return f
}

// read returns what a file holds, or "none".
func read(disk *crashfs.FS, name string) string {
	f, err := disk.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "none"
	}
	if err != nil {
		return err.Error()
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func sector(c string) string { return strings.Repeat(c, 512) }

func TestWhatIsSyncedIsNeverLost(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	f := durable(t, disk, "/a", "one ")
	_, err := f.Write([]byte("two"))
	require.NoError(t, err)
	require.NoError(t, f.SyncData())
	require.NoError(t, f.Close())
	require.NoError(t, disk.Mkdir("/dir"))
	require.NoError(t, disk.SyncDir("/"))
	require.NoError(t, disk.Rename("/a", "/dir/b"))
	require.NoError(t, disk.SyncDir("/dir"))
	assert.Equal(t, map[string]int{"/dir/b": states}, outcomes(disk, names))
	assert.Equal(t, map[string]int{"one two": states}, outcomes(disk, func(d *crashfs.FS) string { return read(d, "/dir/b") }))
}

func TestASyncedFileHasNoDurableNameForThat(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	f := write(t, disk, "/a", "text")
	require.NoError(t, f.Sync())
	assert.ElementsMatch(t, []string{"none", "text"}, keys(outcomes(disk, func(d *crashfs.FS) string { return read(d, "/a") })))
	assert.Equal(t, "none", read(disk.Crash(nil, crashfs.KeepNone), "/a"))
	assert.Equal(t, "text", read(disk.Crash(nil, crashfs.KeepAll), "/a"))
}

func TestADurableNameIsNoSyncedFile(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	write(t, disk, "/a", "text")
	require.NoError(t, disk.SyncDir("/"))
	assert.ElementsMatch(t, []string{"", "text", "\x00\x00\x00\x00"}, keys(outcomes(disk, func(d *crashfs.FS) string { return read(d, "/a") })))
}

func TestAWriteIsTornBetweenSectors(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	f := durable(t, disk, "/a", sector("a")+sector("b"))
	_, err := f.WriteAt([]byte(sector("c")+sector("d")), 0)
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{
		sector("a") + sector("b"), sector("a") + sector("d"), sector("c") + sector("b"), sector("c") + sector("d"),
	}, keys(outcomes(disk, func(d *crashfs.FS) string { return read(d, "/a") })))
}

func TestASectorIsWhatAnyOfItsWritesMadeIt(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	f := durable(t, disk, "/a", "1111")
	for _, text := range []string{"2", "33", "444"} {
		_, err := f.WriteAt([]byte(text), 0)
		require.NoError(t, err)
	}
	assert.ElementsMatch(t, []string{"1111", "2111", "3311", "4441"},
		keys(outcomes(disk, func(d *crashfs.FS) string { return read(d, "/a") })))
}

func TestASizeGoesItsOwnWay(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	f := durable(t, disk, "/a", "")
	_, err := f.Write([]byte(sector("x")))
	require.NoError(t, err)
	_, err = f.Write([]byte(sector("y")))
	require.NoError(t, err)
	zero := sector("\x00")
	assert.ElementsMatch(t, []string{
		"", zero, sector("x"), zero + zero, zero + sector("y"), sector("x") + zero, sector("x") + sector("y"),
	}, keys(outcomes(disk, func(d *crashfs.FS) string { return read(d, "/a") })))
}

func TestWhatWasCutOffNeverComesBack(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	f := durable(t, disk, "/a", "secret")
	require.NoError(t, f.Truncate(2))
	require.NoError(t, f.Truncate(6))
	assert.ElementsMatch(t, []string{"secret", "se", "se\x00\x00\x00\x00"},
		keys(outcomes(disk, func(d *crashfs.FS) string { return read(d, "/a") })))
	assert.Equal(t, "se\x00\x00\x00\x00", read(disk, "/a"))
	require.NoError(t, f.Sync())
	assert.Equal(t, "se\x00\x00\x00\x00", read(disk.Crash(nil, crashfs.KeepNone), "/a"))
}

func TestNamesAreLostOrKeptOneByOne(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	durable(t, disk, "/old", "")
	write(t, disk, "/new", "")
	require.NoError(t, disk.Remove("/old"))
	assert.ElementsMatch(t, []string{"", "/new", "/old", "/new /old"}, keys(outcomes(disk, names)))
}

func TestTheChangesOfANameKeepTheirOrder(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	f := write(t, disk, "/a", "1")
	require.NoError(t, f.Sync())
	require.NoError(t, disk.Remove("/a"))
	f = write(t, disk, "/a", "2")
	require.NoError(t, f.Sync())
	require.NoError(t, disk.Remove("/a"))
	assert.ElementsMatch(t, []string{"1", "2", "none"}, keys(outcomes(disk, func(d *crashfs.FS) string { return read(d, "/a") })))
	require.NoError(t, disk.SyncDir("/"))
	assert.Equal(t, map[string]int{"": states}, outcomes(disk, names))
}

func TestWhatIsInAFolderGoesWithIt(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	require.NoError(t, disk.Mkdir("/dir"))
	f := write(t, disk, "/dir/a", "text")
	require.NoError(t, f.Sync())
	require.NoError(t, disk.SyncDir("/dir"))
	assert.ElementsMatch(t, []string{"", "/dir/a"}, keys(outcomes(disk, names)))
	require.NoError(t, disk.SyncDir("/"))
	assert.Equal(t, map[string]int{"/dir/a": states}, outcomes(disk, names))
}

func TestARenameIsOneChange(t *testing.T) {
	t.Parallel()
	for _, synced := range []string{"", "/from", "/to"} {
		for _, strict := range []bool{false, true} {
			disk := crashfs.New()
			disk.SetStrict(strict)
			require.NoError(t, disk.Mkdir("/from"))
			require.NoError(t, disk.Mkdir("/to"))
			require.NoError(t, disk.SyncDir("/"))
			f := write(t, disk, "/from/a", "text")
			require.NoError(t, f.Sync())
			require.NoError(t, disk.SyncDir("/from"))
			require.NoError(t, disk.Rename("/from/a", "/to/b"))
			want := []string{"/to/b"}
			if synced == "" {
				want = append(want, "/from/a")
			} else {
				require.NoError(t, disk.SyncDir(synced))
			}
			if strict && synced != "/from" {
				want = append(want, "/from/a /to/b")
			}
			assert.ElementsMatch(t, want, keys(outcomes(disk, names)), "synced %q, strict %v", synced, strict)
			if synced == "/to" {
				require.NoError(t, disk.SyncDir("/from"))
				assert.Equal(t, map[string]int{"/to/b": states}, outcomes(disk, names), "strict %v", strict)
			}
		}
	}
}

func TestARenameReplaces(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	durable(t, disk, "/a", "new")
	durable(t, disk, "/b", "old")
	require.NoError(t, disk.Rename("/a", "/b"))
	look := func(d *crashfs.FS) string { return names(d) + " " + read(d, "/b") }
	assert.ElementsMatch(t, []string{"/a /b old", "/b new"}, keys(outcomes(disk, look)))
}

// A file that was made, moved and moved on has the name that was synced, and
// none that it had before.
func TestASyncOfAFolderMakesWhatLedThereDurable(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	for _, dir := range []string{"/a", "/b", "/c"} {
		require.NoError(t, disk.Mkdir(dir))
	}
	require.NoError(t, disk.SyncDir("/"))
	write(t, disk, "/a/x", "")
	require.NoError(t, disk.Rename("/a/x", "/b/x"))
	require.NoError(t, disk.Rename("/b/x", "/c/x"))
	write(t, disk, "/a/y", "")
	require.NoError(t, disk.SyncDir("/c"))
	assert.ElementsMatch(t, []string{"/c/x", "/a/y /c/x"}, keys(outcomes(disk, names)))
}

func TestALinkIsANameLikeAnother(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	f := durable(t, disk, "/a", "1")
	require.NoError(t, disk.Link("/a", "/b"))
	require.ErrorIs(t, disk.Link("/a", "/b"), fs.ErrExist)
	require.NoError(t, disk.SyncDir("/"))
	require.NoError(t, disk.Remove("/a"))
	_, err := f.Write([]byte("2"))
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	assert.ElementsMatch(t, []string{"/b", "/a /b"}, keys(outcomes(disk, names)))
	after := disk.Crash(nil, crashfs.KeepNone)
	assert.Equal(t, "12", read(after, "/a"))
	g, err := after.OpenWrite("/b")
	require.NoError(t, err)
	_, err = g.WriteAt([]byte("3"), 0)
	require.NoError(t, err)
	assert.Equal(t, "32", read(after, "/a"), "they are one file still")
	assert.Equal(t, "12", read(disk, "/b"), "and another than that of before the power cut")
}

func TestAFailedSyncIsNotMadeGoodByTheNext(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	f := durable(t, disk, "/a", sector("a")+"b")
	write(t, disk, "/b", "")
	_, err := f.WriteAt([]byte(sector("c")), 0)
	require.NoError(t, err)
	fault := errors.New("fault")
	disk.SetHook(func(op crashfs.Op) error {
		if op.Kind == crashfs.Sync || op.Kind == crashfs.SyncDir {
			return fault
		}
		return nil
	})
	require.ErrorIs(t, f.Sync(), fault)
	require.ErrorIs(t, disk.SyncDir("/"), fault)
	disk.SetHook(nil)
	_, err = f.WriteAt([]byte("d"), 512)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, disk.SyncDir("/"))
	assert.Equal(t, sector("c")+"d", read(disk, "/a"), "it is readable until then")
	assert.ElementsMatch(t, []string{sector("a") + "d", sector("c") + "d"},
		keys(outcomes(disk, func(d *crashfs.FS) string { return read(d, "/a") })))
	assert.ElementsMatch(t, []string{"/a", "/a /b"}, keys(outcomes(disk, names)))

	// What is written again is as good as new.
	_, err = f.WriteAt([]byte(sector("e")), 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	assert.Equal(t, map[string]int{sector("e") + "d": states},
		outcomes(disk, func(d *crashfs.FS) string { return read(d, "/a") }))
}

func TestAStateIsAFileSystemOfItsOwn(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	f := durable(t, disk, "/a", strings.Repeat("x", 10_000))
	after := disk.Crash(nil, crashfs.KeepNone)
	again := after.Crash(nil, crashfs.KeepNone)
	_, err := f.WriteAt([]byte("1"), 5000)
	require.NoError(t, err)
	g, err := after.OpenWrite("/a")
	require.NoError(t, err)
	_, err = g.WriteAt([]byte("2"), 6000)
	require.NoError(t, err)
	require.NoError(t, g.Truncate(7000))
	want := bytes.Repeat([]byte("x"), 10_000)
	assert.Equal(t, string(want), read(again, "/a"))
	want[6000] = '2'
	assert.Equal(t, string(want[:7000]), read(after, "/a"))
	want[6000], want[5000] = 'x', '1'
	assert.Equal(t, string(want), read(disk, "/a"))
}

// The disk of a random workload is compared with a plain one, and what a power
// cut leaves with everything that it may.
func TestARandomWorkloadReadsBack(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		disk := crashfs.New()
		f := durable(t, disk, "/a", "")
		var now, synced []byte
		for range 40 {
			switch rng.IntN(4) {
			case 0:
				size := rng.IntN(12_000)
				require.NoError(t, f.Truncate(int64(size)))
				now = append(now[:min(size, len(now)):min(size, len(now))], make([]byte, max(0, size-len(now)))...)
			case 1:
				require.NoError(t, f.Sync())
				synced = bytes.Clone(now)
			default:
				off, b := rng.IntN(9000), bytes.Repeat([]byte{byte(rng.IntN(256))}, 1+rng.IntN(5000))
				_, err := f.WriteAt(b, int64(off))
				require.NoError(t, err)
				now = append(bytes.Clone(now), make([]byte, max(0, off+len(b)-len(now)))...)
				copy(now[off:], b)
			}
			require.Equal(t, string(now), read(disk, "/a"))
			require.Equal(t, string(now), read(disk.Crash(nil, crashfs.KeepAll), "/a"))
			require.Equal(t, string(synced), read(disk.Crash(nil, crashfs.KeepNone), "/a"))
			disk.Crash(rng, crashfs.KeepSome)
		}
	}
}
