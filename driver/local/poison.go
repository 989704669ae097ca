package local

import (
	"fmt"
	"sync"
)

// A poison remembers the first failure after which nobody knows what the disk
// holds. From then on nothing is written until the driver is opened again,
// which reads what is there.
type poison struct {
	mu     sync.Mutex
	failed error
}

// fail makes every later check fail because of err.
func (p *poison) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil {
		p.failed = err
	}
}

// check returns nil unless something has failed.
func (p *poison) check() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil {
		return fmt.Errorf("no more writes until the driver is opened again, because an earlier one failed: %w", p.failed)
	}
	return nil
}
