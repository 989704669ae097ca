package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

// TestAPowerCutAnywhereLeavesEachKeyAValueOfItsHistory lives many short lives,
// each over what the one before it left behind. A life ends in a power cut at a
// random event on a disk, in a kill, or cleanly; opening is a part of life.
func TestAPowerCutAnywhereLeavesEachKeyAValueOfItsHistory(t *testing.T) {
	t.Parallel()
	for _, writers := range []int{1, 4} {
		for seed := range uint64(powerCutWorlds) {
			t.Run(fmt.Sprintf("%d writers, seed %d", writers, seed), func(t *testing.T) {
				t.Parallel()
				w := &world{t: t, rng: seeded(seed + 1000*uint64(writers)), writers: writers, keys: make(map[string]*history),
					fs: vfs.NewCrashableMem(), disk: newVolatileDisk()}
				cuts := powerCuts
				if raceEnabled {
					cuts /= 20
				}
				for w.cuts < cuts {
					w.live()
				}
				t.Logf("%d power cuts, %d of them while opening; %d kills; %d keys fell back", w.cuts, w.early, w.kills, w.fellBack)
				require.Positive(t, w.fellBack)
			})
		}
	}
}

const (
	powerCutWorlds = 4
	powerCuts      = 250 // in each world
	absent         = "(none)"
)

// A history is what a key has been since the last time that everything was known.
type history struct {
	values   []string // the last may not have been acknowledged
	returned int      // how many of them were
	floor    int      // the first that a power cut may show
}

// A world is disks and what should be on them.
type world struct {
	t       *testing.T
	rng     *rand.Rand // not for the writers
	writers int
	fs      *vfs.MemFS
	disk    *volatileDisk

	mu   sync.Mutex // guards keys
	keys map[string]*history

	killed                       bool // was the last engine
	cuts, early, kills, fellBack int
	bodies                       atomic.Int64
}

// A life is one run of an engine.
type life struct {
	*world
	eng   *engine.Engine
	store catalog.Store
	left  atomic.Int64 // events until the power is cut
	cut   atomic.Bool
	once  sync.Once
	rng   *rand.Rand
	fates *rand.Rand // for who cuts the power

	fsAfter   *vfs.MemFS // what the power cut leaves
	diskAfter *volatileDisk
	allowed   map[string]history
}

// happens is called ahead of each event on a disk.
func (l *life) happens() {
	if l.left.Add(-1) == 0 {
		l.cutPower()
	}
}

func (l *life) cutPower() {
	l.once.Do(func() {
		l.disk.power.Lock() // so that both disks are cut at one instant
		defer l.disk.power.Unlock()
		l.mu.Lock()
		l.allowed = make(map[string]history, len(l.keys))
		for key, h := range l.keys {
			l.allowed[key] = history{values: slices.Clone(h.values), floor: h.floor}
		}
		l.mu.Unlock()
		l.fsAfter = l.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 25 * l.fates.IntN(5), RNG: l.fates})
		// Asynchronous bytes may all be there, be gone, or be there in part.
		share := l.fates.IntN(3)
		l.diskAfter = l.disk.afterPowerCut(func(*volatileBlob) fate {
			if share == 0 || share == 1 && l.fates.IntN(2) == 0 {
				return kept
			}
			return fate(l.fates.IntN(int(fates)))
		}, func() bool { return l.fates.IntN(2) == 0 })
		l.cut.Store(true)
	})
}

// live opens an engine, looks whether all is right, works, and ends somehow.
func (w *world) live() {
	l := &life{world: w, rng: seeded(w.rng.Uint64()), fates: seeded(w.rng.Uint64())}
	l.left.Store(1 + w.rng.Int64N(250))
	end := w.rng.IntN(8)
	if end < 2 {
		l.left.Store(1 << 40) // no power cut
	}
	store, err := pebblestore.Open(w.t.Context(), "/catalog", pebblestore.Options{FS: hookedFS(w.fs, l.happens)})
	require.NoError(w.t, err)
	eng, err := engine.New(w.t.Context(), engine.WithCatalog(store),
		engine.WithDriver("main", &volatileDriver{disk: w.disk, interval: never, event: l.happens}))
	require.NoError(w.t, err)
	l.eng, l.store = eng, store
	if l.cut.Load() {
		w.early++
	} else {
		if w.killed { // and what was left has been looked at since, and flushed
			w.covered()
		}
		l.check()
		l.work()
	}
	w.killed = false
	switch {
	case end == 0 && !l.cut.Load():
		require.NoError(w.t, eng.Close(w.t.Context()))
		w.covered()
		return
	case end == 1 && !l.cut.Load():
		w.kills++
		left := (&volatileRig{fs: w.fs, disk: w.disk}).remains(w.t)
		_ = eng.Close(context.Background())
		w.fs, w.disk = left.fs, left.disk
		w.killed = true
		return
	}
	l.cutPower() // if it was not yet
	_ = eng.Close(context.Background())
	w.cuts++
	w.fs, w.disk = l.fsAfter, l.diskAfter
	for key, h := range l.allowed {
		w.keys[key] = &h
	}
}

