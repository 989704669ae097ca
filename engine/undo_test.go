package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/tenant"
)

// requireConsistent checks that usage is what a recount says, that listings show
// keys and nothing else, and that a Reclaim leaves one blob for each artifact and
// nothing that could be undone.
func (r *volatileRig) requireConsistent(t *testing.T, keys ...string) {
	t.Helper()
	var want catalog.Usage
	var listed []string
	for e, err := range r.List(t.Context(), "c", engine.ListOptions{}) {
		require.NoError(t, err)
		listed = append(listed, e.Artifact.Key)
		want.Artifacts++
		want.Bytes += e.Artifact.Size
	}
	require.ElementsMatch(t, keys, listed)
	usage, err := engine.CatalogOf(r.Engine).Scope(tenant.Default, tenant.Principal{}).Usage(t.Context(), "c")
	require.NoError(t, err)
	require.Equal(t, want, usage)
	report := r.reclaim(t)
	// Nobody can tell whose a damaged blob without a row is.
	require.EqualValues(t, len(keys), int64(countBlobs(t, r.d))-report.Foreign)
	require.Zero(t, countRows(t, r.store, 'u'))
}

func TestAnOverwriteThatLosesItsBytesDoesNotLoseTheOldValue(t *testing.T) {
	t.Parallel()
	for how := range fates {
		t.Run(fmt.Sprint("fate ", how), func(t *testing.T) {
			t.Parallel()
			r := newVolatileRig(t)
			before, err := r.Put(t.Context(), "c", "k", strings.NewReader("before, and longer"), engine.PutOptions{
				Metadata: map[string]string{"color": "blue"}, Digests: []container.Algorithm{container.MD5},
			})
			require.NoError(t, err)
			r.barrier(t)
			after := r.put(t, "k", "after")
			next := r.losing(t, how, "after").reopen(t)
			want, body := before, "before, and longer"
			if how == kept {
				want, body = after, "after"
			}
			require.Equal(t, body, next.state(t, "k"))
			got, err := next.Stat(t.Context(), "c", "k", engine.StatOptions{})
			require.NoError(t, err)
			require.Equal(t, want, got)
			next.requireConsistent(t, "k")
			require.Equal(t, body, next.state(t, "k"), "after a reclaim")
		})
	}
}

// A script is what happens to one key, word by word: the bodies of puts, "-" for a
// delete, "|" for a barrier.
func (r *volatileRig) play(t *testing.T, script string) {
	t.Helper()
	for _, word := range strings.Fields(script) {
		switch word {
		case "-":
			require.NoError(t, r.Delete(t.Context(), "c", "k", engine.DeleteOptions{}))
		case "|":
			r.barrier(t)
		default:
			r.put(t, "k", word)
		}
	}
}

func TestAKeyIsWhatItWasBeforeTheLostWrites(t *testing.T) {
	t.Parallel()
	const none = "(none)"
	for _, c := range []struct{ script, lost, want string }{
		{"one", "one", none},
		{"one two three", "three", "two"},
		{"one two three", "two three", "one"},
		{"one two three", "one two three", none},
		{"one two three", "two", "three"},
		{"one two three", "one", "three"},
		{"one two three", "one three", "two"},
		{"one | two three", "two three", "one"},
		{"one | two three", "one two three", "one"}, // it was flushed
		{"one two | three", "three", "two"},
		{"one two three |", "one two three", "three"},
		{"one | two -", "two", none},
		{"one two -", "one two", none},
		{"one | - two", "two", none},
		{"one - two", "one two", none},
		{"one | - two three", "three", "two"},
		{"one | two - three", "two three", none},
		{"one | two | - | three", "three", none},
		{"one | -", "", none},
		{"- one", "one", none},
	} {
		t.Run(strings.ReplaceAll(c.script, "|", "barrier")+", losing "+c.lost, func(t *testing.T) {
			t.Parallel()
			r := newVolatileRig(t)
			r.play(t, strings.TrimPrefix(c.script, "- "))
			left := r.losing(t, lost, strings.Fields(c.lost)...)
			next := left.reopen(t)
			require.Equal(t, c.want, next.state(t, "k"))
			var keys []string
			if c.want != none {
				keys = []string{"k"}
			}
			next.requireConsistent(t, keys...)
			// What was judged is not judged again, and new puts are as good as any.
			again := next.losing(t, lost, c.want).reopen(t)
			require.Equal(t, c.want, again.state(t, "k"))
			again.play(t, "new |")
			require.Equal(t, "new", again.losing(t, lost, "new").reopen(t).state(t, "k"))
		})
	}
}

