package local

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

// openSegmented opens a folder on a disk that can be made to fail, with
// segments of so many bytes.
func openSegmented(t *testing.T, disk *faultFS, size int64) *Driver {
	t.Helper()
	d, err := Open(t.Context(), disk.root, Options{FS: disk, segmentSize: size})
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.Close(context.WithoutCancel(t.Context())) })
	disk.takeLog()
	return d
}

// crash leaves a driver as a process that is killed does: what it wrote stays,
// and nothing more comes.
func crash(t *testing.T, d *Driver, disk *faultFS) {
	t.Helper()
	disk.failWith("writeat", errFault)
	require.ErrorIs(t, d.Close(t.Context()), errFault)
	disk.failWith("", nil)
}

// small puts a blob that goes to a segment.
func small(t *testing.T, d *Driver, b []byte) (driver.Ref, smallRef) {
	t.Helper()
	ref, err := d.Put(t.Context(), "name", bytes.NewReader(b), driver.PutOptions{Size: int64(len(b))})
	require.NoError(t, err)
	parsed, ok := parseSmallRef(ref)
	require.True(t, ok)
	return ref, parsed
}

// gathered returns how many items the next round has by now.
func (r *rounds[T]) gathered() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		return 0
	}
	return len(r.next.items)
}

func listed(t *testing.T, d *Driver, after driver.Ref) []driver.Ref {
	t.Helper()
	var refs []driver.Ref
	for b, err := range d.List(t.Context(), after) {
		require.NoError(t, err)
		refs = append(refs, b.Ref)
	}
	return refs
}

func segmentFiles(t *testing.T, d *Driver) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(d.root, segmentName))
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestASmallPutSyncsItsSegmentBeforeItReturns(t *testing.T) {
	t.Parallel()
	disk := &faultFS{root: t.TempDir()}
	d := openSegmented(t, disk, 0)
	ref, _ := small(t, d, []byte("first"))
	const seg, log = "seg/000000000001.seg", "dead/000000000001.log"
	made := []string{
		"create " + log, "writeat " + log, "writeat " + log, "sync " + log, "syncdir dead",
		"create " + seg, "writeat " + seg, "writeat " + seg, "sync " + seg, "syncdir seg",
	}
	appended := []string{"writeat " + seg, "syncdata " + seg}
	assert.Equal(t, concat(made, appended), disk.takeLog())

	_, _ = small(t, d, []byte("second"))
	assert.Equal(t, appended, disk.takeLog())

	require.NoError(t, d.Delete(t.Context(), ref))
	ops := disk.takeLog()
	assert.Equal(t, []string{"writeat " + log, "syncdata " + log}, ops[len(ops)-2:])
	require.NoError(t, d.Delete(t.Context(), ref))
	assert.Empty(t, disk.takeLog())
}

func TestAKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	disk := &faultFS{root: t.TempDir()}
	d := openSegmented(t, disk, 20_000)
	want := make(map[driver.Ref][]byte)
	for round := range 5 {
		var gone []driver.Ref
		for i := range 10 {
			b := randomBytes(int64(1000*i + round))
			ref, _ := small(t, d, b)
			if i%3 == 0 {
				require.NoError(t, d.Delete(t.Context(), ref))
				gone = append(gone, ref)
				continue
			}
			want[ref] = b
		}
		crash(t, d, disk)
		d = openSegmented(t, disk, 20_000)
		for ref, b := range want {
			got, err := readRange(t.Context(), d, ref, 0, -1)
			require.NoError(t, err)
			require.True(t, bytes.Equal(b, got))
		}
		for _, ref := range gone {
			_, err := readRange(t.Context(), d, ref, 0, -1)
			require.ErrorIs(t, err, container.ErrNotFound)
		}
		require.Len(t, listed(t, d, ""), len(want))
	}
}

