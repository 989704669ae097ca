package driver

import (
	"context"
	"sync"

	"github.com/vaultaire/vaultaire/container"
)

// A Gate gives a driver, or whatever else is closed while others use it, the
// part of the contract that concerns Close: after it each method returns
// ErrClosed, and Close waits for calls that run.
//
//	func (d *Driver) Delete(ctx context.Context, ref Ref) error {
//		if err := d.gate.Enter(); err != nil {
//			return err
//		}
//		defer d.gate.Leave()
//		...
//
// Its zero value is open. It may be used concurrently. It is not a lock: calls
// that are inside do not wait for each other, so a source may block for long.
type Gate struct {
	mu      sync.Mutex
	running int
	closed  bool
	idle    chan struct{} // made by the first Close; closed when nothing runs
}

// Enter counts a call in. It returns container.ErrClosed once Close was called.
func (g *Gate) Enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return container.ErrClosed
	}
	g.running++
	return nil
}

// Leave counts a call out. It follows each Enter that returned nil.
func (g *Gate) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	if g.closed && g.running == 0 {
		close(g.idle)
	}
}

// Close turns further calls away and waits for those inside. If ctx ends
// first it returns the context's error; the gate stays closed, and Close may
// be called again to wait on.
func (g *Gate) Close(ctx context.Context) error {
	idle := g.shut()
	select {
	case <-idle:
		return nil
	default:
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *Gate) shut() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.closed = true
		g.idle = make(chan struct{})
		if g.running == 0 {
			close(g.idle)
		}
	}
	return g.idle
}
