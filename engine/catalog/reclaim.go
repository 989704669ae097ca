package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/tenant"
)

// A Condemned content is one that nothing refers to any more. Its blobs may be
// deleted once nobody reads them, and then its row is to be forgotten.
type Condemned struct {
	Tenant  tenant.ID
	ID      ContentID
	Content Content
}

// Condemned returns up to limit condemned contents of all tenants that come
// behind after in an order of their own; nil is before the first. What condemned
// them is durable: their blobs may go, and no power cut will bring back a
// version that needs them.
func (c *Catalog) Condemned(ctx context.Context, after *Condemned, limit int) (list []Condemned, err error) {
	lower := []byte{tableCondemned}
	if after != nil {
		lower = append(c.Scope(after.Tenant, tenant.Principal{}).condemnedKey(after.ID), 0)
	}
	// An Update that writes nothing: a View also shows what is not durable yet.
	err = c.store.Update(ctx, func(ctx context.Context, t Txn) error {
		list = nil
		if err := c.checkIncarnation(ctx, t); err != nil {
			return err
		}
		it, err := t.Scan(ctx, lower, []byte{tableCondemned + 1})
		if err != nil {
			return err
		}
		defer it.Close()
		for len(list) < limit && it.Next() {
			id, content, err := parseCondemnedKey(it.Key())
			if err != nil {
				return err
			}
			x := Condemned{Tenant: id, ID: content}
			scope := c.Scope(id, tenant.Principal{})
			// Without its row there is nothing to delete but the entry itself.
			if err := getRow(ctx, t, scope.contentKey(content), &x.Content); err != nil && !errors.Is(err, errAbsent) {
				return fmt.Errorf("condemned content %v: %w: %w", content, container.ErrCorrupt, err)
			}
			list = append(list, x)
		}
		return it.Close()
	})
	return list, err
}

// Forget removes the rows of condemned contents whose blobs are gone: at most
// 400 at a time.
func (c *Catalog) Forget(ctx context.Context, list []Condemned) error {
	return c.store.Update(ctx, func(ctx context.Context, t Txn) error {
		if err := c.checkIncarnation(ctx, t); err != nil {
			return err
		}
		for _, x := range list {
			scope := c.Scope(x.Tenant, tenant.Principal{})
			t.Delete(scope.contentKey(x.ID))
			t.Delete(scope.condemnedKey(x.ID))
		}
		return nil
	})
}

// HasContent reports whether there is a row for the content, condemned or not.
func (c *Catalog) HasContent(ctx context.Context, id tenant.ID, content ContentID) (ok bool, err error) {
	err = c.store.View(ctx, func(ctx context.Context, r Reader) error {
		_, ok, err = r.Get(ctx, c.Scope(id, tenant.Principal{}).contentKey(content))
		return err
	})
	return ok, err
}

// KnowsIncarnation reports whether i is this run of an engine over this catalog,
// or one before it. It does not know the runs after it, whose blobs are theirs.
func (c *Catalog) KnowsIncarnation(i Incarnation) bool {
	_, known := c.known[i]
	return known
}

// Unclean returns the incarnations before this one that may have left orphans.
func (c *Catalog) Unclean(ctx context.Context) (list []Incarnation, err error) {
	err = c.store.View(ctx, func(ctx context.Context, r Reader) error {
		return eachIncarnation(ctx, r, func(i Incarnation, row incarnationRow) {
			if !row.Clean && i != c.incarnation && c.KnowsIncarnation(i) {
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