// TestATornTailIsCutOff cuts and garbles an unsealed segment at every place
// behind what its last record knows to be durable.
func TestATornTailIsCutOff(t *testing.T) {
	t.Parallel()
	disk := &faultFS{root: t.TempDir()}
	d := openSegmented(t, disk, 0)
	first, _ := small(t, d, []byte("durable before the last was written"))
	second, at := small(t, d, []byte("also"))
	last, lastAt := small(t, d, randomBytes(300))
	crash(t, d, disk)
	path := d.segmentPath(1)
	sound, err := os.ReadFile(path)
	require.NoError(t, err)

	for name, tear := range map[string]func(file []byte, at int64) []byte{
		"cut":     func(file []byte, at int64) []byte { return file[:at] },
		"zeros":   func(file []byte, at int64) []byte { clear(file[at:]); return file },
		"flipped": func(file []byte, at int64) []byte { file[at] ^= 1; return file },
		"rubbish": func(file []byte, at int64) []byte { copy(file[at:], randomBytes(500)); return file },
	} {
		for off := lastAt.offset; off < lastAt.offset+recordHeader+sumSize+300; off += 7 {
			require.NoError(t, os.WriteFile(path, tear(bytes.Clone(sound), off), 0o600))
			d := openSegmented(t, disk, 0)
			require.Equal(t, []driver.Ref{first, second}, listed(t, d, ""), "%s at %d", name, off)
			_, err := readRange(t.Context(), d, last, 0, -1)
			require.ErrorIs(t, err, container.ErrNotFound)
			require.NoError(t, d.Close(t.Context()))
			sealed, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Len(t, sealed, int(at.end())+markSize)
		}
	}
}

// TestDamageHidesOnlyWhatItHit flips each byte of a sealed segment and of one
// that was not sealed.
func TestDamageHidesOnlyWhatItHit(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		disk := &faultFS{root: t.TempDir()}
		d := openSegmented(t, disk, 0)
		var refs []driver.Ref
		var parsed []smallRef
		want := make(map[driver.Ref][]byte)
		for i := range 5 {
			b := randomBytes(int64(40 + 50*i))
			ref, at := small(t, d, b)
			refs, parsed, want[ref] = append(refs, ref), append(parsed, at), b
		}
		if killed {
			crash(t, d, disk)
		} else {
			require.NoError(t, d.Close(t.Context()))
		}
		path := d.segmentPath(1)
		sound, err := os.ReadFile(path)
		require.NoError(t, err)
		for off := range parsed[3].end() { // the last is the tail of the one that was not sealed
			file := bytes.Clone(sound)
			file[off] ^= 0x40
			require.NoError(t, os.WriteFile(path, file, 0o600))
			d := openSegmented(t, disk, 0)
			if killed && off < markSize {
				// Without the header, and with no seal, nothing can be told; nothing is removed either.
				for _, ref := range refs {
					_, err := readRange(t.Context(), d, ref, 0, -1)
					require.ErrorIs(t, err, container.ErrCorrupt)
				}
				require.NoError(t, d.Close(t.Context()))
				continue
			}
			shown := listed(t, d, "")
			for i, ref := range refs {
				got, err := readRange(t.Context(), d, ref, 0, -1)
				if hit := off >= parsed[i].offset && off < parsed[i].end(); hit && err != nil {
					require.ErrorIs(t, err, container.ErrCorrupt, "byte %d", off)
					continue
				}
				require.NoError(t, err, "byte %d, record %d", off, i)
				require.True(t, bytes.Equal(want[ref], got))
				require.Contains(t, shown, ref)
			}
			require.NoError(t, d.Close(t.Context()))
		}
	}
}

func TestASegmentWithoutRecordsIsRemovedAtOpen(t *testing.T) {
	t.Parallel()
	for name, file := range map[string][]byte{
		"empty":  nil,
		"short":  make([]byte, 10),
		"zeros":  make([]byte, 100_000),
		"header": mark{magic: segmentMagic, number: 9, nonce: 1}.append(nil),
		"torn":   mark{magic: segmentMagic, number: 9, nonce: 1}.append(nil)[:40],
		"ahead":  append(mark{magic: segmentMagic, number: 9, nonce: 1}.append(nil), make([]byte, 5000)...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := &faultFS{root: t.TempDir()}
			d := openSegmented(t, disk, 0)
			require.NoError(t, d.Close(t.Context()))
			require.NoError(t, os.WriteFile(d.segmentPath(9), file, 0o600))
			d = openSegmented(t, disk, 0)
			assert.Empty(t, segmentFiles(t, d))
			_, ref := small(t, d, nil)
			assert.EqualValues(t, 10, ref.segment)
		})
	}
}

