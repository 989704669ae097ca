// Package memory is a [driver.Driver] that keeps blobs in RAM, for tests.
// Nothing survives Close. It has no bound but the machine's memory.
//
//	registry.Open(ctx, "memory", nil)
package memory

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

// A Driver keeps blobs in RAM. Use [New].
type Driver struct {
	gate     driver.Gate
	identity string

	mu    sync.RWMutex
	blobs map[driver.Ref]*blob
	order []driver.Ref // the keys of blobs, ascending
	next  uint64
}

// A blob never changes once it is in a Driver.
type blob struct {
	chunks  [][]byte
	size    int64
	created time.Time
}

var (
	_ driver.Driver     = (*Driver)(nil)
	_ driver.Identifier = (*Driver)(nil)
	_ driver.OpenFunc   = OpenConfig
)

// New returns a driver that holds nothing.
func New() *Driver {
	return &Driver{identity: randomHex(16), blobs: make(map[driver.Ref]*blob)}
}

// OpenConfig is New as a driver.OpenFunc. It accepts no keys.
func OpenConfig(_ context.Context, _ *driver.Registry, config map[string]any) (driver.Driver, error) {
	if err := driver.Decode(config, driver.Fields{}); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	return New(), nil
}

// Put implements driver.Driver.
func (d *Driver) Put(ctx context.Context, _ string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
	if err := d.gate.Enter(); err != nil {
		return "", fmt.Errorf("memory: put: %w", err)
	}
	defer d.gate.Leave()
	b, err := readBlob(driver.NewSource(ctx, src, opts.Size))
	if err != nil {
		return "", fmt.Errorf("memory: put: %w", err)
	}
	return d.publish(b), nil
}

// publish gives b a ref: a number for the order of List, and a nonce so that
// no other Driver, now or in another process, mints the same.
func (d *Driver) publish(b *blob) driver.Ref {
	d.mu.Lock()
	defer d.mu.Unlock()
	ref := driver.Ref(fmt.Sprintf("%016x-%s", d.next, randomHex(8)))
	d.next++
	d.blobs[ref] = b
	d.order = append(d.order, ref)
	return ref
}

// Delete implements driver.Driver.
func (d *Driver) Delete(_ context.Context, ref driver.Ref) error {
	if err := d.gate.Enter(); err != nil {
		return fmt.Errorf("memory: delete %q: %w", ref, err)
	}
	defer d.gate.Leave()
	d.mu.Lock()
	defer d.mu.Unlock()
	if i, ok := slices.BinarySearch(d.order, ref); ok {
		d.order = slices.Delete(d.order, i, i+1)
		delete(d.blobs, ref)
	}
	return nil
}

// List implements driver.Driver. It yields the blobs in the order in which
// they were put.
func (d *Driver) List(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
	return func(yield func(driver.Blob, error) bool) {
		after := after // each range over the iterator begins anew
		for {
			b, err := d.following(ctx, after)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(driver.Blob{}, fmt.Errorf("memory: list: %w", err))
				return
			}
			if !yield(b, nil) {
				return
			}
			after = b.Ref
		}
	}
}

// following returns the first blob behind after, or io.EOF. Each step takes
// the lock anew, because yield is the caller's code.
func (d *Driver) following(ctx context.Context, after driver.Ref) (driver.Blob, error) {
	if err := d.gate.Enter(); err != nil {
		return driver.Blob{}, err
	}
	defer d.gate.Leave()
	if err := ctx.Err(); err != nil {
		return driver.Blob{}, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	i, found := slices.BinarySearch(d.order, after)
	if found {
		i++
	}
	if i == len(d.order) {
		return driver.Blob{}, io.EOF
	}
	ref := d.order[i]
	b := d.blobs[ref]
	return driver.Blob{Ref: ref, Size: b.size, Created: b.created}, nil
}

// Identity implements driver.Identifier. Each Driver has its own.
func (d *Driver) Identity(context.Context) (string, error) {
	if err := d.gate.Enter(); err != nil {
		return "", fmt.Errorf("memory: identity: %w", err)
	}
	defer d.gate.Leave()
	return d.identity, nil
}

// Close implements driver.Driver. Readers that are open go on.
func (d *Driver) Close(ctx context.Context) error {
	if err := d.gate.Close(ctx); err != nil {
		return fmt.Errorf("memory: close: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.blobs, d.order = nil, nil
	return nil
}

// lookup returns the blob with the ref.
func (d *Driver) lookup(ref driver.Ref) (*blob, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	b, ok := d.blobs[ref]
	if !ok {
		return nil, container.ErrNotFound
	}
	return b, nil
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b)
}
