package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/tenant"
)

func (r *rig) scrub(t *testing.T) engine.ScrubReport {
	t.Helper()
	report, err := r.Scrub(t.Context(), engine.ScrubOptions{})
	require.NoError(t, err)
	return report
}

func TestAScrubReadsEverythingOfEverybody(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	require.Zero(t, r.scrub(t))
	var size int64
	for i, n := range []int{0, 1, 4096, 300_000} {
		r.put(t, fmt.Sprint(i), string(randomBytes(uint64(i), n)))
		size += int64(n)
	}
	ctx := tenant.WithPrincipal(tenant.NewContext(t.Context(), "acme"), tenant.Principal{ID: "ann"})
	_, err := r.CreateContainer(ctx, "hers", engine.CreateContainerOptions{})
	require.NoError(t, err)
	_, err = r.Put(ctx, "hers", "k", strings.NewReader("body"), engine.PutOptions{})
	require.NoError(t, err)
	report := r.scrub(t)
	require.Equal(t, int64(5), report.Artifacts)
	require.Greater(t, report.Bytes, size+4, "the trailers count")
	report.Artifacts, report.Bytes = 0, 0
	require.Zero(t, report)
}

// newDamagedRig is a rig over a driver whose blobs yield what change makes of them.
func newDamagedRig(t *testing.T, change func(b []byte) ([]byte, error)) *rig {
	r, d := newHookedRig(t)
	d.open = func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
		body, err := d.inner.Open(ctx, ref, off, n)
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(body)
		if err != nil {
			return nil, err
		}
		b, err = change(b)
		return io.NopCloser(bytes.NewReader(b)), err
	}
	return r
}

func TestAScrubNamesWhatIsDamaged(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(b []byte) ([]byte, error){
		"a changed byte":            func(b []byte) ([]byte, error) { b[3] ^= 1; return b, nil },
		"a changed trailer":         func(b []byte) ([]byte, error) { b[len(b)-15] ^= 1; return b, nil },
		"a byte less":               func(b []byte) ([]byte, error) { return b[1:], nil },
		"a byte less at the end":    func(b []byte) ([]byte, error) { return b[:len(b)-1], nil },
		"nothing":                   func(b []byte) ([]byte, error) { return nil, nil },
		"no blob":                   func(b []byte) ([]byte, error) { return nil, container.ErrNotFound },
		"what the driver calls bad": func(b []byte) ([]byte, error) { return nil, container.ErrCorrupt },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newDamagedRig(t, change)
			a := r.put(t, "k", "body")
			r.events.Reset()
			report := r.scrub(t)
			require.Equal(t, int64(1), report.Damaged)
			require.Len(t, report.Damage, 1)
			d := report.Damage[0]
			require.ErrorIs(t, d.Err, container.ErrCorrupt)
			require.NotErrorIs(t, d.Err, container.ErrNotFound)
			d.Err = nil
			require.Equal(t, engine.Damage{
				Tenant: tenant.Default, Container: "c", Artifact: "k", Version: a.Version, Driver: "main",
			}, d)
			events := r.events.Events()
			require.Len(t, events, 2)
			e := events[0]
			require.Equal(t, event.DamagedArtifact, e.Op)
			require.Equal(t, event.Failed, e.Outcome)
			require.ErrorIs(t, e.Err, container.ErrCorrupt)
			require.ErrorContains(t, e.Err, `"main"`)
			require.Equal(t, d, engine.Damage{
				Tenant: e.Tenant, Container: e.Container, Artifact: e.Artifact, Version: e.Version, Driver: e.Driver,
			})
			require.Equal(t, event.Scrub, events[1].Op)
			require.Equal(t, event.OK, events[1].Outcome)
		})
	}
}

