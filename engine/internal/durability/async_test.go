package durability

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
	"github.com/vaultaire/vaultaire/engine"
)

// TestAPowerCutLeavesAnAsynchronousEngineWhole cuts the power of an engine whose
// driver syncs at intervals, before operations of either half, those of opening
// included. Each artifact is then exactly what some call made it that is not
// older than the last barrier that the suite knows of; and if all that was written
// is left, as when only the process has died, what the last call made it.
func TestAPowerCutLeavesAnAsynchronousEngineWhole(t *testing.T) {
	t.Parallel()
	s := &asyncSuite{seed: newSeed(t), budget: int64(times(2000, 200_000)), covered: newCoverage()}
	var wait sync.WaitGroup
	for n := range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			if err := s.world(t.Context(), uint64(n)); err != nil {
				s.failed.Store(true)
				t.Errorf("world %d: %v", n, err)
			}
		})
	}
	wait.Wait()
	t.Logf("crash states of asynchronous engines: %d, of which %d were older than the last calls", s.states.Load(), s.fellBack.Load())
	require.Positive(t, s.fellBack.Load())
	require.Subset(t, s.covered.seen, map[string]bool{tableName('u'): true, "large file": true, "segment record": true})
}

// An asyncSuite runs worlds until it has seen so many states.
type asyncSuite struct {
	seed     uint64
	budget   int64
	covered  *coverage
	states   atomic.Int64
	fellBack atomic.Int64
	failed   atomic.Bool
}

const (
	asyncContainer = "container"
	asyncKeys      = 6
	asyncActions   = 40 // in a life
	asyncSampled   = 12 // one in so many operations on the disk
)

// An asyncWorld is one disk, and what engines on it were told, one after the
// other.
type asyncWorld struct {
	suite *asyncSuite
	ctx   context.Context
	rng   *rand.Rand // of the one who acts
	disk  *crashfs.FS

	mu     sync.Mutex // also so that nothing is told while the power is cut
	names  map[crashName]*asyncHistory
	lossy  bool // the power was cut, and nobody has read what is left
	values *crashModel
	cuts   *rand.Rand // of the one who cuts the power
	wrong  error
}

// An asyncHistory is what a name has been.
type asyncHistory struct {
	values   []*crashValue // the last may be of calls that run
	returned int           // how many of them are of calls that have returned
	floor    int           // the first that a power cut may show
}

// world runs lives on one disk.
func (s *asyncSuite) world(ctx context.Context, n uint64) error {
	w := &asyncWorld{suite: s, ctx: ctx, rng: newRand(s.seed, 2*n), cuts: newRand(s.seed, 2*n+1), disk: crashfs.New(),
		names: make(map[crashName]*asyncHistory), values: newCrashModel()}
	e, err := openDisk(ctx, w.disk)
	if err != nil {
		return err
	}
	if _, err := e.CreateContainer(ctx, asyncContainer, engine.CreateContainerOptions{}); err != nil {
		return err
	}
	if err := e.closeAll(ctx); err != nil {
		return err
	}
	for s.states.Load() < s.budget && !s.failed.Load() {
		if err := w.live(); err != nil {
			return err
		}
	}
	return nil
}

// live opens an engine, acts, and ends: cleanly, by a kill, or by a power cut.
func (w *asyncWorld) live() error {
	w.disk.SetHook(w.hook)
	how := local.Options{Sync: local.SyncAsync, Interval: time.Duration(1+w.rng.IntN(20)) * time.Millisecond}
	e, err := openDiskAs(w.ctx, w.disk, how)
	if err != nil {
		return err
	}
	if err := w.settle(e); err != nil {
		return err
	}
	for range asyncActions {
		if err := errors.Join(w.act(e), w.failure()); err != nil {
			return err
		}
	}
	if err := errors.Join(w.suite.covered.lookInto(w.ctx, e.store), w.suite.covered.lookAt(w.ctx, e.blobs)); err != nil {
		return err
	}
	end := w.rng.IntN(3)
	if end == 0 {
		if err := e.closeAll(w.ctx); err != nil {
			return err
		}
		w.covered(func(h *asyncHistory) int { return h.returned })
		return nil
	}
	keep := []crashfs.Keep{crashfs.KeepAll, crashfs.KeepSome}[end-1]
	var after *crashfs.FS
	w.cut(keep, func(disk *crashfs.FS, _ crashView) { after = disk })
	w.disk.SetHook(nil)
	err = e.closeAll(w.ctx)
	w.disk, w.lossy = after, keep != crashfs.KeepAll
	return err
}

