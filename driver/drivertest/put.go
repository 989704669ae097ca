package drivertest

import (
	"bytes"
	"fmt"
	"io"
	"runtime"

	"github.com/vaultaire/vaultaire/driver"
)

const (
	sentencePut      = "Put stores all that src yields and returns the ref to read it by."
	sentenceReadable = "A nil error means that the blob is durable, to the degree that the driver was opened with, and readable now, by every later Open."
	sentenceOnError  = "On any error, one of src or of a cancelled ctx included, nothing readable is left behind, or what is left behind is whole and shown by List."
	sentenceSize     = "If src yields another number without an error of its own, the Put fails."
)

// sizes are those at which drivers that work in blocks go wrong.
var sizes = []int64{0, 1, 2, 511, 512, 4095, 4096, 4097, 32<<10 - 1, 32 << 10, 64<<10 - 1, 64 << 10, 64<<10 + 1,
	128 << 10, 128<<10 + 1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 12345}

func putCases() []testCase {
	return []testCase{
		{"a blob of any size reads back as it was put", sentencePut, func(c *check) {
			blobs := make(map[driver.Ref]content)
			for i, size := range sizes {
				p := content{seed: uint64(i), size: size}
				blobs[c.put(p)] = p
			}
			for ref, p := range blobs {
				c.holds(ref, p)
			}
		}},
		{"an empty blob is a blob", "A [Driver] holds blobs: immutable strings of bytes, from none to terabytes.", func(c *check) {
			ref, err := c.putFrom(bytes.NewReader(nil), driver.PutOptions{Size: 0})
			c.noError(err, "put no bytes")
			c.holds(ref, content{})
			c.listIs("", []driver.Ref{ref})
		}},
		{"Put takes every kind of reader", sentencePut, func(c *check) {
			p := content{seed: 1, size: 200_000}
			ref, err := c.putFrom(oddReader(p.bytes()), driver.PutOptions{Size: p.size})
			c.noError(err, "put from a reader that yields little, nothing, and the last bytes with io.EOF")
			c.holds(ref, p)
		}},
		{"Put takes its options", "Size is the number of bytes that src will yield; -1 if unknown.", func(c *check) {
			p := content{seed: 1, size: 70_000}
			for _, opts := range []driver.PutOptions{{Size: -1}, {Size: p.size}, {Size: p.size, KeyScope: "scope/of keys"}} {
				ref, err := c.putFrom(p.reader(), opts)
				c.noError(err, "put with options %+v", opts)
				c.holds(ref, p)
			}
		}},
		{"equal bytes are blobs of their own", sentenceReadable, func(c *check) {
			p := content{seed: 1, size: 1000}
			first, second := c.put(p), c.put(p)
			if first == second {
				c.failf("two puts of equal bytes returned the same ref %q", first)
			}
			c.noError(c.d.Delete(c.ctx, first), "delete the first")
			c.gone(first)
			c.holds(second, p)
		}},
		{"a source that yields fewer bytes than promised fails the Put", sentenceSize, func(c *check) {
			for _, size := range []int64{0, 1, 1000, 64 << 10, 300_000} {
				p := content{seed: 1, size: size}
				_ = c.failsWithoutTrace(c.ctx, p.reader(), driver.PutOptions{Size: size + 1}, fmt.Sprintf("%v, promised as %d", p, size+1))
			}
		}},
		{"a source that yields more bytes than promised fails the Put", sentenceSize, func(c *check) {
			for _, size := range []int64{1, 1000, 64 << 10, 64<<10 + 1, 300_000} {
				p := content{seed: 1, size: size}
				_ = c.failsWithoutTrace(c.ctx, p.reader(), driver.PutOptions{Size: size - 1}, fmt.Sprintf("%v, promised as %d", p, size-1))
			}
		}},
		{"what was put is there after a reopen", sentenceReadable, func(c *check) {
			blobs := c.putMany(20)
			large := content{seed: 99, size: 3<<20 + 1}
			blobs[c.put(large)] = large
			deleted := c.put(content{seed: 100, size: 5})
			c.noError(c.d.Delete(c.ctx, deleted), "delete")
			before := refsOf(c.list(""))
			c.reopen()
			for ref, p := range blobs {
				c.holds(ref, p)
			}
			c.gone(deleted)
			c.listIs("", before)
		}},
		{"a large blob passes in bounded memory", "src is read once, in order, by one goroutine at a time, and never after Put has returned.", checkMemory},
	}
}

// checkMemory moves a blob in and out. What a driver allocates in all, freed
// or not, must stay below half of it.
func checkMemory(c *check) {
	if c.harness.InMemory {
		c.tb.Skipf("the driver keeps its blobs in memory")
	}
	p := content{seed: 1, size: 64 << 20}
	var ref driver.Ref
	c.bounded(p.size/2, "put "+p.String(), func() {
		var err error
		ref, err = c.putFrom(p.reader(), driver.PutOptions{Size: p.size})
		c.noError(err, "put %v", p)
	})
	c.bounded(p.size/2, "read "+p.String(), func() {
		r, err := c.d.Open(c.ctx, ref, 0, -1)
		c.noError(err, "open")
		defer r.Close()
		c.sameStream(r, p)
	})
}

func (c *check) bounded(limit int64, what string, fn func()) {
	c.tb.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(limit) {
		c.failf("%s: allocated %d bytes, want at most %d", what, n, limit)
	}
}

// sameStream checks that r yields p, holding little of either.
func (c *check) sameStream(r io.Reader, p content) {
	c.tb.Helper()
	got, want, expected := make([]byte, 32<<10), make([]byte, 32<<10), p.reader()
	for off := int64(0); off < p.size; {
		n := min(int64(len(got)), p.size-off)
		_, err := io.ReadFull(r, got[:n])
		c.noError(err, "read %v at %d", p, off)
		_, _ = io.ReadFull(expected, want[:n])
		c.same(got[:n], want[:n], fmt.Sprintf("%v from %d", p, off))
		off += n
	}
	if n, err := r.Read(got); n != 0 || err != io.EOF {
		c.failf("read %v at its end: got %d bytes and error %v, want io.EOF", p, n, err)
	}
}
