package engine_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
	"github.com/vaultaire/vaultaire/event/eventtest"
)

// A rig is an engine in memory, and what it is made of.
type rig struct {
	*engine.Engine
	store  catalog.Store
	driver driver.Driver
	events *eventtest.Recorder
}

// newRig opens an engine in memory.
func newRig(t *testing.T, opts ...engine.Option) *rig {
	t.Helper()
	store, err := pebblestore.OpenMemory(t.Context())
	require.NoError(t, err)
	return newRigOver(t, store, memory.New(), opts...)
}

// newRigOver opens an engine over store and d.
func newRigOver(t *testing.T, store catalog.Store, d driver.Driver, opts ...engine.Option) *rig {
	t.Helper()
	r := &rig{store: store, driver: d, events: new(eventtest.Recorder)}
	eng, err := engine.New(t.Context(), append([]engine.Option{
		engine.WithCatalog(store), engine.WithDriver("main", d), engine.WithSink(r.events),
	}, opts...)...)
	require.NoError(t, err)
	r.Engine = eng
	t.Cleanup(func() { _ = eng.Close(context.Background()) })
	return r
}

// withContainer makes the container "c".
func (r *rig) withContainer(t *testing.T) *rig {
	t.Helper()
	_, err := r.CreateContainer(t.Context(), "c", engine.CreateContainerOptions{})
	require.NoError(t, err)
	r.events.Reset()
	return r
}

func (r *rig) put(t *testing.T, key, body string) container.Artifact {
	t.Helper()
	a, err := r.Put(t.Context(), "c", key, strings.NewReader(body), engine.PutOptions{})
	require.NoError(t, err)
	return a
}

func (r *rig) get(t *testing.T, key string) string {
	t.Helper()
	body, err := r.read(t.Context(), key)
	require.NoError(t, err)
	return body
}

func (r *rig) read(ctx context.Context, key string) (string, error) {
	reader, err := r.Get(ctx, "c", key, engine.GetOptions{})
	if err != nil {
		return "", err
	}
	defer reader.Close()
	b, err := io.ReadAll(reader)
	return string(b), err
}

// blobs counts what the driver holds.
func (r *rig) blobs(t *testing.T) int {
	t.Helper()
	return countBlobs(t, r.driver)
}

func countBlobs(t *testing.T, d driver.Driver) int {
	t.Helper()
	n := 0
	for _, err := range d.List(context.Background(), "") {
		require.NoError(t, err)
		n++
	}
	return n
}

// reclaim frees what can be freed and returns the report.
func (r *rig) reclaim(t *testing.T) engine.ReclaimReport {
	t.Helper()
	report, err := r.Reclaim(context.Background())
	require.NoError(t, err)
	return report
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// randomBytes returns n bytes that depend on seed alone.
func randomBytes(seed uint64, n int) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	b := make([]byte, n)
	_, _ = io.ReadFull(rand.NewChaCha8(key), b)
	return b
}

// sameBytes compares without printing megabytes.
func sameBytes(t *testing.T, want, got []byte) {
	t.Helper()
	require.True(t, bytes.Equal(want, got), "%d bytes differ from the %d that were expected", len(got), len(want))
}
