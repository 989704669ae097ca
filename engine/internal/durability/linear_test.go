package durability

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

// TestConcurrentCallsAreLinearizable lets clients work on a few keys at the same
// time, and has a checker look for an order of all calls, one after the other and
// each between its beginning and its end, that explains every answer.
func TestConcurrentCallsAreLinearizable(t *testing.T) {
	t.Parallel()
	seed := newSeed(t)
	for _, rig := range []struct {
		name      string
		histories int
		driver    func(t *testing.T) driver.Driver
		forgetful bool
	}{
		{"in memory", times(120, 6000), inMemory, false},
		{"on disk", times(40, 2000), onDisk, false},
		{"when outcomes are unknown", times(40, 2000), inMemory, true},
	} {
		t.Run(rig.name, func(t *testing.T) {
			t.Parallel()
			store, err := pebblestore.OpenMemory(t.Context())
			require.NoError(t, err)
			forgetful := &forgetfulStore{Store: store, rng: newRand(seed, 1)}
			eng, err := engine.New(t.Context(), engine.WithCatalog(forgetful), engine.WithDriver("main", rig.driver(t)))
			require.NoError(t, err)
			closeEngine(t, eng)
			calls, unknown := 0, 0
			for i := range rig.histories {
				target := newEngineTarget(t, eng, i)
				forgetful.armed.Store(rig.forgetful)
				history := runHistory(t, target, newRand(seed, hash(rig.name)+uint64(i)), i)
				forgetful.armed.Store(false)
				calls += len(history)
				unknown += countUnknown(history)
				if result := porcupine.CheckOperationsTimeout(linearModel(), history, 5*time.Minute); result != porcupine.Ok {
					t.Fatalf("history %d: the checker says %q\n%s", i, result, describeHistory(history))
				}
			}
			t.Logf("linearizable histories: %d, calls: %d, of unknown outcome: %d", rig.histories, calls, unknown)
			require.True(t, !rig.forgetful || unknown > 0 || racing)
		})
	}
}

// What is not linearizable must not pass.
func TestTheCheckerFindsWhatIsNotLinearizable(t *testing.T) {
	t.Parallel()
	seed := newSeed(t)
	for name, spoil := range map[string]func(linearTarget) linearTarget{
		"reads from a cache":         func(inner linearTarget) linearTarget { return newStaleTarget(inner, seed) },
		"conditions checked early":   func(inner linearTarget) linearTarget { return earlyTarget{inner} },
		"deletes that are forgotten": func(inner linearTarget) linearTarget { return lossyTarget{inner} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, err := pebblestore.OpenMemory(t.Context())
			require.NoError(t, err)
			eng, err := engine.New(t.Context(), engine.WithCatalog(store), engine.WithDriver("main", memory.New()))
			require.NoError(t, err)
			closeEngine(t, eng)
			const enough = 500 // histories
			for i := range enough {
				history := runHistory(t, spoil(newEngineTarget(t, eng, i)), newRand(seed, uint64(i)), i)
				if !porcupine.CheckOperations(linearModel(), history) {
					t.Logf("found in history %d", i)
					return
				}
			}
			t.Fatalf("not found in %d histories", enough)
		})
	}
}

// A lossyTarget is wrong: every delete that depends on nothing is acknowledged
// and not done.
type lossyTarget struct{ linearTarget }

func (l lossyTarget) do(ctx context.Context, call linearCall, harm sabotage) (linearAnswer, error) {
	if call.kind != callDelete || call.cond != (linearCondition{}) {
		return l.linearTarget.do(ctx, call, harm)
	}
	answer, err := l.linearTarget.do(ctx, linearCall{kind: callGet, key: call.key}, unharmed)
	return linearAnswer{result: answer.result}, err
}

func inMemory(*testing.T) driver.Driver { return memory.New() }

func onDisk(t *testing.T) driver.Driver {
	d, err := local.Open(t.Context(), t.TempDir(), local.Options{Sync: local.SyncNone})
	require.NoError(t, err)
	return d
}

// newEngineTarget makes a container for a history of its own.
func newEngineTarget(t *testing.T, eng *engine.Engine, i int) engineTarget {
	target := engineTarget{eng, "history-" + strconv.Itoa(i)}
	_, err := eng.CreateContainer(t.Context(), target.name, engine.CreateContainerOptions{})
	require.NoError(t, err)
	return target
}

// A forgetfulStore sometimes does not know whether it has committed, while it is
// armed.
type forgetfulStore struct {
	catalog.Store
	armed atomic.Bool
	mu    sync.Mutex
	rng   *rand.Rand
}

func (s *forgetfulStore) Update(ctx context.Context, fn func(context.Context, catalog.Txn) error) error {
	if !s.armed.Load() {
		return s.Store.Update(ctx, fn)
	}
	s.mu.Lock()
	forgets, loses := s.rng.IntN(25) == 0, s.rng.IntN(2) == 0
	s.mu.Unlock()
	err := s.Store.Update(ctx, func(ctx context.Context, t catalog.Txn) error {
		if err := fn(ctx, t); err != nil {
			return err
		}
		if forgets && loses {
			return errSabotage
		}
		return nil
	})
	if forgets && (err == nil || errors.Is(err, errSabotage)) {
		return catalog.ErrUnknownOutcome
	}
	return err
}
