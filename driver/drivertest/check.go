package drivertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vaultaire/vaultaire/driver"
)

// A tb is what a case needs of a *testing.T.
type tb interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// A check is one run of one case on one driver. Its methods end the case when
// something fails, so they are for the case's own goroutine only.
type check struct {
	tb       tb
	ctx      context.Context
	contract string
	harness  Harness
	patience time.Duration
	names    *names
	d        driver.Driver
}

// failf ends the case.
func (c *check) failf(format string, args ...any) {
	c.tb.Helper()
	c.tb.Fatalf("%s\ncontract: %s", fmt.Sprintf(format, args...), c.contract)
}

func (c *check) noError(err error, format string, args ...any) {
	c.tb.Helper()
	if err != nil {
		c.failf("%s: got error: %v", fmt.Sprintf(format, args...), err)
	}
}

func (c *check) errorIs(err, want error, format string, args ...any) {
	c.tb.Helper()
	if !errors.Is(err, want) {
		c.failf("%s: got error %v, want one that matches %q", fmt.Sprintf(format, args...), err, want)
	}
}

func (c *check) open() {
	c.tb.Helper()
	d, err := c.harness.Open(c.ctx)
	c.noError(err, "open the driver")
	c.use(d)
}

// use makes d the driver under test, and has it closed at the end.
func (c *check) use(d driver.Driver) {
	c.d = d
	c.tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), c.patience)
		defer cancel()
		_ = d.Close(ctx)
	})
}

// reopen closes the driver and opens it again, or skips the rest of the case
// if the driver keeps nothing.
func (c *check) reopen() {
	c.tb.Helper()
	if c.harness.Reopen == nil {
		c.tb.Skipf("the driver keeps nothing beyond Close")
	}
	c.noError(c.d.Close(c.ctx), "close")
	d, err := c.harness.Reopen(c.ctx)
	c.noError(err, "reopen the driver")
	c.use(d)
}

// names makes names for Put that are unique for ever.
type names struct {
	run  string
	last atomic.Int64
}

func newNames() *names { return &names{run: rand.Text()} }

func (n *names) next() string { return fmt.Sprintf("drivertest/%s/%d", n.run, n.last.Add(1)) }

// putFrom puts what src yields.
func (c *check) putFrom(src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
	return c.d.Put(c.ctx, c.names.next(), src, opts)
}

// put puts p, which must succeed.
func (c *check) put(p content) driver.Ref {
	c.tb.Helper()
	ref, err := c.putFrom(p.reader(), driver.PutOptions{Size: -1})
	c.noError(err, "put %v", p)
	return ref
}

// putMany puts n small blobs.
func (c *check) putMany(n int) map[driver.Ref]content {
	c.tb.Helper()
	blobs := make(map[driver.Ref]content)
	for i := range n {
		p := content{seed: uint64(i), size: int64(100 + i)}
		ref := c.put(p)
		if _, ok := blobs[ref]; ok {
			c.failf("two puts returned the ref %q", ref)
		}
		blobs[ref] = p
	}
	return blobs
}

// read reads n bytes of a blob from off, as a caller would.
func read(ctx context.Context, d driver.Driver, ref driver.Ref, off, n int64) ([]byte, error) {
	r, err := d.Open(ctx, ref, off, n)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

// holds checks that ref reads back as p, from the first byte to the last.
func (c *check) holds(ref driver.Ref, p content) {
	c.tb.Helper()
	got, err := read(c.ctx, c.d, ref, 0, -1)
	c.noError(err, "read %q, which is %v", ref, p)
	c.same(got, p.bytes(), fmt.Sprintf("read %q, which is %v", ref, p))
}

func (c *check) same(got, want []byte, what string) {
	c.tb.Helper()
	if len(got) != len(want) {
		c.failf("%s: got %d bytes, want %d", what, len(got), len(want))
	}
	if !bytes.Equal(got, want) {
		i := 0
		for got[i] == want[i] {
			i++
		}
		c.failf("%s: byte %d is %#02x, want %#02x", what, i, got[i], want[i])
	}
}

// gone checks that there is no blob with the ref.
func (c *check) gone(ref driver.Ref) {
	c.tb.Helper()
	got, err := read(c.ctx, c.d, ref, 0, -1)
	if err == nil {
		c.failf("read %q, which must not exist: got %d bytes", ref, len(got))
	}
	c.errorIs(err, errNotFound, "read %q, which must not exist", ref)
}

// list returns what List yields, which must not fail.
func (c *check) list(after driver.Ref) []driver.Blob {
	c.tb.Helper()
	var blobs []driver.Blob
	for b, err := range c.d.List(c.ctx, after) {
		c.noError(err, "list after %q", after)
		blobs = append(blobs, b)
	}
	return blobs
}

func refsOf(blobs []driver.Blob) []driver.Ref {
	refs := make([]driver.Ref, 0, len(blobs))
	for _, b := range blobs {
		refs = append(refs, b.Ref)
	}
	return refs
}

// listIs checks that List yields just these refs, in this order.
func (c *check) listIs(after driver.Ref, want []driver.Ref) {
	c.tb.Helper()
	got := refsOf(c.list(after))
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		c.failf("list after %q: refs differ (-want +got):\n%s", after, diff)
	}
}

// failsWithoutTrace checks that a Put of src fails and leaves no blob.
func (c *check) failsWithoutTrace(ctx context.Context, src io.Reader, opts driver.PutOptions, what string) error {
	c.tb.Helper()
	before := refsOf(c.list(""))
	ref, err := c.d.Put(ctx, c.names.next(), src, opts)
	if err == nil {
		c.failf("put of %s: got ref %q, want an error", what, ref)
	}
	c.listIs("", before)
	return err
}

// prompt runs fn, which must not block, and returns its error.
func (c *check) prompt(what string, fn func() error) error {
	c.tb.Helper()
	done := make(chan error, 1)
	go func() { done <- fn() }()
	select {
	case err := <-done:
		return err
	case <-time.After(c.patience):
		c.failf("%s: still not done after %v", what, c.patience)
		return nil
	}
}
