package catalog

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/tenant"
)

// A Catalog is the rows in a Store, and one incarnation's right to change them.
// Its methods may be called concurrently.
type Catalog struct {
	store       Store
	clock       func() time.Time
	id          string
	incarnation Incarnation
	known       map[Incarnation]struct{} // this one and those before it
	contents    atomic.Uint64            // how many content IDs this incarnation has minted
}

// Names of the rows of the meta table.
const (
	metaCatalogID   = "catalog-id"
	metaIncarnation = "incarnation" // the one that may change the catalog
)

// Open begins a new incarnation over the catalog in store, which it creates if
// the store is empty. From then on earlier incarnations are over: their
// transactions fail. clock tells the time of commits.
//
// The Store remains the caller's to close, after [Catalog.End].
func Open(ctx context.Context, store Store, clock func() time.Time) (*Catalog, error) {
	c := &Catalog{store: store, clock: clock}
	err := store.Update(ctx, func(ctx context.Context, t Txn) error {
		id, ok, err := t.Get(ctx, metaKey(metaCatalogID))
		if err != nil {
			return err
		}
		if !ok {
			id = []byte(hex.EncodeToString(randomBytes(16)))
			t.Set(metaKey(metaCatalogID), id)
		}
		c.id = string(id)
		if c.known, err = knownIncarnations(ctx, t); err != nil {
			return err
		}
		c.incarnation = Incarnation(binary.BigEndian.Uint64(randomBytes(8)))
		c.known[c.incarnation] = struct{}{}
		t.Set(metaKey(metaIncarnation), c.incarnation.key())
		t.Set(c.incarnation.key(), encodeRow(&incarnationRow{Started: clock()}))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("catalog: open: %w", err)
	}
	return c, nil
}

func knownIncarnations(ctx context.Context, r Reader) (map[Incarnation]struct{}, error) {
	known := make(map[Incarnation]struct{})
	return known, eachIncarnation(ctx, r, func(i Incarnation, _ incarnationRow) { known[i] = struct{}{} })
}

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

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails: crypto/rand
	return b
}

// ID returns the catalog's own name: 32 hexadecimal digits that no other
// catalog has, except a copy of this one.
func (c *Catalog) ID() string { return c.id }

// NewContentID returns an ID that was never returned before.
func (c *Catalog) NewContentID() ContentID {
	return newContentID(c.incarnation, c.contents.Add(1))
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

// CheckDriver remembers that the driver of the given name has the given
// identity. If another identity is remembered it returns an ErrInvalid, since
// refs into one place mean nothing in another. An empty identity matches all.
func (c *Catalog) CheckDriver(ctx context.Context, name, identity string) error {
	if identity == "" {
		return nil
	}
	return c.store.Update(ctx, func(ctx context.Context, t Txn) error {
		known, ok, err := t.Get(ctx, driverKey(name))
		switch {
		case err != nil:
			return err
		case !ok:
			t.Set(driverKey(name), []byte(identity))
			return nil
		case !bytes.Equal(known, []byte(identity)):
			return fmt.Errorf("catalog: %w: driver %q is %q, and this catalog's blobs are in %q",
				container.ErrInvalid, name, identity, known)
		}
		return nil
	})
}

// Scope returns the part of the catalog that belongs to id, as principal may
// use it. id is valid.
func (c *Catalog) Scope(id tenant.ID, principal tenant.Principal) Scope {
	return Scope{catalog: c, tenant: id, principal: principal}
}

// A Scope reaches the rows of one tenant and cannot spell the key of another's.
type Scope struct {
	catalog   *Catalog
	tenant    tenant.ID
	principal tenant.Principal
}

// getRow reads the row under key into m; its absence is an errAbsent.
func getRow(ctx context.Context, r Reader, key []byte, m message) error {
	b, ok, err := r.Get(ctx, key)
	switch {
	case err != nil:
		return err
	case !ok:
		return errAbsent
	}
	return decodeRow(b, m)
}

// errAbsent is for callers to turn into what the absence means; it matches no
// sentinel, because a row that must be there and is not is no user's ErrNotFound.
var errAbsent = errors.New("catalog: row is absent")
