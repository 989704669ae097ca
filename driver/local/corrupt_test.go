package local

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

// openSmall opens a driver whose groups have three blocks, so that small blobs
// have several.
func openSmall(t *testing.T) *Driver {
	t.Helper()
	d, err := Open(t.Context(), t.TempDir(), Options{Sync: SyncNone, SmallBlob: -1})
	require.NoError(t, err)
	d.geometry = geometry{groupBlocks: 3}
	t.Cleanup(func() { _ = d.Close(context.WithoutCancel(t.Context())) })
	return d
}

func randomBytes(n int64) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

// store puts b and returns its ref and its file.
func store(t *testing.T, d *Driver, b []byte) (driver.Ref, string) {
	t.Helper()
	ref, err := d.Put(t.Context(), "name", bytes.NewReader(b), driver.PutOptions{Size: int64(len(b))})
	require.NoError(t, err)
	id, ok := parseRef(ref)
	require.True(t, ok)
	return ref, d.blobPath(id.number)
}

func readRange(ctx context.Context, d *Driver, ref driver.Ref, off, n int64) ([]byte, error) {
	r, err := d.Open(ctx, ref, off, n)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

func TestBlobsOfSeveralGroupsReadBack(t *testing.T) {
	t.Parallel()
	d := openSmall(t)
	const group = 3 * blockSize
	for _, size := range []int64{0, 1, blockSize, group - 1, group, group + 1, 2 * group, 2*group + blockSize, 3*group + 5} {
		want := randomBytes(size)
		ref, path := store(t, d, want)
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, d.geometry.fileSize(size), info.Size())
		for _, off := range []int64{0, 1, blockSize - 1, blockSize, group - 1, group, group + 1, 2 * group, size - 1, size} {
			if off < 0 || off > size {
				continue
			}
			for _, n := range []int64{-1, 0, 1, blockSize, blockSize + 1, group} {
				if n > size-off {
					continue
				}
				got, err := readRange(t.Context(), d, ref, off, n)
				require.NoError(t, err, "%d from %d of %d", n, off, size)
				if n < 0 {
					n = size - off
				}
				require.True(t, bytes.Equal(want[off:off+n], got), "%d from %d of %d", n, off, size)
			}
		}
	}
}

func TestABlobOfOneGroupIsDataSumsFooter(t *testing.T) {
	t.Parallel()
	d, err := Open(t.Context(), t.TempDir(), Options{Sync: SyncNone, SmallBlob: -1})
	require.NoError(t, err)
	defer d.Close(context.WithoutCancel(t.Context()))
	want := randomBytes(5*blockSize + 17)
	_, path := store(t, d, want)
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, file, len(want)+6*sumSize+footerSize)
	assert.True(t, bytes.HasPrefix(file, want))
	assert.Equal(t, blobMagic, string(file[len(file)-footerSize:][:8]))
}

// damaged checks that a damaged file yields right bytes or none, and an
// error that wants.
func damaged(t *testing.T, d *Driver, ref driver.Ref, original []byte, want error, what string, args ...any) {
	t.Helper()
	got, err := readRange(t.Context(), d, ref, 0, -1)
	require.ErrorIs(t, err, want, append([]any{what}, args...)...)
	require.True(t, bytes.HasPrefix(original, got), "%s: a wrong byte was returned", what)
}

func TestEveryFlippedByteIsFound(t *testing.T) {
	t.Parallel()
	d := openSmall(t)
	original := randomBytes(4*blockSize + 100)
	ref, path := store(t, d, original)
	sound, err := os.ReadFile(path)
	require.NoError(t, err)
	offsets := []int{0, 1, blockSize - 1, blockSize, 3*blockSize - 1, 4*blockSize + 50}
	for i := range 12 {
		offsets = append(offsets, 3*blockSize+i) // sums of the first group
	}
	for i := range footerSize + 2*sumSize {
		offsets = append(offsets, len(sound)-1-i) // sums of the second, and the footer
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	for _, off := range offsets {
		for _, bit := range []byte{1, 0x80, 0xff} {
			_, err := f.WriteAt([]byte{sound[off] ^ bit}, int64(off))
			require.NoError(t, err)
			damaged(t, d, ref, original, container.ErrCorrupt, "byte %d of %d", off, len(sound))
			_, err = f.WriteAt(sound[off:off+1], int64(off))
			require.NoError(t, err)
		}
	}
	got, err := readRange(t.Context(), d, ref, 0, -1)
	require.NoError(t, err)
	require.True(t, bytes.Equal(original, got))
}

func TestDamageIsFoundWhateverItsKind(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		damage func(file []byte) []byte
		want   error
	}{
		"empty":                    {func([]byte) []byte { return nil }, container.ErrCorrupt},
		"cut by a byte":            {func(b []byte) []byte { return b[:len(b)-1] }, container.ErrCorrupt},
		"cut to its footer":        {func(b []byte) []byte { return b[len(b)-footerSize:] }, container.ErrCorrupt},
		"cut by a block in front":  {func(b []byte) []byte { return b[blockSize:] }, container.ErrCorrupt},
		"longer by a byte":         {func(b []byte) []byte { return append([]byte{0}, b...) }, container.ErrCorrupt},
		"all zeros":                {func(b []byte) []byte { clear(b); return b }, container.ErrCorrupt},
		"data zeros":               {func(b []byte) []byte { clear(b[:blockSize]); return b }, container.ErrCorrupt},
		"data and its sum zeros":   {func(b []byte) []byte { clear(b[:3*blockSize+4]); return b }, container.ErrCorrupt},
		"two blocks and sums swap": {swapBlocks, container.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openSmall(t)
			original := randomBytes(3 * blockSize)
			ref, path := store(t, d, original)
			file, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, tc.damage(file), 0o600))
			damaged(t, d, ref, original, tc.want, "%s", name)
		})
	}
}

