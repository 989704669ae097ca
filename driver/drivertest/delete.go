package drivertest

import (
	"maps"
	"slices"

	"github.com/vaultaire/vaultaire/driver"
)

const sentenceDelete = "A nil error means that it is gone for good, to the degree that the driver was opened with, or that it never was there."

func deleteCases() []testCase {
	return []testCase{
		{"Delete removes the blob and no other", "Delete removes the blob.", func(c *check) {
			blobs := c.putMany(9)
			refs := refsOf(c.list(""))
			for _, ref := range []driver.Ref{refs[0], refs[4], refs[8]} {
				c.noError(c.d.Delete(c.ctx, ref), "delete %q", ref)
				delete(blobs, ref)
				c.gone(ref)
			}
			for ref, p := range blobs {
				c.holds(ref, p)
			}
			c.listIs("", slices.DeleteFunc(refs, func(ref driver.Ref) bool { _, ok := blobs[ref]; return !ok }))
		}},
		{"deleting a blob again is fine", sentenceDelete, func(c *check) {
			ref := c.put(content{seed: 1, size: 100})
			for range 3 {
				c.noError(c.d.Delete(c.ctx, ref), "delete")
				c.gone(ref)
			}
		}},
		{"deleting what was never minted is fine and harms nothing", sentenceDelete, func(c *check) {
			p := content{seed: 1, size: 100}
			ref := c.put(p)
			for _, strange := range strangeRefs(ref) {
				c.noError(c.d.Delete(c.ctx, strange), "delete %q", strange)
			}
			c.holds(ref, p)
			c.listIs("", []driver.Ref{ref})
			c.reopen()
			c.holds(ref, p)
		}},
		{"what was deleted stays gone after a reopen", sentenceDelete, func(c *check) {
			blobs := c.putMany(6)
			deleted := slices.Collect(maps.Keys(blobs))[:3]
			for _, ref := range deleted {
				c.noError(c.d.Delete(c.ctx, ref), "delete")
				delete(blobs, ref)
			}
			c.reopen()
			for _, ref := range deleted {
				c.gone(ref)
			}
			for ref, p := range blobs {
				c.holds(ref, p)
			}
		}},
	}
}