func TestASegmentOfANewerVersionIsRefused(t *testing.T) {
	t.Parallel()
	disk := &faultFS{root: t.TempDir()}
	d := openSegmented(t, disk, 0)
	require.NoError(t, d.Close(t.Context()))
	header := mark{magic: segmentMagic, number: 9, nonce: 1}.append(nil)
	header[8]++
	header = binary.LittleEndian.AppendUint32(header[:60], crc32.Checksum(header[:60], castagnoli))
	require.NoError(t, os.WriteFile(d.segmentPath(9), header, 0o600))
	_, err := Open(t.Context(), disk.root, Options{FS: disk})
	require.ErrorContains(t, err, "segment 9: ")
	require.ErrorContains(t, err, "of version 2; this program reads version 1")
}

func TestASegmentGoesWithItsLastBlob(t *testing.T) {
	t.Parallel()
	disk := &faultFS{root: t.TempDir()}
	d := openSegmented(t, disk, 4096)
	var refs []driver.Ref
	for range 12 { // three to a segment
		ref, _ := small(t, d, randomBytes(1000))
		refs = append(refs, ref)
	}
	require.Len(t, segmentFiles(t, d), 4)
	for _, ref := range refs[:2] {
		require.NoError(t, d.Delete(t.Context(), ref))
	}
	require.Len(t, segmentFiles(t, d), 4)
	open, err := d.Open(t.Context(), refs[2], 0, -1)
	require.NoError(t, err)
	disk.takeLog()
	require.NoError(t, d.Delete(t.Context(), refs[2]))
	ops := disk.takeLog()
	assert.Equal(t, []string{"remove seg/000000000001.seg", "syncdir seg"}, ops[len(ops)-2:])
	require.Equal(t, []string{"000000000002.seg", "000000000003.seg", "000000000004.seg"}, segmentFiles(t, d))
	require.NoError(t, open.Close())
	require.NoError(t, d.Delete(t.Context(), refs[2]))
	assert.Equal(t, refs[3:], listed(t, d, refs[1]))

	// The last is not sealed; it goes when it is.
	for _, ref := range refs[3:] {
		require.NoError(t, d.Delete(t.Context(), ref))
	}
	require.Equal(t, []string{"000000000004.seg"}, segmentFiles(t, d))
	require.NoError(t, d.Close(t.Context()))
	require.Empty(t, segmentFiles(t, d))
	d = openSegmented(t, disk, 4096)
	_, ref := small(t, d, nil)
	assert.EqualValues(t, 5, ref.segment, "the log remembers which numbers there were")
}

func TestAnEmptiedSegmentIsRemovedAtOpen(t *testing.T) {
	t.Parallel()
	disk := &faultFS{root: t.TempDir()}
	d := openSegmented(t, disk, 0)
	ref, _ := small(t, d, []byte("x"))
	require.NoError(t, d.Delete(t.Context(), ref))
	crash(t, d, disk)
	require.Len(t, segmentFiles(t, d), 1)
	d = openSegmented(t, disk, 0)
	require.Empty(t, segmentFiles(t, d))
}

func TestDeletingARefOfAnotherTimelineHarmsNobody(t *testing.T) {
	t.Parallel()
	disk := &faultFS{root: t.TempDir()}
	d := openSegmented(t, disk, 0)
	kept, at := small(t, d, randomBytes(1000))
	other, _ := small(t, d, randomBytes(1000))
	for _, strange := range []smallRef{
		{at.segment, at.offset, at.size, at.nonce + 1},
		{at.segment, at.offset, at.size + 1, at.nonce},
		{at.segment, at.offset + recordAlign, at.size, at.nonce},
		{at.segment, at.offset + recordAlign, 0, at.nonce},
		{at.segment, 0, 0, at.nonce},
		{at.segment, 1 << 20, 0, at.nonce},
		{at.segment + 1, at.offset, at.size, at.nonce},
	} {
		_, err := readRange(t.Context(), d, strange.ref(), 0, -1)
		require.ErrorIs(t, err, container.ErrNotFound, "%+v", strange)
		require.NoError(t, d.Delete(t.Context(), strange.ref()))
	}
	assert.Equal(t, []driver.Ref{kept, other}, listed(t, d, ""))
}