// settle reads what there is after the opening, which is what there will be.
func (w *asyncWorld) settle(e *diskEngine) error {
	var want crashView
	w.cut(crashfs.KeepAll, func(_ *crashfs.FS, view crashView) { want = view })
	found, err := (&diskCheck{ctx: w.ctx, engine: e, want: want}).readAll()
	if err != nil {
		return fmt.Errorf("opened again: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lossy = false
	for name := range w.names {
		w.names[name] = &asyncHistory{values: []*crashValue{found.acknowledged(name)}, returned: 1}
	}
	return nil
}

// hook is called ahead of each operation on the disk, and looks at some of the
// states that a power cut would leave now.
func (w *asyncWorld) hook(op crashfs.Op) error {
	if !op.Kind.Changes() || w.suite.states.Load() >= w.suite.budget {
		return nil
	}
	w.mu.Lock()
	look := w.cuts.IntN(asyncSampled) == 0
	keep := []crashfs.Keep{crashfs.KeepSome, crashfs.KeepSome, crashfs.KeepNone, crashfs.KeepAll}[w.cuts.IntN(4)]
	w.mu.Unlock()
	if !look {
		return nil
	}
	w.cut(keep, func(disk *crashfs.FS, want crashView) {
		looked := make(chan error)
		go func() { // on a stack of its own, see crashSuite.cut
			found, err := checkDisk(w.ctx, disk, want)
			w.suite.count(want, found)
			looked <- err
		}()
		if err := <-looked; err != nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.wrong = errors.Join(w.wrong, fmt.Errorf("after a power cut before %s that keeps %v: %w", op, keep, err))
		}
	})
	return nil
}

func (s *asyncSuite) count(want, found crashView) {
	s.states.Add(1)
	for name, values := range want {
		if name.key != "" && len(values) > 0 && found.acknowledged(name) != values[len(values)-1] {
			s.fellBack.Add(1)
			return
		}
	}
}

func (w *asyncWorld) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wrong
}

// cut calls f with a state that a power cut leaves now, and what may be there.
func (w *asyncWorld) cut(keep crashfs.Keep, f func(disk *crashfs.FS, view crashView)) {
	w.mu.Lock()
	view := crashView{crashName{asyncContainer, ""}: {aContainer}}
	for name, h := range w.names {
		first := h.floor
		if keep == crashfs.KeepAll && !w.lossy {
			first = max(first, h.returned-1) // only the process has died
		}
		view[name] = append([]*crashValue(nil), h.values[first:]...)
	}
	disk := w.disk.Crash(w.cuts, keep)
	w.mu.Unlock()
	f(disk, view)
}

// covered raises the floor of each history to the last of so many values.
func (w *asyncWorld) covered(values func(*asyncHistory) int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.names {
		h.floor = max(h.floor, values(h)-1)
	}
}

// act does one random thing.
func (w *asyncWorld) act(e *diskEngine) error {
	switch n := w.rng.IntN(100); {
	case n < 8:
		return w.reclaim(e)
	case n < 20:
		var wait sync.WaitGroup
		errs := make([]error, asyncKeys)
		for i := range asyncKeys {
			rng := newRand(w.rng.Uint64(), uint64(i))
			wait.Go(func() { errs[i] = w.change(e, i, rng) })
		}
		wait.Wait()
		return errors.Join(errs...)
	default:
		return w.change(e, w.rng.IntN(asyncKeys), w.rng)
	}
}

// reclaim raises a barrier: what had returned before is covered by it.
func (w *asyncWorld) reclaim(e *diskEngine) error {
	returned := make(map[*asyncHistory]int)
	w.covered(func(h *asyncHistory) int {
		returned[h] = h.returned
		return 0
	})
	if _, err := e.Reclaim(w.ctx); err != nil {
		return fmt.Errorf("reclaim: %w", err)
	}
	w.covered(func(h *asyncHistory) int { return returned[h] })
	return nil
}

// change puts or deletes the artifact of a key. One call at a time does.
func (w *asyncWorld) change(e *diskEngine, key int, rng *rand.Rand) error {
	name := crashName{asyncContainer, fmt.Sprint("key/", key)}
	var v *crashValue
	if rng.IntN(4) > 0 {
		size := rng.IntN(3000)
		if sizes := crashSizes(); rng.IntN(4) == 0 {
			size = sizes[rng.IntN(len(sizes))]
		}
		v = w.values.value(size)
	}
	w.mu.Lock()
	h := w.names[name]
	if h == nil {
		h = &asyncHistory{values: []*crashValue{nil}, returned: 1}
		w.names[name] = h
	}
	h.values = append(h.values, v)
	w.mu.Unlock()
	if err := asyncChange(w.ctx, e, name, v); err != nil {
		return fmt.Errorf("%v: %w", name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	h.returned = len(h.values)
	return nil
}

func asyncChange(ctx context.Context, e *diskEngine, name crashName, v *crashValue) error {
	if v == nil {
		err := e.Delete(ctx, name.container, name.key, engine.DeleteOptions{})
		if errors.Is(err, container.ErrArtifactNotFound) {
			return nil
		}
		return err
	}
	_, err := e.Put(ctx, name.container, name.key, bytes.NewReader(v.body), engine.PutOptions{
		Tag:      func(container.Digests) string { return v.tag() },
		Metadata: map[string]string{"id": v.tag()},
	})
	return err
}