func TestAScrubNamesACatalogThatContradictsItself(t *testing.T) {
	t.Parallel()
	store, main, other := keepOpen{mustMemory(t)}, memory.New(), memory.New()
	r := newRigOver(t, store, keepDriver{main}).withContainer(t)
	r.put(t, "k", "body")
	r.put(t, "lost", "body")
	first := firstBlob(t, main)
	require.NoError(t, r.Close(t.Context()))
	good, bad := copyBlob(t, main, other, first), driver.Ref("0000000000000000-0000000000000000")

	cat, err := catalog.Open(t.Context(), store, time.Now)
	require.NoError(t, err)
	scope := cat.Scope(tenant.Default, tenant.Principal{})
	v, content, err := scope.Get(t.Context(), "c", "k")
	require.NoError(t, err)
	content.Replicas = []catalog.Replica{{Driver: "main", Ref: first}, {Driver: "other", Ref: good}}
	for key, more := range map[string]int64{"k1 two copies": 0, "k5 another size": 1} {
		v := v
		v.Size += more
		_, _, err := scope.Put(t.Context(), "c", key, container.Condition{}, v, content)
		require.NoError(t, err)
	}
	for key, replicas := range map[string][]catalog.Replica{
		"k2 one copy gone":     {{Driver: "main", Ref: first}, {Driver: "other", Ref: bad}},
		"k3 an unknown driver": {{Driver: "third", Ref: first}},
		"k4 no copy":           {},
	} {
		v, content := v, content
		v.Content = cat.NewContentID() // and so the blob is another's
		content.Replicas = replicas
		_, _, err := scope.Put(t.Context(), "c", key, container.Condition{}, v, content)
		require.NoError(t, err)
	}
	lost, _, err := scope.Get(t.Context(), "c", "lost")
	require.NoError(t, err)
	require.NoError(t, cat.Forget(t.Context(), []catalog.Condemned{{Tenant: tenant.Default, ID: lost.Content}}))

	r = newRigOver(t, store, keepDriver{main}, engine.WithDriver("other", keepDriver{other}))
	var found []string
	report := r.scrub(t)
	for _, d := range report.Damage {
		require.ErrorIs(t, d.Err, container.ErrCorrupt)
		found = append(found, d.Artifact+" on "+d.Driver)
	}
	require.Equal(t, []string{
		"k2 one copy gone on main", "k2 one copy gone on other", "k3 an unknown driver on third", "k4 no copy on ",
		"k5 another size on main", "k5 another size on other", "lost on ",
	}, found)
	require.Equal(t, int64(6), report.Artifacts, "without the one whose content is lost")
}

func TestWhatIsDeletedDuringAScrubIsNotDamage(t *testing.T) {
	t.Parallel()
	r, d := newHookedRig(t)
	for _, key := range []string{"a", "b", "c"} {
		r.put(t, key, strings.Repeat(key, 200_000))
	}
	opened := 0
	d.open = func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
		body, err := d.inner.Open(ctx, ref, off, n)
		if off > 0 || n >= 0 {
			return body, err // a sweep looks at the trailer
		}
		if opened++; opened == 1 {
			require.NoError(t, r.Delete(ctx, "c", "a", engine.DeleteOptions{}))
			require.NoError(t, r.Delete(ctx, "c", "b", engine.DeleteOptions{}))
			r.put(t, "c", "anew")
			r.reclaim(t)
			require.Equal(t, 2, countBlobs(t, d), "the new one, and the one that is read")
		}
		return body, err
	}
	report := r.scrub(t)
	require.Zero(t, report.Damaged)
	require.Equal(t, int64(1), report.Artifacts, "the others are not those that the scrub met")
	r.reclaim(t)
	require.Equal(t, 1, countBlobs(t, d))
}

func TestADriverThatCannotBeReachedIsNotDamage(t *testing.T) {
	t.Parallel()
	r, d := newHookedRig(t)
	const n = 150
	for i := range n {
		r.put(t, fmt.Sprint(i), "x")
	}
	reached := 60
	d.open = func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
		if reached--; reached < 0 {
			return nil, fmt.Errorf("%w: %w", errFault, container.ErrDenied)
		}
		return d.inner.Open(ctx, ref, off, n)
	}
	report, err := r.Scrub(t.Context(), engine.ScrubOptions{})
	require.ErrorIs(t, err, errFault)
	require.NotErrorIs(t, err, container.ErrDenied)
	require.Equal(t, engine.ScrubReport{Artifacts: n, Bytes: report.Bytes, Unread: 90}, report)
	report, err = r.Scrub(t.Context(), engine.ScrubOptions{})
	require.ErrorContains(t, err, "gave up")
	require.Equal(t, int64(100), report.Artifacts)
}

