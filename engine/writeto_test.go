package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/event"
)

// A sendingBody is a driver's reader that hands over pieces of a file.
type sendingBody struct {
	io.Reader
	pieces []*io.LimitedReader
}

func (b *sendingBody) Close() error { return nil }

func (b *sendingBody) WriteTo(w io.Writer) (n int64, err error) {
	for _, piece := range b.pieces {
		m, err := io.Copy(w, piece)
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// A socket takes bytes from readers by itself, and notes from which.
type socket struct {
	bytes.Buffer
	from  []io.Reader
	fails error // after the first bytes
}

func (s *socket) ReadFrom(r io.Reader) (int64, error) {
	s.from = append(s.from, r)
	if s.fails != nil {
		n, _ := io.CopyN(&s.Buffer, r, 2)
		return n, s.fails
	}
	return io.Copy(&s.Buffer, r)
}

// newSendingRig has an artifact "k" of which Gets yield the pieces.
func newSendingRig(t *testing.T, body string, pieces func() []*io.LimitedReader) *rig {
	t.Helper()
	r, d := newHookedRig(t)
	r.put(t, "k", body)
	d.open = func(context.Context, driver.Ref, int64, int64) (io.ReadCloser, error) {
		return &sendingBody{pieces: pieces()}, nil
	}
	r.events.Reset()
	return r
}

func piece(text string) *io.LimitedReader {
	return &io.LimitedReader{R: strings.NewReader(text), N: int64(len(text))}
}

func TestASocketTakesPiecesOfARangeFromTheDriver(t *testing.T) {
	t.Parallel()
	pieces := []*io.LimitedReader{piece("234"), piece("56")}
	r := newSendingRig(t, "0123456789", func() []*io.LimitedReader { return pieces })
	reader, err := r.Get(t.Context(), "c", "k", engine.GetOptions{Range: container.Span(2, 5)})
	require.NoError(t, err)
	var to socket
	n, err := reader.WriteTo(&to)
	require.NoError(t, err)
	require.Equal(t, int64(5), n)
	require.Equal(t, "23456", to.String())
	require.Equal(t, []io.Reader{pieces[0], pieces[1]}, to.from, "as they are")
	require.NoError(t, reader.Close())
	require.Equal(t, int64(5), r.events.Only(t, event.GetArtifact, event.OK).Bytes)
}

func TestAnArtifactThatIsReadWholeIsSeenAndVerified(t *testing.T) {
	t.Parallel()
	r := newSendingRig(t, "0123456789", func() []*io.LimitedReader { return []*io.LimitedReader{piece("0123456780")} })
	reader, err := r.Get(t.Context(), "c", "k", engine.GetOptions{})
	require.NoError(t, err)
	var to socket
	_, err = reader.WriteTo(&to)
	require.ErrorIs(t, err, container.ErrCorrupt)
	require.Empty(t, to.String())
	require.NoError(t, reader.Close())
}

func TestADriverThatSendsAnotherNumberOfBytesIsDamaged(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"234", "2345678"} {
		r := newSendingRig(t, "0123456789", func() []*io.LimitedReader { return []*io.LimitedReader{piece(text)} })
		reader, err := r.Get(t.Context(), "c", "k", engine.GetOptions{Range: container.Span(2, 5)})
		require.NoError(t, err)
		var to socket
		_, err = reader.WriteTo(&to)
		require.ErrorIs(t, err, container.ErrCorrupt)
		require.LessOrEqual(t, to.Len(), 5)
		require.NoError(t, reader.Close())
		r.events.Only(t, event.GetArtifact, event.Failed)
	}
}

func TestItIsToldWhetherTheSocketFailedOrTheDriver(t *testing.T) {
	t.Parallel()
	gone := errors.New("client is gone")
	r := newSendingRig(t, "0123456789", func() []*io.LimitedReader { return []*io.LimitedReader{piece("23456")} })
	reader, err := r.Get(t.Context(), "c", "k", engine.GetOptions{Range: container.Span(2, 5)})
	require.NoError(t, err)
	n, err := reader.WriteTo(&socket{fails: gone})
	require.Equal(t, gone, err)
	require.Equal(t, int64(2), n)
	require.NoError(t, reader.Close())
	e := r.events.Only(t, event.GetArtifact, event.Canceled)
	require.ErrorIs(t, e.Err, gone)
	require.Equal(t, int64(2), e.Bytes)

	bad := func() []*io.LimitedReader {
		return []*io.LimitedReader{{R: io.MultiReader(strings.NewReader("23"), readerFunc(func([]byte) (int, error) { return 0, errFault })), N: 5}}
	}
	r = newSendingRig(t, "0123456789", bad)
	reader, err = r.Get(t.Context(), "c", "k", engine.GetOptions{Range: container.Span(2, 5)})
	require.NoError(t, err)
	n, err = reader.WriteTo(&socket{})
	require.ErrorIs(t, err, errFault)
	require.ErrorContains(t, err, `driver "main"`)
	require.Equal(t, int64(2), n)
	require.NoError(t, reader.Close())
	r.events.Only(t, event.GetArtifact, event.Failed)
}