func TestSequencesAreNotGivenAgain(t *testing.T) {
	t.Parallel()
	r := newVolatileRig(t)
	r.play(t, "one |")
	undone := r.put(t, "k", "two")
	back := engine.WithClock(func() time.Time { return time.Unix(1, 0) }) // a clock that stood still
	next := r.losing(t, lost, "two").reopen(t, back)
	require.Equal(t, "one", next.state(t, "k"))
	next.play(t, "three")
	v, err := engine.CatalogOf(next.Engine).Scope(tenant.Default, tenant.Principal{}).Stat(t.Context(), "c", "k")
	require.NoError(t, err)
	require.Greater(t, v.Sequence, uint64(undone.Modified.UnixNano()))
}

func TestAProcessThatIsKilledLosesNothing(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := newVolatileRig(t)
	r.play(t, "one | two three")
	r.put(t, "other", "new")
	next := r.kill(t, engine.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	require.Equal(t, "three", next.state(t, "k"))
	require.Equal(t, "new", next.state(t, "other"))
	require.Contains(t, log.String(), "checked=3 undone=0")
	// What was found there was flushed before it was called durable.
	last := next.losing(t, lost, "three", "new").reopen(t)
	require.Equal(t, "three", last.state(t, "k"))
	require.Equal(t, "new", last.state(t, "other"))
	last.requireConsistent(t, "k", "other")
}

func TestWhatIsUndoneIsLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := newVolatileRig(t)
	r.play(t, "one | two three")
	r.losing(t, lost, "two", "three").reopen(t, engine.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	require.Equal(t, 2, strings.Count(log.String(), "tenant=default container=c artifact=k"), log.String())
	require.Contains(t, log.String(), "checked=2 undone=2")
}

func TestADriverThatCannotBeAskedFailsTheOpening(t *testing.T) {
	t.Parallel()
	r := newVolatileRig(t)
	r.play(t, "one | two")
	for name, fail := range map[string]func(d *volatileDriver){
		"open fails":  func(d *volatileDriver) { d.open = func(driver.Ref) error { return errFault } },
		"open panics": func(d *volatileDriver) { d.open = func(driver.Ref) error { panic(errFault) } },
		"flush fails": func(d *volatileDriver) { d.flush = func() error { return errFault } },
	} {
		left := r.losing(t, lost, "two")
		d := &volatileDriver{disk: left.disk, interval: never}
		fail(d)
		store := openOn(t, left.fs)
		_, err := engine.New(t.Context(), engine.WithCatalog(store), engine.WithDriver("main", d))
		require.ErrorContains(t, err, errFault.Error(), name)
		require.NoError(t, store.Close(t.Context()))
		require.Equal(t, "one", left.reopen(t).state(t, "k"), "once it can be asked, after: %s", name)
	}
	t.Run("the driver is not there", func(t *testing.T) {
		left := r.losing(t, lost, "two")
		store := openOn(t, left.fs)
		_, err := engine.New(t.Context(), engine.WithCatalog(store), engine.WithDriver("another", memory.New()))
		require.ErrorContains(t, err, `no driver "main"`)
		require.NoError(t, store.Close(t.Context()))
		require.Equal(t, "one", left.reopen(t).state(t, "k"))
	})
}

// A countdownStore fails every Update after some.
type countdownStore struct {
	keepOpen
	left int
}

func (s *countdownStore) Update(ctx context.Context, fn func(context.Context, catalog.Txn) error) error {
	if s.left--; s.left < 0 {
		return errFault
	}
	return s.keepOpen.Update(ctx, fn)
}

func TestUndoingThatIsCutOffGoesOn(t *testing.T) {
	t.Parallel()
	r := newVolatileRig(t)
	r.play(t, "one | two three four")
	r.put(t, "other", "new")
	for updates := 0; ; updates++ {
		left := r.losing(t, lost, "two", "three", "four", "new")
		inner := openOn(t, left.fs)
		store := &countdownStore{keepOpen: keepOpen{inner}, left: updates}
		d := &volatileDriver{disk: left.disk, interval: never}
		eng, err := engine.New(t.Context(), engine.WithCatalog(store), engine.WithDriver("main", d))
		if err == nil {
			store.left = 1000
			require.NoError(t, eng.Close(t.Context()))
		} else {
			require.ErrorIs(t, err, errFault)
		}
		require.NoError(t, inner.Close(t.Context()))
		next := left.reopen(t)
		require.Equal(t, "one", next.state(t, "k"), "cut off after %d updates", updates)
		require.Equal(t, "(none)", next.state(t, "other"))
		next.requireConsistent(t, "k")
		if err == nil {
			require.Greater(t, updates, 5, "it takes an update for each that is undone")
			return
		}
	}
}

func TestWhatWasAsynchronousIsUndoneByAnEngineThatIsNot(t *testing.T) {
	t.Parallel()
	r := newVolatileRig(t)
	r.play(t, "one | two")
	left := r.losing(t, lost, "two")
	left.d.interval = 0
	next := left.reopen(t)
	require.Equal(t, "one", next.state(t, "k"))
	next.requireConsistent(t, "k")
	next.play(t, "three")
	next.requireConsistent(t, "k")
	require.NoError(t, next.Close(t.Context()))
	last := next.reopen(t) // and back
	last.d.interval = never
	last.play(t, "four")
	require.Equal(t, "four", last.kill(t).state(t, "k"))
}

// Epochs end also if their barriers fail. The next run begins behind all of them.
func TestBarriersThatFailedLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	r := newVolatileRig(t)
	r.play(t, "one |")
	r.d.flush = func() error { return errFault }
	for _, body := range []string{"two", "three", "four"} {
		r.play(t, body)
		require.ErrorIs(t, engine.RaiseBarrier(t.Context(), r.Engine), errFault)
	}
	next := r.losing(t, lost, "four").reopen(t)
	require.Zero(t, countRows(t, next.store, 'u'))
	require.Equal(t, "three", next.state(t, "k"))
	next.requireConsistent(t, "k")
	next.play(t, "five")
	require.Equal(t, "three", next.losing(t, lost, "five").reopen(t).state(t, "k"))
	next.requireConsistent(t, "k")
}

