package catalog

import (
	"context"
	"errors"
	"fmt"
	"math"

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

// A condemnedRow says that nothing refers to a content any more.
type condemnedRow struct {
	unknownFields
	Epoch uint64 // of the commit that took away the last reference
}

func (c *condemnedRow) appendFields(b []byte) []byte {
	return append(appendUint(b, 1, c.Epoch), c.unknownFields...)
}

func (c *condemnedRow) setField(f field) (bool, error) {
	if !f.isUint(1) {
		return false, nil
	}
	c.Epoch = f.value
	return true, nil
}

// Condemned returns up to limit condemned contents of all tenants that come
// behind after in an order of their own; nil is before the first. What condemned
// them is durable, and covered by a barrier if that matters: their blobs may go,
// and no power cut will bring back a version that needs them.
func (c *Catalog) Condemned(ctx context.Context, after *Condemned, limit int) (list []Condemned, err error) {
	lower := []byte{tableCondemned}
	if after != nil {
		lower = append(c.Scope(after.Tenant, tenant.Principal{}).condemnedKey(after.ID), 0)
	}
	covered := uint64(math.MaxUint64)
	if c.epochs.deferred {
		covered = c.epochs.covered.Load()
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
			var row condemnedRow
			if err := decodeRow(it.Value(), &row); err != nil {
				return err
			}
			if row.Epoch > covered {
				continue
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
	return c.commit(ctx, func(ctx context.Context, t Txn) error {
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

// Content returns the content of the tenant with the ID, condemned or not, and
// whether there is one.
func (c *Catalog) Content(ctx context.Context, id tenant.ID, content ContentID) (row Content, ok bool, err error) {
	err = c.store.View(ctx, func(ctx context.Context, r Reader) error {
		row = Content{}
		err := getRow(ctx, r, c.Scope(id, tenant.Principal{}).contentKey(content), &row)
		ok = err == nil
		if errors.Is(err, errAbsent) {
			return nil
		}
		return err
	})
	return row, ok, err
}
