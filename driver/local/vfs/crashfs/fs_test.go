package crashfs_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver/local/vfs"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
)

func TestNamesAreThoseOfAFileSystem(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	require.NoError(t, disk.Mkdir("dir"))
	durable(t, disk, "/dir/a", "text")
	_, err := disk.Create("/dir/a")
	require.ErrorIs(t, err, fs.ErrExist)
	require.ErrorIs(t, disk.Mkdir("/dir"), fs.ErrExist)
	_, err = disk.Create("/none/a")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = disk.Create("/dir/a/b")
	require.Error(t, err)
	require.Error(t, disk.Remove("/dir"), "it is not empty")
	require.ErrorIs(t, disk.Remove("/none"), fs.ErrNotExist)
	require.ErrorIs(t, disk.Rename("/none", "/dir/b"), fs.ErrNotExist)
	require.Error(t, disk.Rename("/dir/a", "/dir"), "a file replaces no folder")
	require.ErrorIs(t, disk.Link("/none", "/dir/b"), fs.ErrNotExist)
	require.ErrorIs(t, disk.SyncDir("/none"), fs.ErrNotExist)
	require.Error(t, disk.SyncDir("/dir/a"))
	for _, open := range []func(string) error{
		func(name string) error { _, err := disk.Open(name); return err },
		func(name string) error { _, err := disk.OpenWrite(name); return err },
	} {
		require.ErrorIs(t, open("/none"), fs.ErrNotExist)
		require.Error(t, open("/dir"))
		require.NoError(t, open("dir/./a"))
	}
	info, err := disk.Stat("/dir/a")
	require.NoError(t, err)
	assert.Equal(t, "a", info.Name())
	assert.EqualValues(t, 4, info.Size())
	assert.True(t, info.Mode().IsRegular())
	require.NoError(t, disk.Mkdir("/dir/0"))
	entries, err := disk.ReadDir("/dir")
	require.NoError(t, err)
	require.Len(t, entries, 2)
	assert.Equal(t, "0", entries[0].Name())
	assert.True(t, entries[0].IsDir())
	assert.Equal(t, []string{"/dir/a"}, disk.Files())
	info, err = disk.Stat("/")
	require.NoError(t, err)
	assert.True(t, info.IsDir())
}

func TestAHandleOutlivesItsName(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	f := write(t, disk, "/a", "one")
	require.NoError(t, disk.Remove("/a"))
	_, err := f.Write([]byte(" two"))
	require.NoError(t, err)
	b := make([]byte, 7)
	_, err = f.ReadAt(b, 0)
	require.NoError(t, err)
	assert.Equal(t, "one two", string(b))
	n, err := f.ReadAt(b, 4)
	assert.Equal(t, 3, n)
	assert.Equal(t, io.EOF, err)
	require.NoError(t, f.Close())
	require.ErrorIs(t, f.Close(), fs.ErrClosed)
	_, err = f.Write(nil)
	require.ErrorIs(t, err, fs.ErrClosed)
	_, err = f.ReadAt(b, 0)
	require.ErrorIs(t, err, fs.ErrClosed)
}

func TestALockIsHeldByOneAndEndsWithThePower(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	lock, err := disk.Lock("/LOCK")
	require.NoError(t, err)
	_, err = disk.Lock("LOCK")
	require.ErrorIs(t, err, vfs.ErrLocked)
	_, err = disk.Crash(nil, crashfs.KeepAll).Lock("/LOCK")
	require.NoError(t, err)
	require.NoError(t, lock.Close())
	again, err := disk.Lock("/LOCK")
	require.NoError(t, err)
	require.NoError(t, lock.Close(), "a second close opens nobody's lock")
	_, err = disk.Lock("/LOCK")
	require.ErrorIs(t, err, vfs.ErrLocked)
	require.NoError(t, again.Close())
}

func TestEveryOperationIsHookedAndThoseThatChangeAreCounted(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	var ops []string
	disk.SetHook(func(op crashfs.Op) error {
		ops = append(ops, op.String())
		return nil
	})
	f := durable(t, disk, "/a", "text")
	_, err := f.ReadAt(make([]byte, 1), 0)
	require.NoError(t, err)
	require.NoError(t, f.SyncData())
	require.NoError(t, f.Truncate(0))
	require.NoError(t, f.Close())
	require.NoError(t, disk.Link("/a", "/b"))
	require.NoError(t, disk.Rename("/b", "/c"))
	require.NoError(t, disk.Remove("/c"))
	require.NoError(t, disk.Mkdir("/d"))
	_, err = disk.Stat("/d")
	require.NoError(t, err)
	_, err = disk.ReadDir("/d")
	require.NoError(t, err)
	_, err = disk.OpenWrite("/a")
	require.NoError(t, err)
	assert.Equal(t, []string{
		"create /a (operation 1)", "write /a (operation 2)", "sync /a (operation 3)", "syncdir / (operation 4)",
		"read /a (operation 4)", "syncdata /a (operation 5)", "truncate /a (operation 6)", "close /a (operation 6)",
		"link /b (operation 7)", "rename /c (operation 8)", "remove /c (operation 9)", "mkdir /d (operation 10)",
		"stat /d (operation 10)", "readdir /d (operation 10)", "open /a (operation 10)",
	}, ops)
	assert.Equal(t, 10, disk.Operations())
}

