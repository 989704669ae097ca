package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/tenant"
)

// A Named version is one that a row names.
type Named struct {
	Tenant    tenant.ID
	Container string
	Key       string
	Version   Version
	Err       error // an ErrCorrupt if the row cannot be read; then Version is zero
}

// A Cursor is a place among the versions of all tenants. It stays valid, whatever
// comes and goes. "" is before the first.
type Cursor string

// Versions returns up to limit versions behind a cursor, of all tenants, without
// delete markers, and the cursor behind the last one that was looked at; "" if
// there are no more. A strange cursor is an ErrInvalid.
func (c *Catalog) Versions(ctx context.Context, after Cursor, limit int) (list []Named, next Cursor, err error) {
	lower := []byte{tableHead}
	if after != "" {
		if after[0] != tableHead || len(after) > MaxStoreKey {
			return nil, "", fmt.Errorf("catalog: %w: cursor %q", container.ErrInvalid, string(after))
		}
		lower = append([]byte(after), 0)
	}
	err = c.store.View(ctx, func(ctx context.Context, r Reader) error {
		list, next = nil, ""
		it, err := r.Scan(ctx, lower, []byte{tableHead + 1})
		if err != nil {
			return err
		}
		defer it.Close()
		for looked := 0; it.Next(); looked++ {
			if looked == limit {
				return it.Close()
			}
			next = Cursor(it.Key())
			n, ok, err := namedHead(it.Key(), it.Value())
			if err != nil {
				return err
			}
			if ok {
				list = append(list, n)
			}
		}
		next = ""
		return it.Close()
	})
	return list, next, err
}

// namedHead returns the version that a head names, and whether it names one.
func namedHead(key, value []byte) (n Named, ok bool, err error) {
	if n.Tenant, n.Container, n.Key, err = parseHeadKey(key); err != nil {
		return n, false, err
	}
	var h head
	if n.Err = decodeRow(value, &h); n.Err != nil {
		return n, true, nil
	}
	n.Version = h.Current
	return n, h.exists(), nil
}

// StillNamed returns the content of a version that Versions returned, or false if
// the row does not name that content any more. If the catalog contradicts itself
// about the content, it returns an ErrCorrupt.
func (c *Catalog) StillNamed(ctx context.Context, n Named) (content Content, ok bool, err error) {
	s := c.Scope(n.Tenant, tenant.Principal{})
	err = c.store.View(ctx, func(ctx context.Context, r Reader) error {
		content, ok = Content{}, false
		h, err := s.head(ctx, r, n.Container, n.Key)
		if err != nil || !h.exists() || h.Current.Content != n.Version.Content {
			return err
		}
		ok = true
		err = getRow(ctx, r, s.contentKey(n.Version.Content), &content)
		switch {
		case errors.Is(err, errAbsent):
			return fmt.Errorf("catalog: %w: content %v of a version has no row", container.ErrCorrupt, n.Version.Content)
		case err == nil && content.Refs == 0:
			return fmt.Errorf("catalog: %w: content %v of a version counts no reference", container.ErrCorrupt, n.Version.Content)
		}
		return err
	})
	return content, ok, err
}
