package catalog

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/vaultaire/vaultaire/container"
)

func eachIncarnation(ctx context.Context, r Reader, visit func(Incarnation, incarnationRow)) error {
	it, err := r.Scan(ctx, []byte{tableIncarnation}, []byte{tableIncarnation + 1})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.Next() {
		i, err := parseIncarnationKey(it.Key())
		if err != nil {
			return err
		}
		var row incarnationRow
		if err := decodeRow(it.Value(), &row); err != nil {
			return err
		}
		visit(i, row)
	}
	return it.Close()
}

// End ends the incarnation, every blob of which is named by a row or gone: nobody
// needs to look for orphans of it. An incarnation that may have left some does
// not call End, as one that crashes does not.
func (c *Catalog) End(ctx context.Context) error {
	return c.store.Update(ctx, func(ctx context.Context, t Txn) error {
		if err := c.checkIncarnation(ctx, t); err != nil {
			return err
		}
		t.Delete(metaKey(metaIncarnation))
		return markClean(ctx, t, c.incarnation)
	})
}

func markClean(ctx context.Context, t Txn, i Incarnation) error {
	var row incarnationRow
	if err := getRow(ctx, t, i.key(), &row); err != nil {
		return err
	}
	row.Clean = true
	t.Set(i.key(), encodeRow(&row))
	return nil
}

// checkIncarnation returns an ErrClosed if this incarnation may no longer
// change the catalog. Each transaction of an engine calls it: without it a run
// that another has taken over from could name a blob that was swept meanwhile.
func (c *Catalog) checkIncarnation(ctx context.Context, t Txn) error {
	current, _, err := t.Get(ctx, metaKey(metaIncarnation))
	if err != nil {
		return err
	}
	if !bytes.Equal(current, c.incarnation.key()) {
		return fmt.Errorf("catalog: %w: incarnation %v has ended", container.ErrClosed, c.incarnation)
	}
	return nil
}

// KnowsIncarnation reports whether i is this run of an engine over this catalog,
// or one before it. It does not know the runs after it, whose blobs are theirs.
func (c *Catalog) KnowsIncarnation(i Incarnation) bool {
	_, known := c.known[i]
	return known
}

// Unclean returns the incarnations before this one that may have left orphans,
// without those that are held.
func (c *Catalog) Unclean(ctx context.Context) (list []Incarnation, err error) {
	err = c.store.View(ctx, func(ctx context.Context, r Reader) error {
		return eachIncarnation(ctx, r, func(i Incarnation, row incarnationRow) {
			if !row.Clean && !row.Held && i != c.incarnation && c.KnowsIncarnation(i) {
				list = append(list, i)
			}
		})
	})
	return list, err
}

// MarkSwept notes that the incarnations, which Unclean returned, have no
// orphans any more.
func (c *Catalog) MarkSwept(ctx context.Context, incarnations []Incarnation) error {
	const rows = 500 // in a transaction
	for len(incarnations) > 0 {
		n := min(len(incarnations), rows)
		err := c.store.Update(ctx, func(ctx context.Context, t Txn) error {
			if err := c.checkIncarnation(ctx, t); err != nil {
				return err
			}
			for _, i := range incarnations[:n] {
				if err := markClean(ctx, t, i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		incarnations = incarnations[n:]
	}
	return nil
}

// heldIncarnations are those whose blobs nobody may delete unless a row condemns
// them: this catalog is a copy, or made anew from blobs, and may have lost rows.
type heldIncarnations struct {
	mu  sync.Mutex
	set map[Incarnation]struct{}
}

// IsHeld reports whether orphans of the incarnation are to be kept.
func (c *Catalog) IsHeld(i Incarnation) bool {
	c.held.mu.Lock()
	defer c.held.mu.Unlock()
	_, held := c.held.set[i]
	return held
}

// Release says that nobody misses a blob of the incarnations that are held: their
// orphans may be deleted from now on. It may be cut off anywhere and called again.
func (c *Catalog) Release(ctx context.Context) error {
	err := changeIncarnations(ctx, c.store, c.checkIncarnation, func(row *incarnationRow) bool {
		if !row.Held {
			return false
		}
		row.Held, row.Clean = false, false // its orphans have not been looked for
		return true
	})
	if err != nil {
		return fmt.Errorf("catalog: release orphans: %w", err)
	}
	c.held.mu.Lock()
	defer c.held.mu.Unlock()
	clear(c.held.set)
	return nil
}

// Hold marks every incarnation of the catalog in store as held. Nobody has the
// catalog open. It is for a copy of a catalog in use: blobs that were put after it
// was made may be beside it.
func Hold(ctx context.Context, store Store) error {
	anybody := func(context.Context, Txn) error { return nil }
	err := changeIncarnations(ctx, store, anybody, func(row *incarnationRow) bool {
		changed := !row.Held
		row.Held = true
		return changed
	})
	if err != nil {
		return fmt.Errorf("catalog: hold orphans: %w", err)
	}
	return nil
}

// changeIncarnations writes those rows of incarnations again that change changes,
// if check allows it.
func changeIncarnations(ctx context.Context, store Store, check func(context.Context, Txn) error, change func(*incarnationRow) bool) error {
	for more := true; more; {
		err := store.Update(ctx, func(ctx context.Context, t Txn) error {
			if err := check(ctx, t); err != nil {
				return err
			}
			changed := 0
			more = false
			err := eachIncarnation(ctx, t, func(i Incarnation, row incarnationRow) {
				switch {
				case !change(&row):
				case changed == MaxStoreWrites:
					more = true
				default:
					changed++
					t.Set(i.key(), encodeRow(&row))
				}
			})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
