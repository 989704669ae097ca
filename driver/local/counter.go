package local

import "sync"

// A counter mints numbers, each higher than all before.
type counter struct {
	mu   sync.Mutex
	last uint64
}

func (c *counter) mint() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	return c.last
}

// raise says that number was minted before.
func (c *counter) raise(number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, number)
}

func (c *counter) highest() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}