func TestAHookPreventsAnOperation(t *testing.T) {
	t.Parallel()
	fault := errors.New("fault")
	disk := crashfs.New()
	f := durable(t, disk, "/a", "text")
	disk.SetHook(func(crashfs.Op) error { return fault })
	_, err := disk.Create("/b")
	require.ErrorIs(t, err, fault)
	require.ErrorIs(t, disk.Remove("/a"), fault)
	require.ErrorIs(t, disk.Rename("/a", "/b"), fault)
	n, err := f.Write([]byte("more"))
	require.ErrorIs(t, err, fault)
	assert.Zero(t, n)
	disk.SetHook(func(crashfs.Op) error { return crashfs.Short(fault) })
	n, err = f.Write([]byte("more"))
	require.ErrorIs(t, err, fault)
	assert.Equal(t, 2, n)
	require.ErrorIs(t, disk.Mkdir("/d"), fault)
	disk.SetHook(nil)
	assert.Equal(t, "textmo", read(disk, "/a"))
	assert.Equal(t, "/a", names(disk))
}

func TestAHookMaySeeTheStateBeforeItsOperation(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	var before []string
	disk.SetHook(func(op crashfs.Op) error {
		before = append(before, fmt.Sprintf("%v %s%s", op.Kind, names(disk), read(disk.Crash(nil, crashfs.KeepAll), "/a")))
		return nil
	})
	write(t, disk, "/a", "text")
	assert.Equal(t, []string{"create none", "write /a"}, before)
}

func TestAFullDiskTakesWhatItHasRoomForAndGivesItBack(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	disk.SetLimit(10)
	f := write(t, disk, "/a", "12345678")
	n, err := f.Write([]byte("90x"))
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.True(t, vfs.IsNoSpace(err))
	assert.Equal(t, 2, n)
	assert.EqualValues(t, 10, disk.Stored())
	assert.Zero(t, disk.Free())
	_, err = f.WriteAt([]byte("x"), 9)
	require.NoError(t, err, "this takes no more")
	require.ErrorIs(t, f.Truncate(11), syscall.ENOSPC)
	require.NoError(t, f.Truncate(4))
	assert.EqualValues(t, 6, disk.Free())
	durable(t, disk, "/b", "123456")
	require.NoError(t, disk.Link("/b", "/c"))
	require.NoError(t, disk.Remove("/b"))
	assert.Zero(t, disk.Free(), "it has a name still")
	require.NoError(t, disk.Rename("/a", "/c"))
	assert.EqualValues(t, 6, disk.Free())
	assert.EqualValues(t, 4, disk.Crash(nil, crashfs.KeepAll).Stored())
	require.NoError(t, disk.Remove("/c"))
	assert.Zero(t, disk.Stored())
	assert.EqualValues(t, 17, disk.Written())
}

func TestAFlippedBitIsThereForGood(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	durable(t, disk, "/a", "abc")
	copied := disk.Crash(nil, crashfs.KeepAll)
	require.NoError(t, disk.FlipBit("/a", 1, 0))
	assert.Equal(t, "acc", read(disk, "/a"))
	assert.Equal(t, "acc", read(disk.Crash(nil, crashfs.KeepNone), "/a"))
	assert.Equal(t, "abc", read(copied, "/a"))
	require.ErrorIs(t, disk.FlipBit("/a", 3, 0), fs.ErrInvalid)
	require.ErrorIs(t, disk.FlipBit("/none", 0, 0), fs.ErrNotExist)
}

func BenchmarkCrash(b *testing.B) {
	disk := crashfs.New()
	for i := range 40 {
		f, err := disk.Create(fmt.Sprintf("/%d", i))
		require.NoError(b, err)
		_, err = f.Write(make([]byte, 16<<10))
		require.NoError(b, err)
		require.NoError(b, f.Sync())
	}
	require.NoError(b, disk.SyncDir("/"))
	for b.Loop() {
		disk.Crash(nil, crashfs.KeepNone)
	}
}
