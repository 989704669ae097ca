package durability

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver/local"
)

// TestAKilledProcessLosesNothingAcknowledged kills a process that uses an engine,
// after a random number of answers, again and again over the same directory. What
// the next engine finds must be explained, as a last reading, by a linear order
// of all calls that changed something, of which those without an answer may have
// had their effect or not. So it is in each mode of syncing, for the bytes are
// with the operating system before any answer.
//
// Only what changes something is acknowledged by its answer: a call that reads, or
// is refused, may have seen a change whose own answer the kill prevented.
func TestAKilledProcessLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	seed := newSeed(t)
	for _, mode := range syncModes() {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			k := newKillRun(t, seed+hash(mode), mode)
			kills := times(100, 5000) / len(syncModes())
			for i := range kills {
				require.NoError(t, k.round(t, false), "kill %d", i)
			}
			t.Logf("kills: %d, answered: %d, unanswered: %d, lost: 0", kills, k.answered, k.unanswered)
		})
	}
}

// What is lost must not pass for safe.
func TestAnAnswerBeforeTheDeedIsFound(t *testing.T) {
	t.Parallel()
	k := newKillRun(t, newSeed(t), local.SyncNone.String())
	const enough = 100 // kills
	for i := range enough {
		if err := k.round(t, true); err != nil {
			t.Logf("found after %d kills: %.60q", i+1, err)
			return
		}
	}
	t.Fatalf("not found with %d kills", enough)
}

// syncModes returns the names of all of local's.
func syncModes() (modes []string) {
	for m := local.SyncMode(0); !strings.HasPrefix(m.String(), "SyncMode("); m++ {
		modes = append(modes, m.String())
	}
	return modes
}

// A killRun is a directory and what is known to be in it.
type killRun struct {
	rng    *rand.Rand
	load   load
	states [loadContainers]linearState // what was found after the last kill

	answered, unanswered int
}

func newKillRun(t *testing.T, seed uint64, mode string) *killRun {
	k := &killRun{rng: newRand(seed, 0), load: load{Dir: t.TempDir(), Mode: mode, Seed: seed}}
	eng, err := openOnDisk(t.Context(), k.load.Dir, mode)
	require.NoError(t, err)
	for i := range loadContainers {
		_ = newEngineTarget(t, eng, i)
	}
	require.NoError(t, eng.Close(t.Context()))
	return k
}

// round runs a child under load, kills it and looks at what it left.
func (k *killRun) round(t *testing.T, lies bool) error {
	k.load.Round++
	k.load.Lies = lies
	child, from, to := newChild(t, "load", k.load)
	defer from.Close()
	var stderr bytes.Buffer
	child.Stderr = &stderr
	require.NoError(t, child.Start())
	require.NoError(t, to.Close())
	lines := bufio.NewScanner(from)
	protocol := newProtocol()
	// Now and then at once: whether it had opened the engine, nobody knows.
	for n := k.rng.IntN(300) - 30; n > 0 && lines.Scan(); n-- {
		require.NoError(t, protocol.hear(lines.Text()))
	}
	_ = child.Process.Kill() // unless it has failed
	for lines.Scan() {
		require.NoError(t, protocol.hear(lines.Text()))
	}
	require.NoError(t, lines.Err())
	require.ErrorContains(t, child.Wait(), "signal: killed", "the child says:\n%s", &stderr)
	k.answered += protocol.answered
	k.unanswered += len(protocol.open)
	return k.verify(t, protocol)
}

// verify opens the engine and has the checker explain what is there.
func (k *killRun) verify(t *testing.T, protocol *protocol) error {
	ctx := t.Context()
	eng, err := openOnDisk(ctx, k.load.Dir, k.load.Mode)
	if err != nil {
		return err
	}
	defer func() { require.NoError(t, eng.Close(ctx)) }()
	for i := range loadContainers {
		target := engineTarget{eng, loadName(i)}
		found, err := target.readEverything(ctx)
		if err != nil {
			return err
		}
		history := protocol.history(i, found)
		model := linearModel()
		before := k.states[i]
		model.Init = func() any { return before }
		if !porcupine.CheckOperations(model, history) {
			return fmt.Errorf("container %d held %v, and holds %v, which is not explained by\n%s", i, before, found, describeHistory(history))
		}
		k.states[i] = found
	}
	if k.rng.IntN(4) > 0 {
		return nil
	}
	_, err = eng.Reclaim(ctx)
	return err
}

// readEverything reads every artifact, and finds the same in the listing.
func (e engineTarget) readEverything(ctx context.Context) (state linearState, err error) {
	for key := range state {
		answer, err := e.do(ctx, linearCall{kind: callGet, key: key}, unharmed)
		if err != nil {
			return state, err
		}
		state[key] = answer.value
	}
	listed, err := e.list(ctx)
	if err == nil && listed != state {
		err = fmt.Errorf("the listing shows %v, and there is %v", listed, state)
	}
	return state, err
}

// A protocol is what a child has said: a line when it begins a call, and one when
// it has the answer. What it wrote in that order happened in that order.
type protocol struct {
	clock    int64
	open     map[int]porcupine.Operation
	ended    [loadContainers][]porcupine.Operation
	places   map[int]int // containers of the calls
	answered int
}

func newProtocol() *protocol {
	return &protocol{open: map[int]porcupine.Operation{}, places: map[int]int{}}
}

func (p *protocol) hear(line string) error {
	p.clock++
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "call":
		var id, place int
		var call linearCall
		if _, err := fmt.Sscan(rest, &id, &place, &call.kind, &call.key, &call.value,
			&call.cond.match, &call.cond.matchAny, &call.cond.absentOnly); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		p.open[id] = porcupine.Operation{Input: call, Call: p.clock}
		p.places[id] = place
	case "answer":
		var id, value int
		var result string
		if _, err := fmt.Sscanf(rest, "%d %d %q", &id, &value, &result); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		op := p.open[id]
		delete(p.open, id)
		op.Output, op.Return = linearAnswer{result: linearResult(result), value: value}, p.clock
		if call := op.Input.(linearCall); call.kind != callGet && linearResult(result) == resultDone {
			p.ended[p.places[id]] = append(p.ended[p.places[id]], op)
		}
		p.answered++
	default:
		return fmt.Errorf("the child says %q", line)
	}
	return nil
}

// history returns the calls on a container, with a last reading of its state.
func (p *protocol) history(place int, found linearState) []porcupine.Operation {
	history := p.ended[place]
	for id, op := range p.open {
		if p.places[id] == place && op.Input.(linearCall).kind != callGet {
			op.Output, op.Return = linearAnswer{result: resultUnknown}, math.MaxInt64
			history = append(history, op)
		}
	}
	for key, value := range found {
		answer := linearAnswer{result: resultDone, value: value}
		if value == 0 {
			answer.result = resultAbsent
		}
		history = append(history, porcupine.Operation{
			Input: linearCall{kind: callGet, key: key}, Call: p.clock + 1, Output: answer, Return: p.clock + 2,
		})
	}
	return history
}
