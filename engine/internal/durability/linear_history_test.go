package durability

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// runHistory has clients make random calls at the same time. It returns those
// that had, or may have had, an effect or an answer.
func runHistory(t *testing.T, target linearTarget, rng *rand.Rand, number int) []porcupine.Operation {
	t.Helper()
	g := historyGenerator{
		target: target,
		keys:   1 + rng.IntN(linearKeys),
		lists:  rng.IntN(2) == 0,
		calls:  6 + rng.IntN(20),
	}
	clients := 2 + rng.IntN(9)
	if g.lists {
		clients = min(clients, 6) // for the checker, which cannot split such a history
	}
	var wait sync.WaitGroup
	for client := range clients {
		rng := newRand(rng.Uint64(), uint64(client))
		wait.Go(func() { g.client(t.Context(), client, rng) })
	}
	wait.Wait()
	require.NoError(t, errors.Join(g.failures...), "history %d", number)
	return g.history
}

// A historyGenerator is what the clients of a history share.
type historyGenerator struct {
	target linearTarget
	keys   int
	lists  bool
	calls  int // of each client

	clock  atomic.Int64 // orders the beginnings and ends of calls
	values atomic.Int64

	mu       sync.Mutex
	history  []porcupine.Operation
	failures []error
}

func (g *historyGenerator) client(ctx context.Context, client int, rng *rand.Rand) {
	var seen linearState // the client's guess, for If-Match
	for range g.calls {
		call, harm := g.randomCall(rng, seen)
		op := porcupine.Operation{ClientId: client, Input: call, Call: g.clock.Add(1)}
		answer, err := g.target.do(ctx, call, harm)
		op.Output, op.Return = answer, g.clock.Add(1)
		switch {
		case answer.result == resultUnknown:
			op.Return = math.MaxInt64
		case call.kind == callList:
			seen = answer.state
		case call.kind == callGet:
			seen[call.key] = answer.value
		case answer.result == resultDone:
			seen[call.key] = call.value
		}
		g.mu.Lock()
		if err != nil {
			g.failures = append(g.failures, fmt.Errorf("client %d: %w", client, err))
		}
		if answer.result != resultNothing {
			g.history = append(g.history, op)
		}
		g.mu.Unlock()
	}
}

func (g *historyGenerator) randomCall(rng *rand.Rand, seen linearState) (linearCall, sabotage) {
	call := linearCall{kind: callGet, key: rng.IntN(g.keys)}
	harm := unharmed
	switch p := rng.IntN(100); {
	case p < 40:
		call.kind, call.value = callPut, int(g.values.Add(1))
		if rng.IntN(12) == 0 {
			harm = sourceFails + sabotage(rng.IntN(2))
		}
	case p < 55:
		call.kind = callDelete
	case p < 65 && g.lists:
		return linearCall{kind: callList}, unharmed
	default:
		return call, unharmed
	}
	switch rng.IntN(5) {
	case 0:
		call.cond.match = seen[call.key]
	case 1:
		call.cond.matchAny = true
	case 2:
		call.cond.absentOnly = call.kind == callPut
	}
	return call, harm
}

func countUnknown(history []porcupine.Operation) (n int) {
	for _, op := range history {
		if op.Output.(linearAnswer).result == resultUnknown {
			n++
		}
	}
	return n
}
