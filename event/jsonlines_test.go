package event_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/event"
)

// writerFunc makes an io.Writer of a function.
type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func open(t *testing.T, path string) *event.JSONLines {
	t.Helper()
	s, err := event.OpenJSONLines(t.Context(), path)
	require.NoError(t, err)
	return s
}

// keysIn returns the keys in lines, each of which must be a whole event.
func keysIn(t *testing.T, lines string) (keys []string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		var row struct{ Artifact string }
		require.NoError(t, json.Unmarshal([]byte(line), &row), "line %q", line)
		keys = append(keys, row.Artifact)
	}
	return keys
}

func TestJSONLinesAppendsToItsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	for _, key := range []string{"first", "sec\nond"} {
		s := open(t, path)
		s.Record(t.Context(), event.Event{Artifact: key})
		require.NoError(t, s.Close(t.Context()))
	}

	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, []string{"first", "sec\nond"}, keysIn(t, string(content)))
}

func TestJSONLinesBeginsALineOfItsOwnAfterATornOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(`{"op":"put_a`), 0o600))
	s := open(t, path)
	s.Record(t.Context(), event.Event{Artifact: "a"})
	s.Record(t.Context(), event.Event{Artifact: "b"})
	require.NoError(t, s.Close(t.Context()))

	content, err := os.ReadFile(path)
	require.NoError(t, err)
	torn, whole, found := strings.Cut(string(content), "\n")
	require.True(t, found)
	assert.Equal(t, `{"op":"put_a`, torn)
	assert.Equal(t, []string{"a", "b"}, keysIn(t, whole))
}

func TestOpenJSONLinesFails(t *testing.T) {
	t.Parallel()
	t.Run("on a file that cannot be made", func(t *testing.T) {
		t.Parallel()
		_, err := event.OpenJSONLines(t.Context(), filepath.Join(t.TempDir(), "no", "such"))
		assert.ErrorIs(t, err, fs.ErrNotExist)
	})
	t.Run("on a folder", func(t *testing.T) {
		t.Parallel()
		_, err := event.OpenJSONLines(t.Context(), t.TempDir())
		assert.Error(t, err)
	})
	t.Run("with a context that has ended, and makes no file", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		path := filepath.Join(t.TempDir(), "events.jsonl")
		_, err := event.OpenJSONLines(ctx, path)
		require.ErrorIs(t, err, context.Canceled)
		assert.NoFileExists(t, path)
	})
}

func TestJSONLinesWritesEachLineAtOnce(t *testing.T) {
	t.Parallel()
	var writes []string // unguarded: writes must follow one another
	s := event.NewJSONLines(writerFunc(func(p []byte) (int, error) {
		writes = append(writes, string(p))
		return len(p), nil
	}))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				s.Record(t.Context(), full())
			}
		})
	}
	wg.Wait()
	require.Len(t, writes, 400)
	for _, w := range writes {
		require.Len(t, keysIn(t, w), 1)
		require.True(t, strings.HasSuffix(w, "\n"))
	}
}

func TestJSONLinesCountsWhatItCannotWrite(t *testing.T) {
	t.Parallel()
	errDisk := errors.New("disk on fire")
	var written bytes.Buffer
	fail := func([]byte) (int, error) { return 0, errDisk }
	tear := func(p []byte) (int, error) { written.Write(p[:3]); return 3, nil }
	next := written.Write
	s := event.NewJSONLines(writerFunc(func(p []byte) (int, error) { return next(p) }))
	record := func(key string) { s.Record(t.Context(), event.Event{Artifact: key}) }

	record("a")
	lost, last := s.Lost()
	assert.Zero(t, lost)
	assert.NoError(t, last)

	next = fail
	record("b")
	lost, last = s.Lost()
	assert.EqualValues(t, 1, lost)
	assert.ErrorIs(t, last, errDisk)

	next = tear
	record("c")
	lost, last = s.Lost()
	assert.EqualValues(t, 2, lost)
	assert.ErrorIs(t, last, io.ErrShortWrite)

	next = written.Write
	record("d")
	lost, _ = s.Lost()
	assert.EqualValues(t, 2, lost)
	lines := strings.Split(written.String(), "\n")
	require.Len(t, lines, 4, "a, the torn c, d, and the end")
	assert.Equal(t, []string{"a", "d"}, keysIn(t, lines[0]+"\n"+lines[2]))
}

func TestJSONLinesSurvivesAWriterThatPanics(t *testing.T) {
	t.Parallel()
	s := event.NewJSONLines(writerFunc(func([]byte) (int, error) { panic("no") }))
	for range 2 {
		assert.Panics(t, func() { s.Record(t.Context(), event.Event{}) })
	}
	assert.NoError(t, s.Close(t.Context()))
}

func TestJSONLinesLosesWhatComesAfterClose(t *testing.T) {
	t.Parallel()
	var written bytes.Buffer
	s := event.NewJSONLines(&written)
	require.NoError(t, s.Close(t.Context()))
	require.NoError(t, s.Close(t.Context()), "closing again is fine")
	s.Record(t.Context(), full())
	lost, last := s.Lost()
	assert.EqualValues(t, 1, lost)
	assert.ErrorIs(t, last, container.ErrClosed)
	assert.Zero(t, written.Len())
}

func TestJSONLinesCloseWaitsForAWriteUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	writing, release := make(chan struct{}), make(chan struct{})
	s := event.NewJSONLines(writerFunc(func(p []byte) (int, error) {
		close(writing)
		<-release
		return len(p), nil
	}))
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		s.Record(t.Context(), full())
	}()
	<-writing
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Close(ctx), context.Canceled)
	close(release)
	require.NoError(t, s.Close(t.Context()))
	<-recorded
	lost, _ := s.Lost()
	assert.Zero(t, lost)
}
