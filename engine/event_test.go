package engine_test

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/tenant"
)

// oneCall calls the method of an engine that is named, with arguments that make
// it succeed if there is a container "c" with an artifact "k", and fail else.
// A method without an entry fails the test that walks them all.
var oneCall = map[string]func(ctx context.Context, e *engine.Engine) error{
	"CreateContainer": func(ctx context.Context, e *engine.Engine) error {
		_, err := e.CreateContainer(ctx, "another", engine.CreateContainerOptions{})
		return err
	},
	"StatContainer":   func(ctx context.Context, e *engine.Engine) error { _, err := e.StatContainer(ctx, "c"); return err },
	"DeleteContainer": func(ctx context.Context, e *engine.Engine) error { return e.DeleteContainer(ctx, "empty") },
	"ListContainers": func(ctx context.Context, e *engine.Engine) (err error) {
		for _, err = range e.ListContainers(ctx, engine.ListContainersOptions{}) {
		}
		return err
	},
	"Put": func(ctx context.Context, e *engine.Engine) error {
		_, err := e.Put(ctx, "c", "k2", strings.NewReader("body"), engine.PutOptions{})
		return err
	},
	"Get": func(ctx context.Context, e *engine.Engine) error {
		r, err := e.Get(ctx, "c", "k", engine.GetOptions{})
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r)
		return errors.Join(err, r.Close())
	},
	"Stat": func(ctx context.Context, e *engine.Engine) error {
		_, err := e.Stat(ctx, "c", "k", engine.StatOptions{})
		return err
	},
	"Delete": func(ctx context.Context, e *engine.Engine) error {
		return e.Delete(ctx, "c", "k", engine.DeleteOptions{})
	},
	"List": func(ctx context.Context, e *engine.Engine) (err error) {
		for _, err = range e.List(ctx, "c", engine.ListOptions{}) {
		}
		return err
	},
	"ListPage": func(ctx context.Context, e *engine.Engine) error {
		_, err := e.ListPage(ctx, "c", engine.ListOptions{})
		return err
	},
	"Reclaim": func(ctx context.Context, e *engine.Engine) error { _, err := e.Reclaim(ctx); return err },
	"Scrub": func(ctx context.Context, e *engine.Engine) error {
		_, err := e.Scrub(ctx, engine.ScrubOptions{})
		return err
	},
	"Backup": func(ctx context.Context, e *engine.Engine) error {
		return e.Backup(ctx, engine.BackupDirs{Catalog: "copy", Drivers: map[string]string{"main": "blobs"}})
	},
	"ReleaseOrphans": func(ctx context.Context, e *engine.Engine) error { return e.ReleaseOrphans(ctx) },
	"Close":          func(ctx context.Context, e *engine.Engine) error { return e.Close(ctx) },
	"Refuse": func(ctx context.Context, e *engine.Engine) error {
		if e.Refuse(ctx, event.PutArtifact, "c", "k", container.ErrDenied) == nil {
			return errors.New("a refusal without an error")
		}
		return nil
	},
}

// A copyable driver can be copied, to nowhere.
type copyable struct{ driver.Driver }

func (copyable) Snapshot(context.Context, string) error { return nil }

// A new exported method of Engine that records no event fails here.
func TestEveryMethodOfAnEngineRecordsOneEvent(t *testing.T) {
	t.Parallel()
	typ := reflect.TypeFor[*engine.Engine]()
	for i := range typ.NumMethod() {
		m := typ.Method(i)
		call, ok := oneCall[m.Name]
		require.True(t, ok, "no call of the method %s is known", m.Name)
		t.Run(m.Name+" that succeeds", func(t *testing.T) {
			t.Parallel()
			store, err := pebblestore.OpenMemory(t.Context())
			require.NoError(t, err)
			r := newRigOver(t, store, copyable{memory.New()}).withContainer(t)
			_, err = r.CreateContainer(t.Context(), "empty", engine.CreateContainerOptions{})
			require.NoError(t, err)
			r.put(t, "k", "body")
			r.events.Reset()
			require.NoError(t, call(t.Context(), r.Engine))
			events := r.events.Events()
			require.Len(t, events, 1)
			checkEvent(t, events[0])
			if m.Name != "Refuse" {
				assert.Equal(t, event.OK, events[0].Outcome)
				assert.NoError(t, events[0].Err)
			}
		})
		t.Run(m.Name+" that fails", func(t *testing.T) {
			t.Parallel()
			r := newRig(t, engine.WithResolver(tenant.ResolverFunc(func(context.Context) (tenant.ID, error) {
				return "", container.ErrThrottled
			})))
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			err := call(ctx, r.Engine)
			events := r.events.Events()
			require.Len(t, events, 1)
			checkEvent(t, events[0])
			if err != nil {
				assert.NotEqual(t, event.OK, events[0].Outcome)
				assert.Equal(t, err, events[0].Err, "the event has the error that the caller got")
			}
		})
		t.Run(m.Name+" on a closed engine", func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			require.NoError(t, r.Close(t.Context()))
			r.events.Reset()
			err := call(t.Context(), r.Engine)
			require.Len(t, r.events.Events(), 1)
			if m.Name != "Close" && m.Name != "Refuse" {
				require.ErrorIs(t, err, container.ErrClosed)
			}
		})
	}
}

