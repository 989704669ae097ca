package local

import (
	"errors"
	"fmt"
	"sync"

	"github.com/vaultaire/vaultaire/container"
)

// A closing lets Close come from another goroutine than Read and WriteTo, as it
// does when a client goes away: what a reader holds is given back when nobody
// uses it. It is no lock, so a writer of the caller's may block for long.
type closing struct {
	mu     sync.Mutex
	busy   bool
	closed bool
}

var errBusy = errors.New("the reader is in use by another goroutine")

// enter begins a use of the reader.
func (c *closing) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return fmt.Errorf("the reader is %w", container.ErrClosed)
	case c.busy:
		return errBusy
	}
	c.busy = true
	return nil
}

// leave ends a use of the reader, which it gives back if it was closed
// meanwhile.
func (c *closing) leave(giveBack func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	if c.closed {
		_ = giveBack() // nothing was written
	}
}

// close gives the reader back, now or when its use ends.
func (c *closing) close(giveBack func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	if c.busy {
		return nil
	}
	return giveBack()
}
