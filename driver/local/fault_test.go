package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

// openFault opens a new folder on a disk that can be made to fail.
func openFault(t *testing.T, mode SyncMode) (*Driver, *faultFS) {
	t.Helper()
	disk := &faultFS{root: t.TempDir()}
	d, err := Open(t.Context(), disk.root, Options{FS: disk, Sync: mode, SmallBlob: -1})
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.Close(context.WithoutCancel(t.Context())) })
	disk.takeLog()
	return d, disk
}

func putText(ctx context.Context, d *Driver, text string) (driver.Ref, error) {
	return d.Put(ctx, "name", strings.NewReader(text), driver.PutOptions{Size: -1})
}

func readText(ctx context.Context, d *Driver, ref driver.Ref) (string, error) {
	r, err := d.Open(ctx, ref, 0, -1)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), errors.Join(err, r.Close())
}

func TestPutAndDeleteSyncInTheOrderThatMakesThemDurable(t *testing.T) {
	t.Parallel()
	d, disk := openFault(t, SyncAlways)
	ref, err := putText(t.Context(), d, "x")
	require.NoError(t, err)
	stage := func(number string) []string {
		return []string{"create tmp/" + number, "write tmp/" + number, "write tmp/" + number, "sync tmp/" + number, "close tmp/" + number}
	}
	publish := func(number string) []string {
		return []string{"rename blob/00000000/" + number, "syncdir blob/00000000"}
	}
	assert.Equal(t, concat(stage("0000000000000000"), []string{"mkdir blob/00000000", "syncdir blob"}, publish("0000000000000000")), disk.takeLog())

	_, err = putText(t.Context(), d, "y")
	require.NoError(t, err)
	assert.Equal(t, concat(stage("0000000000000001"), publish("0000000000000001")), disk.takeLog(), "the folder is known to be durable")

	require.NoError(t, d.Delete(t.Context(), ref))
	log := disk.takeLog()
	assert.Contains(t, log, "remove blob/00000000/0000000000000000")
	assert.Equal(t, "syncdir blob/00000000", log[len(log)-1])

	require.NoError(t, d.Delete(t.Context(), ref))
	log = disk.takeLog()
	assert.Equal(t, "syncdir blob/00000000", log[len(log)-1], "the Delete before may not have come to its sync")

	reopened := reopen(t, d, disk)
	_, err = putText(t.Context(), reopened, "z")
	require.NoError(t, err)
	assert.Contains(t, disk.takeLog(), "syncdir blob", "the run before may not have come to its sync")
}

func concat(lists ...[]string) []string {
	var out []string
	for _, list := range lists {
		out = append(out, list...)
	}
	return out
}

func reopen(t *testing.T, d *Driver, disk *faultFS) *Driver {
	t.Helper()
	require.NoError(t, d.Close(t.Context()))
	d, err := Open(t.Context(), disk.root, Options{FS: disk, Sync: d.sync, SmallBlob: d.smallBlob})
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.Close(context.WithoutCancel(t.Context())) })
	disk.takeLog()
	return d
}

func TestSyncNoneDoesNotSync(t *testing.T) {
	t.Parallel()
	d, disk := openFault(t, SyncNone)
	ref, err := putText(t.Context(), d, "x")
	require.NoError(t, err)
	require.NoError(t, d.Delete(t.Context(), ref))
	assert.NotContains(t, strings.Join(disk.takeLog(), "\n"), "sync")
}

func TestAFailedSyncEndsAllWritesUntilAReopen(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"sync", "syncdir"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			d, disk := openFault(t, SyncAlways)
			ref, err := putText(t.Context(), d, "kept")
			require.NoError(t, err)

			disk.failWith(op, errFault)
			_, err = putText(t.Context(), d, "lost")
			require.ErrorIs(t, err, errFault)
			disk.failWith("", nil)
			disk.takeLog()

			_, err = putText(t.Context(), d, "refused")
			require.ErrorIs(t, err, errFault)
			require.ErrorContains(t, err, "no more writes until the driver is opened again")
			require.ErrorIs(t, d.Delete(t.Context(), ref), errFault)
			assert.Empty(t, disk.takeLog(), "a write that is refused touches nothing")

			got, err := readText(t.Context(), d, ref)
			require.NoError(t, err)
			assert.Equal(t, "kept", got)

			d = reopen(t, d, disk)
			_, err = putText(t.Context(), d, "accepted")
			require.NoError(t, err)
			require.NoError(t, d.Delete(t.Context(), ref))
		})
	}
}

