package local

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
)

// A sink takes what is written to it in two ways, as a net.TCPConn does.
type sink struct {
	bytes.Buffer
	files int // how often it was given a file
}

func (s *sink) ReadFrom(r io.Reader) (int64, error) {
	if limited, ok := r.(*io.LimitedReader); ok {
		if _, ok := limited.R.(*os.File); ok {
			s.files++
		}
	}
	return s.Buffer.ReadFrom(r)
}

// openUnverified opens a folder with groups of three blocks.
func openUnverified(t *testing.T) *Driver {
	t.Helper()
	d, err := Open(t.Context(), t.TempDir(), Options{Sync: SyncNone, SkipVerify: true})
	require.NoError(t, err)
	d.geometry = geometry{groupBlocks: 3}
	t.Cleanup(func() { _ = d.Close(context.WithoutCancel(t.Context())) })
	return d
}

func putBytes(t *testing.T, d *Driver, b []byte) driver.Ref {
	t.Helper()
	ref, err := d.Put(t.Context(), "name", bytes.NewReader(b), driver.PutOptions{Size: -1})
	require.NoError(t, err)
	return ref
}

func writerTo(t *testing.T, d *Driver, ref driver.Ref, off, n int64) (io.ReadCloser, io.WriterTo) {
	t.Helper()
	r, err := d.Open(t.Context(), ref, off, n)
	require.NoError(t, err)
	w, ok := r.(io.WriterTo)
	require.True(t, ok)
	return r, w
}

func TestWriteToYieldsWhatReadYields(t *testing.T) {
	t.Parallel()
	sound := openSmall(t)
	inMemory, err := Open(t.Context(), "/blobs", Options{FS: crashfs.New(), SkipVerify: true})
	require.NoError(t, err)
	defer inMemory.Close(context.WithoutCancel(t.Context()))
	for name, d := range map[string]*Driver{"verified": sound, "unverified": openUnverified(t), "no files": inMemory} {
		want := randomBytes(7*blockSize + 100)
		ref := putBytes(t, d, want)
		for _, rng := range [][2]int64{{0, -1}, {1, -1}, {3 * blockSize, blockSize}, {3*blockSize - 1, 2}, {5, 0}, {6 * blockSize, -1}} {
			for _, before := range []int{0, 10} {
				r, w := writerTo(t, d, ref, rng[0], rng[1])
				head, err := io.ReadAll(io.LimitReader(r, int64(before)))
				require.NoError(t, err)
				var got sink
				n, err := w.WriteTo(&got)
				require.NoError(t, err)
				require.EqualValues(t, got.Len(), n)
				end := int64(len(want))
				if rng[1] >= 0 {
					end = rng[0] + rng[1]
				}
				require.True(t, bytes.Equal(want[rng[0]:end], append(head, got.Bytes()...)), "%s: %v after %d", name, rng, before)
				_, err = r.Read(make([]byte, 1))
				require.ErrorIs(t, err, io.EOF)
				require.NoError(t, r.Close())
				_, err = w.WriteTo(&got)
				require.ErrorIs(t, err, container.ErrClosed)
			}
		}
	}
}

func TestAFileItselfIsHandedOverIfNothingIsVerified(t *testing.T) {
	t.Parallel()
	d := openUnverified(t)
	want := randomBytes(4 * blockSize)
	_, w := writerTo(t, d, putBytes(t, d, want), 100, -1)
	var got sink
	_, err := w.WriteTo(&got)
	require.NoError(t, err)
	assert.Equal(t, 2, got.files, "one for each group")
	assert.True(t, bytes.Equal(want[100:], got.Bytes()))

	verified := openSmall(t)
	_, w = writerTo(t, verified, putBytes(t, verified, want), 0, -1)
	got = sink{}
	_, err = w.WriteTo(&got)
	require.NoError(t, err)
	assert.Zero(t, got.files)
}

