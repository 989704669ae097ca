package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/event"
)

// A hookedDriver calls its hooks, where they are set, instead of the driver.

type hookedDriver struct {
	keepDriver
	put  func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error)
	open func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error)
}

func (d *hookedDriver) Put(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
	if d.put != nil {
		return d.put(ctx, name, src, opts)
	}
	return d.inner.Put(ctx, name, src, opts)
}

func (d *hookedDriver) Open(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
	if d.open != nil {
		return d.open(ctx, ref, off, n)
	}
	return d.inner.Open(ctx, ref, off, n)
}

func newHookedRig(t *testing.T) (*rig, *hookedDriver) {
	t.Helper()
	d := &hookedDriver{keepDriver: keepDriver{memory.New()}}
	return newRigOver(t, mustMemoryOwned(t), d).withContainer(t), d
}

// What a driver says about its blobs is not about the caller's containers.

func TestTheSentinelsOfADriverAreNotTheCallers(t *testing.T) {
	t.Parallel()
	other := errors.New("another error of the driver's")
	for _, sentinel := range []error{
		container.ErrNotFound, container.ErrExists, container.ErrDenied, container.ErrPrecondition,
		container.ErrInvalid, container.ErrQuota, context.DeadlineExceeded,
	} {
		r, d := newHookedRig(t)
		d.put = func(context.Context, string, io.Reader, driver.PutOptions) (driver.Ref, error) {
			return "", fmt.Errorf("remote: %w: %w", sentinel, other)
		}
		_, err := r.Put(t.Context(), "c", "k", strings.NewReader("x"), engine.PutOptions{})
		require.NotErrorIs(t, err, sentinel)
		require.ErrorIs(t, err, other)
		require.ErrorContains(t, err, sentinel.Error())
		require.ErrorContains(t, err, `driver "main"`)
		r.events.Only(t, event.PutArtifact, event.Failed)
	}
	for _, sentinel := range []error{container.ErrDenied, context.Canceled} {
		r, d := newHookedRig(t)
		r.put(t, "k", "x")
		d.open = func(context.Context, driver.Ref, int64, int64) (io.ReadCloser, error) { return nil, sentinel }
		_, err := r.read(t.Context(), "k")
		require.NotErrorIs(t, err, sentinel)
	}
}

func TestADriverIsBlamedForItsOwnFailuresOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	_, err := r.Put(t.Context(), "c", "k", strings.NewReader("x"), engine.PutOptions{Size: 2})
	var wrapped *container.Error
	require.ErrorAs(t, err, &wrapped)
	require.Empty(t, wrapped.Driver)
}

func TestWrongBytesOfADriverAreDamage(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("right ", 50_000)
	for name, yields := range map[string]string{
		"other bytes":   strings.Repeat("wrong ", 50_000),
		"too few bytes": body[:1000],
		"too many":      body + "and a trailer",
	} {
		for way, read := range map[string]func(r *engine.Reader) error{
			"Read":     func(r *engine.Reader) error { _, err := io.Copy(io.Discard, struct{ io.Reader }{r}); return err },
			"WriteTo":  func(r *engine.Reader) error { _, err := r.WriteTo(io.Discard); return err },
			"ReadFull": func(r *engine.Reader) error { _, err := io.ReadFull(r, make([]byte, len(body))); return err },
		} {
			r, d := newHookedRig(t)
			r.put(t, "k", body)
			d.open = func(context.Context, driver.Ref, int64, int64) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(yields)), nil
			}
			r.events.Reset()
			reader, err := r.Get(t.Context(), "c", "k", engine.GetOptions{})
			require.NoError(t, err)
			err = read(reader)
			if name == "too many" && way == "ReadFull" {
				require.NoError(t, err) // it is right, and the rest is not asked for
				require.NoError(t, reader.Close())
				continue
			}
			require.ErrorIs(t, err, container.ErrCorrupt, "%s by %s", name, way)
			require.NoError(t, reader.Close())
			r.events.Only(t, event.GetArtifact, event.Failed)
		}
	}
}

func TestAnImpossibleCountOfADriverIsAnError(t *testing.T) {
	t.Parallel()
	for _, count := range []int{-1, 4} {
		r, d := newHookedRig(t)
		r.put(t, "k", "xyz")
		d.open = func(context.Context, driver.Ref, int64, int64) (io.ReadCloser, error) {
			return io.NopCloser(readerFunc(func([]byte) (int, error) { return count, nil })), nil
		}
		reader, err := r.Get(t.Context(), "c", "k", engine.GetOptions{})
		require.NoError(t, err)
		n, err := reader.Read(make([]byte, 3))
		require.Zero(t, n)
		require.ErrorContains(t, err, "impossible count")
		require.NoError(t, reader.Close())
	}
}

type failingCloser struct{ io.Reader }

func (failingCloser) Close() error { return errFault }

func TestAReaderThatCannotBeClosedFailsItsEvent(t *testing.T) {
	t.Parallel()
	r, d := newHookedRig(t)
	r.put(t, "k", "x")
	d.open = func(context.Context, driver.Ref, int64, int64) (io.ReadCloser, error) {
		return failingCloser{strings.NewReader("x")}, nil
	}
	r.events.Reset()
	reader, err := r.Get(t.Context(), "c", "k", engine.GetOptions{})
	require.NoError(t, err)
	_, err = io.ReadAll(reader)
	require.NoError(t, err)
	require.ErrorIs(t, reader.Close(), errFault)
	require.ErrorIs(t, r.events.Only(t, event.GetArtifact, event.Failed).Err, errFault)
}

// A driver may read its source on a goroutine of its own, where nobody but the

// engine could survive a panic of the caller's code.

// panickyStore panics in its Views if it is told to.

// requireClean checks that no run over the store may have left orphans.

// slowStore applies what is written at once and keeps it from being durable

// until it is let go, as a disk does.

// Whoever deleted the replaced bytes before the replacement is durable would

// lose both in a power cut.

// A damaged blob does not keep a sweep from the others.
