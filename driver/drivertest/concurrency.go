package drivertest

import (
	"bytes"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/vaultaire/vaultaire/driver"
)

const sentenceConcurrent = "Every method may be called concurrently with every other."

func concurrencyCases() []testCase {
	return []testCase{
		{"all methods may run at once", sentenceConcurrent, func(c *check) {
			var group errgroup.Group
			for worker := range 8 {
				group.Go(func() error { return c.work(uint64(worker)) })
			}
			c.noError(group.Wait(), "8 goroutines that put, read, list and delete")
		}},
		{"blobs put at once keep their own bytes", sentenceConcurrent, func(c *check) {
			const n = 32
			refs := make([]driver.Ref, n)
			var group errgroup.Group
			for i := range n {
				group.Go(func() (err error) {
					refs[i], err = c.putFrom(content{seed: uint64(i), size: 70_000}.reader(), driver.PutOptions{Size: -1})
					return err
				})
			}
			c.noError(group.Wait(), "%d puts at once", n)
			seen := make(map[driver.Ref]bool)
			for i, ref := range refs {
				if seen[ref] {
					c.failf("two puts at once returned the ref %q", ref)
				}
				seen[ref] = true
				c.holds(ref, content{seed: uint64(i), size: 70_000})
			}
		}},
		{"a Close meets every method", sentenceConcurrent, func(c *check) {
			ref := c.put(content{seed: 1, size: 100})
			stop := make(chan struct{})
			var group errgroup.Group
			for range 4 {
				group.Go(func() error {
					for {
						_, _ = c.putFrom(bytes.NewReader(make([]byte, 100)), driver.PutOptions{Size: 100})
						_, _ = read(c.ctx, c.d, ref, 0, -1)
						select {
						case <-stop:
							return nil
						default:
						}
					}
				})
			}
			err := c.prompt("close while others call", func() error { return c.d.Close(c.ctx) })
			close(stop)
			_ = group.Wait()
			c.noError(err, "close while others call")
			c.allClosed(ref)
		}},
	}
}

// work does a bit of everything with blobs of its own.
func (c *check) work(seed uint64) error {
	for i := range uint64(10) {
		p := content{seed: seed<<32 | i, size: int64(1000 + 13_000*i)}
		ref, err := c.putFrom(p.reader(), driver.PutOptions{Size: p.size})
		if err != nil {
			return fmt.Errorf("put: %w", err)
		}
		got, err := read(c.ctx, c.d, ref, 0, -1)
		if err != nil {
			return fmt.Errorf("read what was put: %w", err)
		}
		if !bytes.Equal(got, p.bytes()) {
			return fmt.Errorf("read %q, which is %v: wrong bytes", ref, p)
		}
		found := false
		for b, err := range c.d.List(c.ctx, "") {
			if err != nil {
				return fmt.Errorf("list: %w", err)
			}
			found = found || b.Ref == ref
		}
		if !found {
			return fmt.Errorf("list: %q is missing", ref)
		}
		if i%2 == 0 {
			if err := c.d.Delete(c.ctx, ref); err != nil {
				return fmt.Errorf("delete: %w", err)
			}
		}
	}
	return nil
}