func TestAFullDiskIsErrNoSpaceAndPasses(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"create", "write", "sync", "close", "mkdir", "rename"} {
		for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
			t.Run(fmt.Sprintf("%s: %v", op, full), func(t *testing.T) {
				t.Parallel()
				d, disk := openFault(t, SyncAlways)
				disk.failWith(op, &os.PathError{Op: op, Path: "p", Err: full})
				_, err := putText(t.Context(), d, "too much")
				require.ErrorIs(t, err, container.ErrNoSpace)
				entries, err := os.ReadDir(filepath.Join(disk.root, tmpName))
				require.NoError(t, err)
				assert.Empty(t, entries, "the room that was taken is given back")

				disk.failWith("", nil)
				ref, err := putText(t.Context(), d, "enough")
				require.NoError(t, err)
				got, err := readText(t.Context(), d, ref)
				require.NoError(t, err)
				assert.Equal(t, "enough", got)
			})
		}
	}
}

func TestASourceThatPanicsLeavesNothing(t *testing.T) {
	t.Parallel()
	d, disk := openFault(t, SyncAlways)
	assert.Panics(t, func() { _, _ = d.Put(t.Context(), "name", panickyReader{}, driver.PutOptions{Size: -1}) })
	entries, err := os.ReadDir(filepath.Join(disk.root, tmpName))
	require.NoError(t, err)
	assert.Empty(t, entries)
	require.NoError(t, d.Close(t.Context()), "the Put has left")
}

type panickyReader struct{}

func (panickyReader) Read([]byte) (int, error) { panic("a reader of the caller's") }

// A history is what the driver told a workload.
type history struct {
	identity string
	kept     map[driver.Ref]string // acknowledged, not deleted
	gone     map[driver.Ref]bool   // acknowledged deletes
	unknown  map[driver.Ref]string // a Delete failed
	failed   []string              // contents whose Put failed
}

// workload uses a new driver on disk until it is done, whatever fails.
func workload(ctx context.Context, disk *faultFS) (history, error) {
	h := history{kept: make(map[driver.Ref]string), gone: make(map[driver.Ref]bool), unknown: make(map[driver.Ref]string)}
	d, err := Open(ctx, disk.root, Options{FS: disk})
	if err != nil {
		return h, err
	}
	h.identity = d.identity
	var errs []error
	var refs []driver.Ref
	for _, text := range []string{"small", strings.Repeat("large", 30_000), "", "last"} {
		ref, err := putText(ctx, d, text)
		if err != nil {
			h.failed = append(h.failed, text)
			errs = append(errs, err)
			continue
		}
		h.kept[ref] = text
		refs = append(refs, ref)
		if len(refs)%2 == 0 {
			victim := refs[0]
			refs = refs[1:]
			if err := d.Delete(ctx, victim); err != nil {
				h.unknown[victim] = h.kept[victim]
				errs = append(errs, err)
			} else {
				h.gone[victim] = true
			}
			delete(h.kept, victim)
		}
	}
	for ref, text := range h.kept {
		got, err := readText(ctx, d, ref)
		switch {
		case err != nil:
			errs = append(errs, err)
		case got != text:
			errs = append(errs, fmt.Errorf("wrong bytes of %q", ref))
		}
	}
	for _, err := range d.List(ctx, "") {
		errs = append(errs, err)
	}
	return h, errors.Join(append(errs, d.Close(ctx))...)
}

