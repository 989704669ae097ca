package drivertest

import (
	"context"
	"slices"

	"github.com/vaultaire/vaultaire/driver"
)

const (
	sentenceList    = "List yields the driver's blobs in a stable order of the driver's own, starting behind after; \"\" starts at the first."
	sentenceAfter   = "after is any ref that List ever yielded, that of a blob deleted since included."
	sentencePresent = "A blob that is present throughout is yielded at least once; one that comes or goes meanwhile, perhaps."
	sentenceOnce    = "On failure List yields (Blob{}, err) once and stops."
)

func listCases() []testCase {
	return []testCase{
		{"an empty driver lists nothing", sentenceList, func(c *check) {
			c.listIs("", nil)
		}},
		{"List yields every blob once, with its size or -1", sentenceList, func(c *check) {
			blobs := c.putMany(30)
			large := content{seed: 99, size: 200_000}
			blobs[c.put(large)] = large
			for _, b := range c.list("") {
				p, ok := blobs[b.Ref]
				if !ok {
					c.failf("list: %q was not put, or is listed twice", b.Ref)
				}
				if b.Size != p.size && b.Size != -1 {
					c.failf("list: %q has size %d, want %d or -1", b.Ref, b.Size, p.size)
				}
				delete(blobs, b.Ref)
			}
			if len(blobs) > 0 {
				c.failf("list: %d blobs are missing", len(blobs))
			}
		}},
		{"an iterator of List can be ranged over again", sentenceList, func(c *check) {
			c.putMany(5)
			list := c.d.List(c.ctx, "")
			for round := range 2 {
				n := 0
				for _, err := range list {
					c.noError(err, "list")
					n++
				}
				if n != 5 {
					c.failf("list: round %d yields %d of 5 blobs", round+1, n)
				}
			}
		}},
		{"List goes on behind any ref, in the same order", sentenceList, func(c *check) {
			c.putMany(12)
			refs := refsOf(c.list(""))
			c.listIs("", refs)
			for i, ref := range refs {
				c.listIs(ref, refs[i+1:])
			}
		}},
		{"List goes on behind a ref that was deleted", sentenceAfter, func(c *check) {
			c.putMany(6)
			refs := refsOf(c.list(""))
			for _, i := range []int{5, 2, 0} {
				c.noError(c.d.Delete(c.ctx, refs[i]), "delete")
			}
			c.listIs("", []driver.Ref{refs[1], refs[3], refs[4]})
			c.listIs(refs[0], []driver.Ref{refs[1], refs[3], refs[4]})
			c.listIs(refs[2], []driver.Ref{refs[3], refs[4]})
			c.listIs(refs[5], nil)
			c.reopen()
			c.listIs(refs[2], []driver.Ref{refs[3], refs[4]})
			c.listIs(refs[5], nil)
		}},
		{"the order is the same after a reopen", sentenceList, func(c *check) {
			c.putMany(12)
			refs := refsOf(c.list(""))
			c.reopen()
			c.listIs("", refs)
			c.listIs(refs[6], refs[7:])
		}},
		{"List shows what stays while other blobs come and go", sentencePresent, func(c *check) {
			c.putMany(30)
			refs := refsOf(c.list(""))
			stay := make(map[driver.Ref]bool)
			for i, ref := range refs {
				stay[ref] = i%3 > 0
			}
			i := 0
			for b, err := range c.d.List(c.ctx, "") {
				c.noError(err, "list while blobs come and go")
				delete(stay, b.Ref)
				if i < len(refs) {
					if i%3 == 0 {
						c.noError(c.d.Delete(c.ctx, refs[i]), "delete within list")
						delete(stay, refs[i])
					}
					c.put(content{seed: uint64(i), size: 10})
				} else if i > 10*len(refs) {
					c.failf("list does not end")
				}
				i++
			}
			for ref, stays := range stay {
				if stays {
					c.failf("list: %q was there throughout and is missing", ref)
				}
			}
		}},
		{"leaving a List early releases it", sentenceClose, func(c *check) {
			c.putMany(5)
			refs := refsOf(c.list(""))
			for range 50 {
				for _, err := range c.d.List(c.ctx, "") {
					c.noError(err, "list")
					break
				}
			}
			err := c.prompt("use and close the driver after leaving lists early", func() error {
				if err := c.d.Delete(c.ctx, refs[0]); err != nil {
					return err
				}
				return c.d.Close(c.ctx)
			})
			c.noError(err, "use and close the driver after leaving lists early")
		}},
		{"List fails once and stops", sentenceOnce, func(c *check) {
			c.putMany(5)
			refs := refsOf(c.list(""))
			ctx, cancel := context.WithCancel(c.ctx)
			var got []driver.Ref
			var failure error
			for b, err := range c.d.List(ctx, "") {
				switch {
				case failure != nil:
					c.failf("list: goes on after it failed with %v", failure)
				case err != nil:
					if b != (driver.Blob{}) {
						c.failf("list: yields the blob %+v with the error %v", b, err)
					}
					failure = err
				default:
					got = append(got, b.Ref)
				}
				cancel()
			}
			cancel()
			switch {
			case failure != nil:
				c.errorIs(failure, context.Canceled, "list with a cancelled context")
			case !slices.Equal(got, refs):
				c.failf("list with a cancelled context: yields %d of %d blobs and no error", len(got), len(refs))
			}
		}},
	}
}