func checkEvent(t *testing.T, e event.Event) {
	t.Helper()
	assert.NotEmpty(t, e.ID)
	assert.Contains(t, event.Ops(), e.Op)
	assert.False(t, e.Start.IsZero())
	assert.Equal(t, event.OutcomeOf(e.Err), e.Outcome)
}

func TestAnEventSaysWhatHappened(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	r := newRig(t, engine.WithClock(func() time.Time { now = now.Add(time.Second); return now }))
	ctx := tenant.NewContext(t.Context(), "acme")
	ctx = tenant.WithPrincipal(ctx, tenant.Principal{ID: "ann"})
	request := event.Request{ID: "r1", RemoteAddr: "192.0.2.1:99", API: "PutObject"}
	ctx = event.WithRequest(ctx, request)
	_, err := r.CreateContainer(ctx, "c", engine.CreateContainerOptions{})
	require.NoError(t, err)

	r.events.Reset()
	a, err := r.Put(ctx, "c", "k", strings.NewReader("hello"), engine.PutOptions{})
	require.NoError(t, err)
	e := r.events.Only(t, event.PutArtifact, event.OK)
	assert.Equal(t, tenant.ID("acme"), e.Tenant)
	assert.Equal(t, "ann", e.Principal)
	assert.Equal(t, "c", e.Container)
	assert.Equal(t, "k", e.Artifact)
	assert.Equal(t, a.Version, e.Version)
	assert.Equal(t, "main", e.Driver)
	assert.Equal(t, int64(5), e.Bytes)
	assert.Positive(t, e.Duration)
	assert.Equal(t, request, e.Request)

	r.events.Reset()
	reader, err := r.Get(ctx, "c", "k", engine.GetOptions{})
	require.NoError(t, err)
	_, err = reader.Read(make([]byte, 2))
	require.NoError(t, err)
	assert.Empty(t, r.events.Events(), "a Get ends when its reader is closed")
	require.NoError(t, reader.Close())
	require.NoError(t, reader.Close())
	e = r.events.Only(t, event.GetArtifact, event.Canceled)
	assert.Equal(t, int64(2), e.Bytes)

	r.events.Reset()
	reader, err = r.Get(ctx, "c", "k", engine.GetOptions{})
	require.NoError(t, err)
	gone := errors.New("client is gone")
	_, err = reader.WriteTo(failingWriter{gone})
	require.ErrorIs(t, err, gone)
	require.NoError(t, reader.Close())
	e = r.events.Only(t, event.GetArtifact, event.Canceled)
	require.ErrorIs(t, e.Err, gone)
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestALoopThatIsLeftEarlyRecordsItsEvent(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	r.put(t, "a", "")
	r.put(t, "b", "")
	r.events.Reset()
	for range r.List(t.Context(), "c", engine.ListOptions{}) {
		break
	}
	r.events.Only(t, event.ListArtifacts, event.OK)
	r.events.Reset()
	require.Panics(t, func() {
		for range r.List(t.Context(), "c", engine.ListOptions{}) {
			panic("in the loop")
		}
	})
	r.events.Only(t, event.ListArtifacts, event.Canceled)
}

func TestASinkCannotFailAnOperation(t *testing.T) {
	t.Parallel()
	var seen []event.Event
	r := newRig(t,
		engine.WithSink(event.SinkFunc(func(context.Context, event.Event) { panic("sink") })),
		engine.WithSink(event.SinkFunc(func(ctx context.Context, e event.Event) {
			assert.NoError(t, ctx.Err(), "a sink's context is not cancelled with the operation")
			seen = append(seen, e)
		})),
	)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.CreateContainer(ctx, "c", engine.CreateContainerOptions{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = r.CreateContainer(t.Context(), "c", engine.CreateContainerOptions{})
	require.NoError(t, err)
	require.Len(t, seen, 2, "the sink behind the one that panics")
}

func TestAPanicOfAResolverIsAnError(t *testing.T) {
	t.Parallel()
	r := newRig(t, engine.WithResolver(tenant.ResolverFunc(func(context.Context) (tenant.ID, error) { panic("resolver") })))
	for name, call := range oneCall {
		switch name {
		case "Close", "Refuse", "Reclaim", "Scrub", "ReleaseOrphans", "Backup": // they ask nobody for a tenant
			continue
		}
		require.ErrorContains(t, call(t.Context(), r.Engine), "panic: resolver", name)
	}
}
