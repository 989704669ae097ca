package driver_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestASourceYieldsWhatItsReaderYields(t *testing.T) {
	t.Parallel()
	want := bytes.Repeat([]byte("vault"), 1000)
	for _, wrap := range []func(io.Reader) io.Reader{
		func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader, iotest.HalfReader,
	} {
		for _, size := range []int64{-1, int64(len(want))} {
			got, err := io.ReadAll(driver.NewSource(t.Context(), wrap(bytes.NewReader(want)), size))
			require.NoError(t, err)
			assert.Equal(t, want, got)
		}
	}
}

func TestASourceHoldsItsReaderToTheLength(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		size int64
		text string
	}{
		{5, "more than the 5 bytes promised"},
		{0, "more than the 0 bytes promised"},
		{9, "yields 6 bytes, 9 were promised"},
	} {
		src := driver.NewSource(t.Context(), iotest.OneByteReader(bytes.NewReader([]byte("sixsix"))), tc.size)
		_, err := io.ReadAll(src)
		require.ErrorIs(t, err, container.ErrLength)
		require.ErrorContains(t, err, tc.text)
		_, again := src.Read(make([]byte, 1))
		assert.Equal(t, err, again, "a failure is for ever")
	}
}

func TestASourceStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	reads := 0
	src := driver.NewSource(ctx, readerFunc(func(p []byte) (int, error) {
		reads++
		cancel()
		return len(p), nil
	}), -1)
	_, err := io.Copy(io.Discard, src)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, reads)
}

func TestASourcePassesErrorsOn(t *testing.T) {
	t.Parallel()
	for _, want := range []error{io.ErrUnexpectedEOF, errors.New("broken")} {
		src := driver.NewSource(t.Context(), io.MultiReader(bytes.NewReader(make([]byte, 10)), iotest.ErrReader(want)), 99)
		n, err := src.Fill(make([]byte, 20))
		assert.Equal(t, 10, n)
		assert.Equal(t, want, err)
	}
}

func TestASourceSurvivesABadReader(t *testing.T) {
	t.Parallel()
	_, err := driver.NewSource(t.Context(), readerFunc(func([]byte) (int, error) { return 0, nil }), -1).Fill(make([]byte, 1))
	require.ErrorIs(t, err, io.ErrNoProgress)
	for _, n := range []int{-1, 2} {
		_, err := driver.NewSource(t.Context(), readerFunc(func([]byte) (int, error) { return n, nil }), -1).Fill(make([]byte, 1))
		require.ErrorContains(t, err, "claims to have read more")
	}
}