// covered notes that no power cut takes what was acknowledged.
func (w *world) covered() {
	for _, h := range w.keys {
		h.floor = len(h.values) - 1
	}
}

// check compares what there is with the histories, which begin anew with it.
func (l *life) check() {
	t, ctx := l.t, l.t.Context()
	if _, err := l.eng.CreateContainer(ctx, "c", engine.CreateContainerOptions{}); err != nil {
		require.ErrorIs(t, err, container.ErrExists)
	}
	r := &volatileRig{rig: &rig{Engine: l.eng, store: l.store}, d: &volatileDriver{disk: l.disk}}
	var present []string
	l.mu.Lock()
	for key, h := range l.keys {
		got := r.state(t, key)
		i := len(h.values) - 1
		for i >= 0 && h.values[i] != got {
			i--
		}
		require.GreaterOrEqual(t, i, h.floor, "key %s is %.20q; its history from %d on: %.20q", key, got, h.floor, h.values)
		if i < len(h.values)-1 {
			l.fellBack++
		}
		l.keys[key] = &history{values: []string{got}, returned: 1}
		if got != absent {
			present = append(present, key)
		}
	}
	l.mu.Unlock()
	if l.rng.IntN(3) == 0 && !l.cut.Load() {
		r.requireConsistent(t, present...)
		for _, key := range present { // nothing was freed that is needed
			require.Equal(t, l.keys[key].values[0], r.state(t, key))
		}
	}
}

// work changes keys until there was enough of it or the power is cut. Each
// writer has keys of its own.
func (l *life) work() {
	var wg sync.WaitGroup
	for w := range l.writers {
		rng := seeded(l.rng.Uint64())
		wg.Go(func() {
			for range 12 {
				if l.cut.Load() {
					return
				}
				l.act(fmt.Sprintf("writer %d, key %d", w, rng.IntN(3)), rng)
			}
		})
	}
	wg.Wait()
}

func (l *life) act(key string, rng *rand.Rand) {
	ctx := l.t.Context()
	switch p := rng.IntN(100); {
	case p < 70:
		body := fmt.Sprintf("%d of %s ", l.bodies.Add(1), key)
		body += strings.Repeat(body, rng.IntN(100))
		l.change(key, body, func() error {
			_, err := l.eng.Put(ctx, "c", key, strings.NewReader(body), engine.PutOptions{})
			return err
		})
	case p < 85:
		l.change(key, absent, func() error {
			err := l.eng.Delete(ctx, "c", key, engine.DeleteOptions{})
			if errors.Is(err, container.ErrArtifactNotFound) {
				err = nil
			}
			return err
		})
	case p < 97:
		l.cover(func() error { return engine.RaiseBarrier(ctx, l.eng) })
	default:
		l.cover(func() error { _, err := l.eng.Reclaim(ctx); return err })
	}
}

// change makes key value.
func (l *life) change(key, value string, change func() error) {
	l.mu.Lock()
	h := l.keys[key]
	if h == nil {
		h = &history{values: []string{absent}, returned: 1}
		l.keys[key] = h
	}
	h.values = append(h.values, value)
	l.mu.Unlock()
	if err := change(); err != nil {
		l.t.Errorf("key %s: %v", key, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h.returned = len(h.values)
}

// cover raises the floor of all that has returned before barrier is called.
func (l *life) cover(barrier func() error) {
	returned := make(map[*history]int)
	l.mu.Lock()
	for _, h := range l.keys {
		returned[h] = h.returned
	}
	l.mu.Unlock()
	if err := barrier(); err != nil {
		l.t.Error(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for h, n := range returned {
		h.floor = max(h.floor, n-1)
	}
}

// hookedFS calls hook ahead of each operation that changes fs.
func hookedFS(fs vfs.FS, hook func()) vfs.FS {
	return reusingFS{errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose {
			hook()
		}
		return nil
	}))}
}

// A reusingFS hooks files that are written again, which errorfs does not.
type reusingFS struct{ vfs.FS }

func (fs reusingFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.Rename(oldname, newname); err != nil {
		return nil, err
	}
	return fs.OpenReadWrite(newname, category)
}