// check opens the folder on a disk in order again and compares.
func (h history) check(t *testing.T, root string) {
	t.Helper()
	d, err := Open(t.Context(), root, Options{Sync: SyncNone})
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close(t.Context())) }()
	if h.identity != "" {
		require.Equal(t, h.identity, d.identity)
	}
	for ref, text := range h.kept {
		got, err := readText(t.Context(), d, ref)
		require.NoError(t, err, "an acknowledged blob")
		require.True(t, got == text, "an acknowledged blob has other bytes")
	}
	for ref := range h.gone {
		_, err := readText(t.Context(), d, ref)
		require.ErrorIs(t, err, container.ErrNotFound, "an acknowledged delete")
	}
	for b, err := range d.List(t.Context(), "") {
		require.NoError(t, err)
		got, err := readText(t.Context(), d, b.Ref)
		require.NoError(t, err, "what is listed is whole")
		switch {
		case h.kept[b.Ref] != "" || got == "":
		case h.unknown[b.Ref] != "":
			require.True(t, got == h.unknown[b.Ref])
		default:
			require.Contains(t, h.failed, got, "%q is nobody's", b.Ref)
		}
	}
	entries, err := os.ReadDir(filepath.Join(root, tmpName))
	require.NoError(t, err)
	require.Empty(t, entries, "tmp is emptied")
	_, err = putText(t.Context(), d, "and on it goes")
	require.NoError(t, err)
}

func TestWhateverOperationFailsNothingAcknowledgedIsLost(t *testing.T) {
	t.Parallel()
	for name, hits := range map[string]func(n, at int) bool{
		"one operation fails":                func(n, at int) bool { return n == at },
		"all fail from one operation on":     func(n, at int) bool { return n >= at },
		"an operation and the next two fail": func(n, at int) bool { return n >= at && n < at+3 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reached := true
			at := 0
			for reached {
				at++
				reached = false
				disk := &faultFS{root: t.TempDir()}
				disk.fault = func(_ string, n int) error {
					if !hits(n, at) {
						return nil
					}
					reached = true
					return errFault
				}
				h, err := workload(t.Context(), disk)
				if err != nil {
					require.ErrorIs(t, err, errFault, "operation %d", at)
				}
				if reached {
					require.LessOrEqual(t, at, len(disk.log))
				}
				t.Logf("operation %d: %v", at, disk.log[min(at, len(disk.log))-1])
				h.check(t, disk.root)
			}
			require.Greater(t, at, 50, "the workload has that many operations at least")
		})
	}
}

// TestCallsThatRunAtOnceShareTheSyncsOfFolders holds one round of syncs while
// others gather for the next.
func TestCallsThatRunAtOnceShareTheSyncsOfFolders(t *testing.T) {
	t.Parallel()
	entered, resume := make(chan string), make(chan error)
	s := rounds[string]{run: func(items []string) error {
		require.Subset(t, []string{"a"}, items)
		entered <- items[0]
		return <-resume
	}}
	first := make(chan error, 1)
	go func() { first <- s.do("a") }()
	require.Equal(t, "a", <-entered)

	const waiting = 10
	var joined []*round[string]
	leader, isFirst := s.join("a")
	require.True(t, isFirst)
	for range waiting {
		r, isFirst := s.join("a")
		require.False(t, isFirst)
		joined = append(joined, r)
	}
	go s.lead(leader)
	resume <- nil
	require.NoError(t, <-first)

	require.Equal(t, "a", <-entered, "one sync more, for all who came meanwhile")
	resume <- errFault
	for _, r := range joined {
		<-r.done
		require.ErrorIs(t, r.err, errFault)
	}
}

func TestARangeNeedsOnlyItsBlocks(t *testing.T) {
	t.Parallel()
	d, disk := openFault(t, SyncAlways)
	ref, err := d.Put(t.Context(), "name", bytes.NewReader(make([]byte, 10*blockSize)), driver.PutOptions{Size: -1})
	require.NoError(t, err)
	disk.takeLog()
	r, err := d.Open(t.Context(), ref, 4*blockSize+1, blockSize)
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	assert.EqualValues(t, blockSize, n)
	reads := 0
	for _, op := range disk.takeLog() {
		if strings.HasPrefix(op, "readat") {
			reads++
		}
	}
	assert.Equal(t, 3, reads, "the footer, two blocks, and their sums")
}