func TestADamagedRecordCanBeDeleted(t *testing.T) {
	t.Parallel()
	disk := &faultFS{root: t.TempDir()}
	d := openSegmented(t, disk, 0)
	ref, at := small(t, d, randomBytes(1000))
	other, _ := small(t, d, randomBytes(1000))
	require.NoError(t, d.Close(t.Context()))
	file, err := os.ReadFile(d.segmentPath(1))
	require.NoError(t, err)
	file[at.offset+10] ^= 1
	require.NoError(t, os.WriteFile(d.segmentPath(1), file, 0o600))
	d = openSegmented(t, disk, 0)
	require.NoError(t, d.Delete(t.Context(), ref))
	_, err = readRange(t.Context(), d, ref, 0, -1)
	require.ErrorIs(t, err, container.ErrNotFound)
	require.NoError(t, d.Delete(t.Context(), other))
	assert.Empty(t, segmentFiles(t, d))
}

func TestAFullDiskFailsThatBatchAndNoOther(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"create", "writeat", "sync", "syncdata"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			disk := &faultFS{root: t.TempDir()}
			d := openSegmented(t, disk, 0)
			full := &os.PathError{Op: op, Path: "p", Err: syscall.ENOSPC}
			disk.failWith(op, full)
			_, err := putText(t.Context(), d, "none yet")
			require.ErrorIs(t, err, container.ErrNoSpace)
			disk.failWith("", nil)
			first, _ := small(t, d, []byte("first"))
			disk.failWith(op, full)
			_, err = putText(t.Context(), d, strings.Repeat("too much", 100_000/8))
			if op != "create" && op != "sync" { // which the second Put does not need
				require.ErrorIs(t, err, container.ErrNoSpace)
			}
			disk.failWith("", nil)
			want := append(listed(t, d, ""), "")
			require.Contains(t, want, first)
			last, _ := small(t, d, []byte("last"))
			want[len(want)-1] = last
			require.Equal(t, want, listed(t, d, ""))
			require.NoError(t, d.Close(t.Context()))
			require.Equal(t, want, listed(t, openSegmented(t, disk, 0), ""))
		})
	}
}

func TestAFailedAppendEndsAllWritesUntilAReopen(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"writeat", "syncdata"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			disk := &faultFS{root: t.TempDir()}
			d := openSegmented(t, disk, 0)
			ref, _ := small(t, d, []byte("kept"))
			disk.failWith(op, errFault)
			_, err := putText(t.Context(), d, "lost")
			require.ErrorIs(t, err, errFault)
			disk.failWith("", nil)
			_, err = putText(t.Context(), d, "refused")
			require.ErrorContains(t, err, "no more writes until the driver is opened again")
			require.ErrorIs(t, d.Delete(t.Context(), ref), errFault)
			got, err := readText(t.Context(), d, ref)
			require.NoError(t, err)
			assert.Equal(t, "kept", got)
			assert.Equal(t, []driver.Ref{ref}, listed(t, d, ""))
			require.ErrorIs(t, d.Close(t.Context()), errFault)
			d = openSegmented(t, disk, 0)
			assert.Contains(t, listed(t, d, ""), ref)
			_, _ = small(t, d, []byte("accepted"))
		})
	}
}

// TestRecordsThatArriveDuringASyncShareTheNext holds a sync while others come.
func TestRecordsThatArriveDuringASyncShareTheNext(t *testing.T) {
	t.Parallel()
	disk := &faultFS{root: t.TempDir()}
	d := openSegmented(t, disk, 0)
	_, _ = small(t, d, nil)
	const n = 20
	results := make(chan error, n)
	require.NoError(t, d.appender.rounds.alone(func() error {
		disk.takeLog()
		for i := range n {
			go func() {
				_, err := putText(t.Context(), d, fmt.Sprint("blob ", i))
				results <- err
			}()
		}
		for gathered := 0; gathered < n; runtime.Gosched() {
			gathered = d.appender.rounds.gathered()
		}
		return nil
	}))
	for range n {
		require.NoError(t, <-results)
	}
	assert.Equal(t, []string{"writeat seg/000000000001.seg", "syncdata seg/000000000001.seg"}, disk.takeLog())
	assert.Len(t, listed(t, d, ""), n+1)
}

