package durability

import (
	"bytes"
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

// TestOneOfManyConditionalPutsWins has every put past its early check before any
// of them commits.
func TestOneOfManyConditionalPutsWins(t *testing.T) {
	t.Parallel()
	const writers = 64
	rounds := times(500, 20_000)
	store, err := pebblestore.OpenMemory(t.Context())
	require.NoError(t, err)
	eng, err := engine.New(t.Context(), engine.WithCatalog(store), engine.WithDriver("main", memory.New()))
	require.NoError(t, err)
	closeEngine(t, eng)
	target := newEngineTarget(t, eng, 0)
	for round := range rounds {
		key := "k" + strconv.Itoa(round)
		var gate, wait sync.WaitGroup
		gate.Add(writers)
		winner := make(chan int, writers)
		failures := make(chan error, writers)
		for value := range writers {
			wait.Go(func() {
				src := &gatedReader{Reader: bytes.NewReader(linearBody(value)), gate: &gate}
				defer src.pass() // also if nobody read it
				_, err := eng.Put(t.Context(), target.name, key, src, engine.PutOptions{
					Condition: container.Condition{IfNoneMatch: []string{container.AnyTag}},
					Tag:       func(container.Digests) string { return linearTag(value) },
				})
				switch {
				case err == nil:
					winner <- value
				case !errors.Is(err, container.ErrPrecondition):
					failures <- err
				}
			})
		}
		wait.Wait()
		close(winner)
		close(failures)
		for err := range failures {
			require.NoError(t, err)
		}
		require.Len(t, winner, 1, "round %d", round)
		got, err := target.get(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, <-winner, got, "round %d", round)
	}
	t.Logf("rounds of %d writers with one winner: %d", writers, rounds)
}

// A gatedReader yields nothing before all of its kind were asked for something.
type gatedReader struct {
	*bytes.Reader
	gate   *sync.WaitGroup
	passed bool
}

func (r *gatedReader) pass() {
	if !r.passed {
		r.passed = true
		r.gate.Done()
	}
}

func (r *gatedReader) Read(p []byte) (int, error) {
	r.pass()
	r.gate.Wait()
	return r.Reader.Read(p)
}