func TestACleanEndLeavesNothingToUndo(t *testing.T) {
	t.Parallel()
	r := newVolatileRig(t)
	r.play(t, "one | two")
	require.NoError(t, r.Close(t.Context()))
	var log bytes.Buffer
	next := r.losing(t, lost, "one", "two").reopen(t, engine.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	require.Equal(t, "two", next.state(t, "k"))
	require.NotContains(t, log.String(), "unclean")
}

func TestAnEndWithoutABarrierIsNotClean(t *testing.T) {
	t.Parallel()
	r := newVolatileRig(t)
	r.play(t, "one | two")
	r.d.flush = func() error { return errFault }
	require.ErrorIs(t, r.Close(t.Context()), errFault)
	left := r.losing(t, lost, "two")
	store := openOn(t, left.fs)
	cat, err := catalog.Open(t.Context(), store, time.Now)
	require.NoError(t, err)
	unclean, err := cat.Unclean(t.Context())
	require.NoError(t, err)
	require.Len(t, unclean, 1, "deletions may be undone too, which makes orphans")
	require.NoError(t, store.Close(t.Context()))
	next := left.reopen(t)
	require.Equal(t, "one", next.state(t, "k"))
	next.requireConsistent(t, "k")
}

func TestManyTenantsAndPagesAreUndone(t *testing.T) {
	t.Parallel()
	r := newVolatileRig(t)
	const keys = 250 // more than two pages
	for i := range keys {
		r.put(t, fmt.Sprint("k", i), fmt.Sprint("old ", i))
	}
	r.barrier(t)
	other := tenant.NewContext(t.Context(), "other")
	_, err := r.CreateContainer(other, "c", engine.CreateContainerOptions{})
	require.NoError(t, err)
	for i := range keys {
		r.put(t, fmt.Sprint("k", i), fmt.Sprint("new ", i))
		_, err := r.Put(other, "c", fmt.Sprint("k", i), strings.NewReader(fmt.Sprint("theirs ", i)), engine.PutOptions{})
		require.NoError(t, err)
	}
	next := r.losing(t, lost, "new 1", "theirs").reopen(t)
	var want []string
	for i := range keys {
		key, body := fmt.Sprint("k", i), fmt.Sprint("new ", i)
		if strings.HasPrefix(body, "new 1") {
			body = fmt.Sprint("old ", i)
		}
		require.Equal(t, body, next.state(t, key))
		want = append(want, key)
	}
	for range next.List(other, "c", engine.ListOptions{}) {
		assert.Fail(t, "another tenant's artifact")
	}
	require.NoError(t, next.DeleteContainer(tenant.NewContext(t.Context(), "other"), "c"))
	next.requireConsistent(t, want...)
}

func TestABarrierThatWasNotRaisedCoversNothing(t *testing.T) {
	t.Parallel()
	r := newVolatileRig(t)
	r.play(t, "one | two")
	r.d.flush = func() error { return errFault }
	require.ErrorIs(t, engine.RaiseBarrier(t.Context(), r.Engine), errFault)
	_, err := r.Reclaim(t.Context())
	require.ErrorIs(t, err, errFault)
	require.Equal(t, 2, r.blobs(t), "what was replaced stays")
	require.Equal(t, "one", r.losing(t, lost, "two").reopen(t).state(t, "k"))
	r.d.flush = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, engine.RaiseBarrier(ctx, r.Engine), context.Canceled)
	left, err := engine.CatalogOf(r.Engine).Undoable(t.Context(), nil, 10)
	require.NoError(t, err)
	require.Len(t, left, 1)
	r.barrier(t)
	r.requireConsistent(t, "k")
	require.Equal(t, "two", r.losing(t, lost, "two").reopen(t).state(t, "k"))
}
