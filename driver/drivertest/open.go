package drivertest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/vaultaire/vaultaire/driver"
)

const (
	sentenceOpen  = "Open reads n bytes of the blob from offset off; n < 0 means to the end."
	sentenceRange = "It returns, or the reader does, ErrNotFound if there is no blob with the ref, " +
		"ErrRange if off < 0 or off+n lies beyond the end (reading 0 bytes at the end is fine), " +
		"and ErrCorrupt if the bytes are not those that were put; no wrong byte is ever returned before it."
	sentenceReader = "A reader that is open when its blob is deleted or the driver is closed either goes on or fails; it never yields wrong bytes."
)

func openCases() []testCase {
	return []testCase{
		{"Open reads just the range that is asked for", sentenceOpen, checkRanges},
		{"a range beyond the end is ErrRange", sentenceRange, func(c *check) {
			for _, size := range []int64{0, 1, 1000, 64 << 10, 200_000} {
				ref := c.put(content{seed: 1, size: size})
				for _, r := range [][2]int64{
					{-1, 0}, {-1, 1}, {-1, -1}, {math.MinInt64, -1}, {math.MinInt64, math.MaxInt64},
					{0, size + 1}, {size, 1}, {size / 2, size - size/2 + 1}, {size + 1, 0}, {size + 1, 1}, {size + 1, -1},
					{0, math.MaxInt64}, {1, math.MaxInt64}, {math.MaxInt64, 0}, {math.MaxInt64, math.MaxInt64}, {math.MaxInt64, -1},
				} {
					got, err := read(c.ctx, c.d, ref, r[0], r[1])
					if err == nil {
						c.failf("read %d bytes from %d of %d: got %d bytes, want ErrRange", r[1], r[0], size, len(got))
					}
					c.errorIs(err, errRange, "read %d bytes from %d of %d", r[1], r[0], size)
				}
			}
		}},
		{"a ref that was never minted is not found, whatever it looks like", sentenceRange, func(c *check) {
			ref := c.put(content{seed: 1, size: 1000})
			for _, strange := range strangeRefs(ref) {
				c.gone(strange)
			}
		}},
		{"bytes that are not those that were put are ErrCorrupt", sentenceRange, func(c *check) {
			if c.harness.Damage == nil {
				c.tb.Skipf("the harness cannot damage a blob")
			}
			p := content{seed: 1, size: 300_000}
			ref := c.put(p)
			c.noError(c.harness.Damage(c.ctx, ref), "damage the blob")
			got, err := read(c.ctx, c.d, ref, 0, -1)
			c.errorIs(err, errCorrupt, "read a damaged blob")
			want, err := io.ReadAll(p.reader())
			c.noError(err, "make the content")
			if !bytes.HasPrefix(want, got) {
				c.failf("read a damaged blob: one of the %d bytes before the error is wrong", len(got))
			}
		}},
		{"the context of Open governs the reader", "ctx governs the reader until it is closed.", func(c *check) {
			p := content{seed: 1, size: 8 << 20}
			ref := c.put(p)
			ctx, cancel := context.WithCancel(c.ctx)
			defer cancel()
			r, err := c.d.Open(ctx, ref, 0, -1)
			c.noError(err, "open")
			defer r.Close()
			_, err = io.ReadFull(r, make([]byte, 1000))
			c.noError(err, "read the first bytes")
			cancel()
			n, err := io.Copy(io.Discard, r)
			if err == nil {
				c.failf("read %v after its context had ended: got all of the other %d bytes", p, n)
			}
			c.errorIs(err, context.Canceled, "read after the context had ended")
		}},
		{"readers of one blob do not disturb each other", sentenceOpen, func(c *check) {
			p := content{seed: 1, size: 200_000}
			ref := c.put(p)
			first, err := c.d.Open(c.ctx, ref, 0, -1)
			c.noError(err, "open")
			defer first.Close()
			second, err := c.d.Open(c.ctx, ref, 0, -1)
			c.noError(err, "open again")
			half := make([]byte, 100_000)
			_, err = io.ReadFull(first, half)
			c.noError(err, "read half of the first")
			_, err = io.ReadFull(second, make([]byte, 70_000))
			c.noError(err, "read some of the second")
			c.noError(second.Close(), "close the second")
			c.holds(ref, p)
			rest, err := io.ReadAll(first)
			c.noError(err, "read on in the first")
			c.same(append(half, rest...), p.bytes(), "the first reader")
		}},
		{"a reader whose blob is deleted goes on or fails", sentenceReader, func(c *check) {
			c.interrupted(func(ref driver.Ref) {
				c.noError(c.d.Delete(c.ctx, ref), "delete")
				c.putMany(10) // to whom the driver may give the room
			})
		}},
		{"a reader whose driver is closed goes on or fails", sentenceReader, func(c *check) {
			c.interrupted(func(driver.Ref) {
				c.noError(c.prompt("close with a reader open", func() error { return c.d.Close(c.ctx) }), "close")
			})
		}},
	}
}

func checkRanges(c *check) {
	const size = 200_000
	p := content{seed: 1, size: size}
	ref := c.put(p)
	all := p.bytes()
	offs := []int64{0, 1, 4095, 4096, 65535, 65536, 65537, 131071, 131072, 196608, size - 1, size}
	lengths := []int64{-1, math.MinInt64, 0, 1, 2, 4096, 65535, 65536, 65537, 131072, size}
	for _, off := range offs {
		for _, n := range lengths {
			if n > size-off {
				n = size - off
			}
			want := all[off:]
			if n >= 0 {
				want = want[:n]
			}
			what := fmt.Sprintf("read %d bytes from %d of %d", n, off, size)
			got, err := read(c.ctx, c.d, ref, off, n)
			c.noError(err, "%s", what)
			c.same(got, want, what)
		}
	}
	empty := c.put(content{})
	for _, n := range []int64{0, -1} {
		got, err := read(c.ctx, c.d, empty, 0, n)
		c.noError(err, "read %d bytes from 0 of 0", n)
		c.same(got, nil, "an empty blob")
	}
}

// interrupted does something to a blob that is half read, and checks that
// the rest is right or fails.
func (c *check) interrupted(by func(driver.Ref)) {
	c.tb.Helper()
	p := content{seed: 1, size: 3 << 20}
	ref := c.put(p)
	r, err := c.d.Open(c.ctx, ref, 0, -1)
	c.noError(err, "open")
	defer r.Close()
	head := make([]byte, 1000)
	_, err = io.ReadFull(r, head)
	c.noError(err, "read the first bytes")
	by(ref)
	rest, err := io.ReadAll(r)
	got := append(head, rest...)
	if err == nil {
		c.same(got, p.bytes(), "the reader")
		return
	}
	if int64(len(got)) > p.size {
		c.failf("the reader yielded %d bytes of %d", len(got), p.size)
	}
	c.same(got, p.bytes()[:len(got)], "what the reader yielded before it failed")
}

// strangeRefs are like ref and unlike it, and none is ref.
func strangeRefs(ref driver.Ref) []driver.Ref {
	last := ref[len(ref)-1]
	flipped := byte('0')
	if last == '0' {
		flipped = '1'
	}
	return []driver.Ref{
		ref[:len(ref)-1] + driver.Ref(flipped),
		ref + "0", "0" + ref, ref + "/", "./" + ref, "../" + ref, ref + "/..", ref + "\x00",
		"/", ".", "..", "../..", "x", "\x00", "-", "%s", "no such blob", "\xff\xfe",
		driver.Ref(strings.Repeat("z", driver.MaxRefLength)),
		driver.Ref(strings.Repeat("../", 20) + "etc/passwd"),
	}
}