func TestAScrubGoesOnWhereOneWasCutOff(t *testing.T) {
	t.Parallel()
	r, d := newHookedRig(t)
	const n = 450
	for i := range n {
		r.put(t, fmt.Sprint(i), "x")
	}
	ctx, cancel := context.WithCancel(t.Context())
	var read atomic.Int64
	d.open = func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
		if read.Add(1) == 250 {
			cancel()
		}
		return d.inner.Open(ctx, ref, off, n)
	}
	report, err := r.Scrub(ctx, engine.ScrubOptions{})
	require.ErrorIs(t, err, context.Canceled)
	require.NotEmpty(t, report.Next)
	rest, err := r.Scrub(t.Context(), engine.ScrubOptions{Resume: report.Next})
	require.NoError(t, err)
	require.Empty(t, rest.Next)
	require.Equal(t, int64(250), report.Artifacts)
	require.Equal(t, int64(n-200), rest.Artifacts, "a page is read again")
	_, err = r.Scrub(t.Context(), engine.ScrubOptions{Resume: "strange"})
	require.ErrorIs(t, err, container.ErrInvalid)
}

func TestAReportNamesABoundedNumberOfDamages(t *testing.T) {
	t.Parallel()
	r := newDamagedRig(t, func([]byte) ([]byte, error) { return nil, container.ErrCorrupt })
	const n = 1005
	for i := range n {
		r.put(t, fmt.Sprint(i), "x")
	}
	r.events.Reset()
	report := r.scrub(t)
	require.Equal(t, int64(n), report.Damaged)
	require.Len(t, report.Damage, 1000)
	require.Len(t, r.events.Events(), n+1)
}

func TestAScrubKeepsThePaceOfTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRigOver(t, mustMemoryOwned(t), memory.New(), engine.WithBackgroundRate(100_000)).withContainer(t)
		r.put(t, "large", strings.Repeat("x", 1_000_000))
		start := time.Now()
		r.scrub(t)
		assert.InDelta(t, 10, time.Since(start).Seconds(), 0.2)
		require.NoError(t, r.Delete(t.Context(), "c", "large", engine.DeleteOptions{}))
		for i := range 100 {
			r.put(t, fmt.Sprint(i), "x")
		}
		start = time.Now()
		r.scrub(t)
		assert.InDelta(t, 100*4096/100_000., time.Since(start).Seconds(), 0.2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := r.Scrub(ctx, engine.ScrubOptions{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestAScrubAmongMovesAndChangesFindsNoDamage(t *testing.T) {
	t.Parallel()
	d := newPackingDriver()
	d.lazy = true
	r := newRigOver(t, mustMemoryOwned(t), d).withContainer(t)
	var done atomic.Bool
	var group errgroup.Group
	for key := range 10 {
		group.Go(func() error {
			for i := 0; !done.Load(); i++ {
				_, err := r.Put(t.Context(), "c", fmt.Sprint(key), strings.NewReader(strings.Repeat("x", 10_000*i%99_999)), engine.PutOptions{})
				if err != nil {
					return err
				}
				if i%3 == 0 {
					if err := r.Delete(t.Context(), "c", fmt.Sprint(key), engine.DeleteOptions{}); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		for !done.Load() {
			d.scatter(t)
			if _, err := r.Reclaim(t.Context()); err != nil {
				return err
			}
		}
		return nil
	})
	for range 20 {
		report := r.scrub(t)
		assert.Zero(t, report.Damaged, report.Damage)
	}
	done.Store(true)
	require.NoError(t, group.Wait())
}
