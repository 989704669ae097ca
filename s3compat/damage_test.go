package s3compat_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/s3compat"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4/sigv4test"
)

// A damagedDriver keeps blobs, of which only the first bytes can be read.
type damagedDriver struct {
	under    driver.Driver
	readable int64
	panics   bool
	full     bool
}

func (d *damagedDriver) Put(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
	if d.full {
		return "", container.ErrNoSpace
	}
	return d.under.Put(ctx, name, src, opts)
}

func (d *damagedDriver) Open(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
	if d.panics {
		panic("boom")
	}
	body, err := d.under.Open(ctx, ref, off, n)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(body, d.readable), iotest.ErrReader(container.ErrCorrupt)), body}, nil
}

func (d *damagedDriver) Delete(ctx context.Context, ref driver.Ref) error {
	return d.under.Delete(ctx, ref)
}

func (d *damagedDriver) List(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
	return d.under.List(ctx, after)
}

func (d *damagedDriver) Close(ctx context.Context) error { return d.under.Close(ctx) }

func TestDamageIsAnErrorAndNeverWrongBytes(t *testing.T) {
	t.Parallel()
	d := &damagedDriver{under: memory.New()}
	s := serveOver(t, d, func(s3 http.Handler) (http.Handler, string) { return s3, "" }).withBucket(t)
	data := strings.Repeat("x", 1<<20)
	s.do(t, "PUT", "/bucket/k", data).want(t, 200, "")
	s.events.Reset()

	res := s.do(t, "GET", "/bucket/k", "")
	res.want(t, 500, "InternalError")
	assert.Empty(t, res.header.Get("ETag"), "headers of the object on an error")
	s.wantEvent(t, event.GetArtifact, event.Failed)

	d.readable = 1 << 19
	r := s.request(t, "GET", "/bucket/k", "")
	s.signer.Sign(r, sigv4test.Sum(""))
	answer, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "the client must notice")
	assert.Less(t, len(body), len(data))

	d.panics = true
	s.events.Reset()
	res = s.do(t, "GET", "/bucket/k", "")
	res.want(t, 500, "InternalError")
	assert.NotContains(t, res.body, "boom")
	s.wantEvent(t, event.GetArtifact, event.Failed)

	d.full = true
	res = s.do(t, "PUT", "/bucket/k", "y")
	res.want(t, 503, "ServiceUnavailable")
	assert.Equal(t, "1", res.header.Get("Retry-After"))
	s.wantEvent(t, event.PutArtifact, event.Failed)
}

// A brokenStore cannot write while it is broken, and calls once what is to
// happen before the next look.
type brokenStore struct {
	catalog.Store
	broken     atomic.Bool
	beforeView atomic.Pointer[func()]
}

func (s *brokenStore) View(ctx context.Context, fn func(context.Context, catalog.Reader) error) error {
	if call := s.beforeView.Swap(nil); call != nil {
		(*call)()
	}
	return s.Store.View(ctx, fn)
}

func (s *brokenStore) Update(ctx context.Context, fn func(context.Context, catalog.Txn) error) error {
	if s.broken.Load() {
		return errors.New("the disk is away")
	}
	return s.Store.Update(ctx, fn)
}

func TestAFailureOfOneDeletionOfManyIsLogged(t *testing.T) {
	t.Parallel()
	memoryStore, err := pebblestore.OpenMemory(t.Context())
	require.NoError(t, err)
	store := &brokenStore{Store: memoryStore}
	var logged bytes.Buffer
	s := serveStore(t, store, memory.New(), func(s3 http.Handler) (http.Handler, string) { return s3, "" },
		s3compat.WithLogger(slog.New(slog.NewTextHandler(&logged, nil)))).withBucket(t)
	s.do(t, "PUT", "/bucket/k", "x").want(t, 200, "")
	store.broken.Store(true)
	d := s.deleteObjects(t, "<Delete><Object><Key>k</Key></Object></Delete>")
	store.broken.Store(false)
	require.Len(t, d.Error, 1)
	assert.Equal(t, "InternalError", d.Error[0].Code)
	assert.Contains(t, logged.String(), "the disk is away")
}

func TestABucketThatGoesWhileItIsCreatedAgainIsAConflict(t *testing.T) {
	t.Parallel()
	memoryStore, err := pebblestore.OpenMemory(t.Context())
	require.NoError(t, err)
	store := &brokenStore{Store: memoryStore}
	s := serveStore(t, store, memory.New(), func(s3 http.Handler) (http.Handler, string) { return s3, "" }).withBucket(t)
	remove := func() { assert.NoError(t, s.engine.DeleteContainer(ctxOf(t, alice), "bucket")) }
	store.beforeView.Store(&remove) // CreateContainer does not look, it tries
	s.do(t, "PUT", "/bucket", "").want(t, 409, "OperationAborted")
	s.do(t, "PUT", "/bucket", "").want(t, 200, "")
}

func TestAClosedEngineIsUnavailable(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	require.NoError(t, s.engine.Close(t.Context()))
	s.do(t, "GET", "/bucket/k", "").want(t, 503, "ServiceUnavailable")
}
