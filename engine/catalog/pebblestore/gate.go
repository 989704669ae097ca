package pebblestore

import (
	"context"
	"fmt"
	"sync"

	"github.com/vaultaire/vaultaire/container"
)

// A gate counts the calls that run and, once shut, refuses new ones.
type gate struct {
	mu      sync.Mutex
	running int
	shut    bool
	empty   chan struct{} // closed when the gate is shut and nothing runs
}

func newGate() *gate { return &gate{empty: make(chan struct{})} }

// enter admits a call, which must leave when it ends, or refuses it.
func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return fmt.Errorf("pebblestore: %w", container.ErrClosed)
	}
	g.running++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	if g.shut && g.running == 0 {
		close(g.empty)
	}
}

// close shuts the gate and waits, until ctx ends, for the calls that run.
func (g *gate) close(ctx context.Context) error {
	g.shutNow()
	select {
	case <-g.empty:
		return nil
	default:
	}
	select {
	case <-g.empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("pebblestore: close: calls still run: %w", ctx.Err())
	}
}

func (g *gate) shutNow() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return
	}
	g.shut = true
	if g.running == 0 {
		close(g.empty)
	}
}