func TestAReadOfASmallBlobIsOneRead(t *testing.T) {
	t.Parallel()
	disk := &faultFS{root: t.TempDir()}
	d := openSegmented(t, disk, 0)
	ref, _ := small(t, d, randomBytes(2*blockSize))
	for _, tc := range []struct{ off, n, reads int64 }{
		{0, -1, 1}, {0, 1, 1}, {100, blockSize, 1}, {blockSize, -1, 2}, {2 * blockSize, 0, 2},
	} {
		_, err := readRange(t.Context(), d, ref, tc.off, tc.n)
		require.NoError(t, err)
		reads := slices.DeleteFunc(disk.takeLog(), func(op string) bool { return !strings.HasPrefix(op, "readat") })
		assert.LessOrEqual(t, len(reads), int(tc.reads), "%+v", tc)
	}
}

func TestDeadSetsAreSmall(t *testing.T) {
	t.Parallel()
	set := make(deadSet)
	for _, place := range []uint32{5, 1, 4095, 4096, 1 << 22, 3} {
		require.False(t, set.has(place))
		require.True(t, set.add(place))
		require.False(t, set.add(place))
		require.True(t, set.has(place))
	}
	require.False(t, set.has(2))
	require.Equal(t, deadSet{0: {1, 3, 5, 4095}, 1: {0}, 1024: {0}}, set)
}

func TestAFileCacheClosesWhatNobodyUses(t *testing.T) {
	t.Parallel()
	opened, closed := 0, 0
	c := newFileCache(2, func(uint64) (vfs.ReadFile, error) {
		opened++
		return &countedFile{closed: &closed}, nil
	})
	var used []*cachedFile
	for number := range uint64(4) {
		f, err := c.acquire(number)
		require.NoError(t, err)
		used = append(used, f)
	}
	again, err := c.acquire(3)
	require.NoError(t, err)
	require.Equal(t, 4, opened)
	for _, f := range used {
		c.release(f)
	}
	require.Equal(t, 1, closed, "three are idle, two may be")
	c.drop(3)
	require.Equal(t, 1, closed, "somebody reads it")
	c.release(again)
	require.Equal(t, 2, closed)
	c.dropAll()
	require.Equal(t, 4, closed)
}

type countedFile struct {
	vfs.ReadFile
	closed *int
}

func (f *countedFile) Close() error { *f.closed++; return nil }

func TestMarksThatCannotBeAreNotBelieved(t *testing.T) {
	t.Parallel()
	disk := &faultFS{root: t.TempDir()}
	d := openSegmented(t, disk, 0)
	require.NoError(t, d.Close(t.Context()))
	header := mark{magic: segmentMagic, number: 9, nonce: 1}
	odd := append(header.append(nil), make([]byte, 40)...) // no whole number of places
	odd = mark{magic: sealMagic, number: 9, nonce: 1, extra: uint64(len(odd))}.append(odd)
	require.NoError(t, os.WriteFile(d.segmentPath(9), odd, 0o600))
	log := mark{magic: logMagic, number: 3, nonce: 1, extra: math.MaxUint64}
	require.NoError(t, os.WriteFile(d.logPath(3), log.append(nil), 0o600))
	log = mark{magic: logMagic, number: 4, nonce: 1}
	entries := appendEntry(log.append(nil), 1, markSize, smallRef{segment: math.MaxUint64, offset: markSize})
	require.NoError(t, os.WriteFile(d.logPath(4), entries, 0o600))

	d = openSegmented(t, disk, 0)
	assert.Empty(t, segmentFiles(t, d))
	_, ref := small(t, d, nil)
	assert.EqualValues(t, 10, ref.segment)
}

func TestASegmentThatMayNotGrowIsFollowedByAnother(t *testing.T) {
	t.Parallel()
	disk := &faultFS{root: t.TempDir()}
	d := openSegmented(t, disk, 0)
	first, _ := small(t, d, []byte("first"))
	met := false
	disk.fault = func(op string, _ int) error {
		if op == "writeat" && !met {
			met = true
			return &os.PathError{Op: op, Path: "p", Err: syscall.EFBIG}
		}
		return nil
	}
	second, at := small(t, d, []byte("second"))
	require.True(t, met)
	assert.EqualValues(t, 2, at.segment)
	crash(t, d, disk)
	d = openSegmented(t, disk, 0)
	require.Equal(t, []driver.Ref{first, second}, listed(t, d, ""))
}
