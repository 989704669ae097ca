package durability

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

// A load is what a child does until it is killed.
type load struct {
	Dir   string
	Mode  string // of syncing
	Seed  uint64
	Round int
	Lies  bool // it answers some puts before it makes them
}

const (
	loadContainers = 4
	loadClients    = 3 // of each container
)

func loadName(container int) string { return "history-" + strconv.Itoa(container) }

// openOnDisk opens an engine with both halves in a directory.
func openOnDisk(ctx context.Context, dir, mode string) (*engine.Engine, error) {
	var opts local.Options
	if err := opts.Sync.UnmarshalText([]byte(mode)); err != nil {
		return nil, err
	}
	store, err := pebblestore.Open(ctx, filepath.Join(dir, "catalog"), pebblestore.Options{})
	if err != nil {
		return nil, err
	}
	blobs, err := local.Open(ctx, filepath.Join(dir, "blobs"), opts)
	if err != nil {
		return nil, errors.Join(err, store.Close(ctx))
	}
	eng, err := engine.New(ctx, engine.WithCatalog(store), engine.WithDriver("main", blobs))
	if err != nil {
		return nil, errors.Join(err, blobs.Close(ctx), store.Close(ctx))
	}
	return eng, nil
}

// loadChild makes random calls of every kind, and says each call before it makes
// it and each answer when it has it. Its end is to be killed.
func loadChild(ctx context.Context, argument []byte, out *os.File) error {
	var l load
	if err := json.Unmarshal(argument, &l); err != nil {
		return err
	}
	eng, err := openOnDisk(ctx, l.Dir, l.Mode)
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	var ids atomic.Int64
	var generators [loadContainers]historyGenerator
	for i := range loadContainers {
		g := &generators[i]
		g.target = announcer{engineTarget{eng, loadName(i)}, out, &ids, i, l.Lies}
		g.keys, g.calls = linearKeys, math.MaxInt
		g.values.Store(int64(l.Round) << 20) // no two rounds put the same
		for client := range loadClients {
			rng := newRand(l.Seed+uint64(l.Round), uint64(i*loadClients+client))
			wait.Go(func() { g.client(ctx, client, rng) })
		}
	}
	if l.Round%2 == 0 {
		for { // bytes are freed while others come
			if _, err := eng.Reclaim(ctx); err != nil {
				return fmt.Errorf("reclaim: %w", err)
			}
		}
	}
	wait.Wait()
	return errors.New("the load has ended by itself")
}

// An announcer says what is done to its target.
type announcer struct {
	linearTarget
	out   io.Writer
	ids   *atomic.Int64
	place int
	lies  bool
}

func (a announcer) do(ctx context.Context, call linearCall, harm sabotage) (linearAnswer, error) {
	id := a.ids.Add(1)
	// Each line is one write, and shorter than what a pipe takes in one piece.
	a.say("call %d %d %s %d %d %d %t %t", id, a.place, call.kind, call.key, call.value,
		call.cond.match, call.cond.matchAny, call.cond.absentOnly)
	early := a.lies && call.kind == callPut && call.cond == (linearCondition{}) && harm == unharmed
	if early {
		a.say("answer %d %d %q", id, 0, resultDone)
	}
	answer, err := a.linearTarget.do(ctx, call, harm)
	if err != nil {
		a.say("failure %v", err)
	}
	if !early {
		a.say("answer %d %d %q", id, answer.value, answer.result)
	}
	return answer, err
}

func (a announcer) say(format string, args ...any) {
	if _, err := fmt.Fprintf(a.out, format+"\n", args...); err != nil {
		panic(err) // without its parent, which kills it
	}
}