func TestABlobGoesToASocket(t *testing.T) {
	t.Parallel()
	for _, d := range []*Driver{openSmall(t), openUnverified(t)} {
		want := randomBytes(20*blockSize + 3)
		r, w := writerTo(t, d, putBytes(t, d, want), 0, -1)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		received := make(chan []byte, 1)
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				received <- nil
				return
			}
			defer conn.Close()
			b, _ := io.ReadAll(conn)
			received <- b
		}()
		conn, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		n, err := w.WriteTo(conn)
		require.NoError(t, err)
		require.EqualValues(t, len(want), n)
		require.NoError(t, conn.Close())
		assert.True(t, bytes.Equal(want, <-received))
		require.NoError(t, listener.Close())
		require.NoError(t, r.Close())
	}
}

func TestWriteToWritesNoWrongByte(t *testing.T) {
	t.Parallel()
	d := openSmall(t)
	want := randomBytes(6 * blockSize)
	ref, path := store(t, d, want)
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	file[2*blockSize+7] ^= 1
	require.NoError(t, os.WriteFile(path, file, 0o600))
	r, w := writerTo(t, d, ref, 0, -1)
	defer r.Close()
	var got bytes.Buffer
	_, err = w.WriteTo(&got)
	require.ErrorIs(t, err, container.ErrCorrupt)
	require.True(t, bytes.Equal(want[:2*blockSize], got.Bytes()), "all that is sound before it")
}

func TestAFileThatShrinksWhileItIsSentIsCorrupt(t *testing.T) {
	t.Parallel()
	d := openUnverified(t)
	ref, path := store(t, d, randomBytes(3*blockSize))
	r, w := writerTo(t, d, ref, 0, -1)
	defer r.Close()
	require.NoError(t, os.Truncate(path, blockSize))
	_, err := w.WriteTo(&sink{})
	require.ErrorIs(t, err, container.ErrCorrupt)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestAWriterThatFailsEndsWriteTo(t *testing.T) {
	t.Parallel()
	unverified := openUnverified(t)
	for _, tc := range []struct {
		d    *Driver
		size int64
	}{{openSmall(t), 3 * blockSize}, {unverified, 3 * blockSize}, {unverified, 100}} {
		ref := putBytes(t, tc.d, randomBytes(tc.size))
		r, w := writerTo(t, tc.d, ref, 0, -1)
		n, err := w.WriteTo(writerFunc(func(p []byte) (int, error) { return 10, errFault }))
		require.ErrorIs(t, err, errFault)
		require.EqualValues(t, 10, n)
		_, err = w.WriteTo(writerFunc(func(p []byte) (int, error) { return 10, nil }))
		require.ErrorIs(t, err, io.ErrShortWrite)
		require.NoError(t, r.Close())
	}
}

func TestAReaderCanBeClosedWhileItWrites(t *testing.T) {
	t.Parallel()
	unverified := openUnverified(t)
	for _, tc := range []struct {
		d    *Driver
		size int64
	}{{openSmall(t), 6 * blockSize}, {unverified, 6 * blockSize}, {unverified, 100}} {
		want := randomBytes(tc.size)
		r, w := writerTo(t, tc.d, putBytes(t, tc.d, want), 0, -1)
		var got bytes.Buffer
		_, err := w.WriteTo(writerFunc(func(p []byte) (int, error) {
			require.NoError(t, r.Close(), "it waits for nobody")
			_, err := r.Read(make([]byte, 1))
			require.ErrorIs(t, err, container.ErrClosed)
			// Whoever takes the buffer now must not be given this one.
			other := putBytes(t, tc.d, make([]byte, tc.size))
			_, err = readRange(t.Context(), tc.d, other, 0, -1)
			require.NoError(t, err)
			return got.Write(p)
		}))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got.Bytes()))
	}
}

func TestWriteToEndsWithItsContext(t *testing.T) {
	t.Parallel()
	unverified := openUnverified(t)
	for _, tc := range []struct {
		d    *Driver
		size int64
	}{{openSmall(t), 6 * blockSize}, {unverified, 6 * blockSize}, {unverified, 100}} {
		ref := putBytes(t, tc.d, randomBytes(tc.size))
		ctx, cancel := context.WithCancel(t.Context())
		r, err := tc.d.Open(ctx, ref, 0, -1)
		require.NoError(t, err)
		cancel()
		_, err = io.Copy(io.Discard, r)
		require.True(t, errors.Is(err, context.Canceled), "%v", err)
		require.NoError(t, r.Close())
	}
}