// swapBlocks moves two blocks together with their sums.
func swapBlocks(file []byte) []byte {
	first, second := bytes.Clone(file[:blockSize]), file[blockSize:2*blockSize]
	copy(file, second)
	copy(second, first)
	sums := file[3*blockSize:]
	sum := bytes.Clone(sums[:4])
	copy(sums, sums[4:8])
	copy(sums[4:], sum)
	return file
}

func TestABlockOfAnotherBlobIsFound(t *testing.T) {
	t.Parallel()
	d := openSmall(t)
	original := randomBytes(blockSize)
	ref, path := store(t, d, original)
	_, otherPath := store(t, d, make([]byte, blockSize))
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	other, err := os.ReadFile(otherPath)
	require.NoError(t, err)
	copy(file, other[:blockSize+sumSize])
	require.NoError(t, os.WriteFile(path, file, 0o600))
	damaged(t, d, ref, original, container.ErrCorrupt, "data and sum of another blob, in the same place")

	require.NoError(t, os.WriteFile(path, other, 0o600))
	damaged(t, d, ref, original, container.ErrNotFound, "another blob in the file's place")
}

func TestAFileThatShrinksWhileItIsReadIsCorrupt(t *testing.T) {
	t.Parallel()
	d := openSmall(t)
	original := randomBytes(3 * blockSize)
	ref, path := store(t, d, original)
	r, err := d.Open(t.Context(), ref, 0, -1)
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, os.Truncate(path, blockSize))
	got, err := io.ReadAll(r)
	require.ErrorIs(t, err, container.ErrCorrupt)
	require.True(t, bytes.HasPrefix(original, got))
}

func TestABlobOfANewerVersionIsNotCalledDamaged(t *testing.T) {
	t.Parallel()
	d := openSmall(t)
	ref, path := store(t, d, []byte("from the future"))
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	foot := file[len(file)-footerSize:]
	foot[8] = blobVersion + 1
	binary.LittleEndian.PutUint32(foot[32:], crc32.Checksum(foot[:32], castagnoli))
	require.NoError(t, os.WriteFile(path, file, 0o600))
	_, err = readRange(t.Context(), d, ref, 0, -1)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.NotErrorIs(t, err, container.ErrCorrupt)
	require.ErrorContains(t, err, "version 2; this program reads version 1")
}

func TestADamagedFooterHidesTheBlobFromListAndNotFromDelete(t *testing.T) {
	t.Parallel()
	d := openSmall(t)
	ref, path := store(t, d, []byte("one"))
	sound, _ := store(t, d, []byte("two"))
	require.NoError(t, os.Truncate(path, 10))
	var refs []driver.Ref
	for b, err := range d.List(t.Context(), "") {
		require.NoError(t, err)
		refs = append(refs, b.Ref)
	}
	assert.Equal(t, []driver.Ref{sound}, refs)
	require.NoError(t, d.Delete(t.Context(), ref))
	assert.NoFileExists(t, path)
}

func TestAReaderCanBeClosedWhileItReads(t *testing.T) {
	t.Parallel()
	d := openSmall(t)
	ref, _ := store(t, d, randomBytes(10*blockSize))
	for range 20 {
		r, err := d.Open(t.Context(), ref, 0, -1)
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, r)
			done <- err
		}()
		require.NoError(t, r.Close())
		if err := <-done; err != nil {
			require.ErrorIs(t, err, container.ErrClosed)
		}
		require.NoError(t, r.Close())
	}
}

func TestNumbersSpreadOverFolders(t *testing.T) {
	t.Parallel()
	d := openSmall(t)
	d.next.Store(1<<folderBits - 1)
	first, firstPath := store(t, d, []byte("last of its folder"))
	second, secondPath := store(t, d, []byte("first of the next"))
	require.NotEqual(t, filepath.Dir(firstPath), filepath.Dir(secondPath))
	var refs []driver.Ref
	for b, err := range d.List(t.Context(), "") {
		require.NoError(t, err)
		refs = append(refs, b.Ref)
	}
	assert.Equal(t, []driver.Ref{first, second}, refs)

	require.NoError(t, d.Delete(t.Context(), second))
	next, err := d.findNext(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 1<<folderBits, next, "found in the folder before, the last one being empty")

	d.next.Store(maxNumber + 1)
	_, err = d.Put(t.Context(), "name", bytes.NewReader(nil), driver.PutOptions{})
	require.ErrorIs(t, err, container.ErrNoSpace)
}
