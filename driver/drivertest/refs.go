package drivertest

import (
	"bytes"
	"strings"

	"github.com/vaultaire/vaultaire/driver"
)

const (
	sentenceMinted = "A driver never mints a ref twice: not after the blob was deleted, not after a crash, and not after its files were restored from a copy."
	sentenceRef    = "It has 1 to [MaxRefLength] bytes; a driver made of other drivers may need up to [MaxWrappedRefLength]."
	sentenceName   = "It has at most [MaxNameLength] bytes of [A-Za-z0-9._/-] and no empty, \".\" or \"..\" segments, so it is safe as a path or a remote key; a driver that keeps blobs by name returns Ref(name)."
)

func refCases() []testCase {
	return []testCase{
		{"a ref is never minted twice, not after Delete either", sentenceMinted, func(c *check) {
			seen := make(map[driver.Ref]bool)
			for range 20 {
				c.noError(c.d.Delete(c.ctx, c.mint(seen)), "delete")
			}
		}},
		{"a ref is never minted twice, not after a reopen either", sentenceMinted, func(c *check) {
			seen := make(map[driver.Ref]bool)
			for range 3 {
				kept := c.mint(seen)
				for range 3 {
					c.noError(c.d.Delete(c.ctx, c.mint(seen)), "delete")
				}
				c.reopen()
				c.mint(seen)
				c.noError(c.d.Delete(c.ctx, kept), "delete")
				c.reopen()
			}
		}},
		{"a failed Put does not lend its ref to the next", sentenceMinted, func(c *check) {
			seen := make(map[driver.Ref]bool)
			for range 5 {
				_ = c.failsWithoutTrace(c.ctx, failingReader(nil, errSource), driver.PutOptions{Size: -1}, "a source that fails")
				c.mint(seen)
			}
		}},
		{"a ref has 1 to its maximum of bytes, whatever the name", sentenceRef, func(c *check) {
			limit := c.harness.MaxRefLength
			if limit == 0 {
				limit = driver.MaxRefLength
			}
			for _, name := range longNames(c.names) {
				ref, err := c.d.Put(c.ctx, name, bytes.NewReader([]byte(name)), driver.PutOptions{Size: -1})
				c.noError(err, "put under the name %q", name)
				if len(ref) < 1 || len(ref) > limit {
					c.failf("put under the name %q: the ref %q has %d bytes, want 1 to %d", name, ref, len(ref), limit)
				}
			}
		}},
		{"Put takes every name that the contract allows", sentenceName, func(c *check) {
			refs := make(map[driver.Ref]string)
			for _, name := range longNames(c.names) {
				ref, err := c.d.Put(c.ctx, name, bytes.NewReader([]byte(name)), driver.PutOptions{Size: -1})
				c.noError(err, "put under the name %q", name)
				if other, ok := refs[ref]; ok {
					c.failf("the names %q and %q have the same ref %q", name, other, ref)
				}
				refs[ref] = name
			}
			for ref, name := range refs {
				got, err := read(c.ctx, c.d, ref, 0, -1)
				c.noError(err, "read what was put under the name %q", name)
				c.same(got, []byte(name), "what was put under the name "+name)
			}
		}},
	}
}

// mint puts a blob, whose ref must be new.
func (c *check) mint(seen map[driver.Ref]bool) driver.Ref {
	c.tb.Helper()
	ref := c.put(content{seed: 1, size: 100})
	if seen[ref] {
		c.failf("the ref %q was minted twice", ref)
	}
	seen[ref] = true
	return ref
}

// longNames are names at the limits: one long segment, as many as possible,
// and every character.
func longNames(n *names) []string {
	pad := func(s, unit string) string {
		s += strings.Repeat(unit, driver.MaxNameLength)
		return strings.TrimSuffix(s[:driver.MaxNameLength], "/")
	}
	random := func() string { return strings.ReplaceAll(n.next(), "/", "-") }
	return []string{
		random(),
		n.next(),
		pad(random(), "x"),
		pad(random(), "/x"),
		pad(random(), "/..."),
		n.next() + "/-.A-Z_a.z..0--9",
		n.next() + "/...",
		random() + "-",
		random() + ".",
	}
}
