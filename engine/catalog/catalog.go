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
	held        heldIncarnations
	contents    atomic.Uint64 // how many content IDs this incarnation has minted
	epochs      epochs
}

// Names of the rows of the meta table.
const (
	metaCatalogID   = "catalog-id"
	metaIncomplete  = "incomplete"  // while a Rebuild makes the catalog
	metaIncarnation = "incarnation" // the one that may change the catalog
	metaBarrier     = "barrier"     // the last one
)

// Open begins a new incarnation over the catalog in store, which it creates if
// the store is empty. From then on earlier incarnations are over: their
// transactions fail. clock tells the time of commits.
//
// The Store remains the caller's to close, after [Catalog.End].
func Open(ctx context.Context, store Store, clock func() time.Time) (*Catalog, error) {
	c := &Catalog{store: store, clock: clock}
	err := store.Update(ctx, func(ctx context.Context, t Txn) error {
		_, incomplete, err := t.Get(ctx, metaKey(metaIncomplete))
		if err != nil {
			return err
		}
		if incomplete {
			return fmt.Errorf("%w: a rebuild of this catalog did not get to its end; throw it away and rebuild it again", container.ErrInvalid)
		}
		id, ok, err := t.Get(ctx, metaKey(metaCatalogID))
		if err != nil {
			return err
		}
		if !ok {
			id = []byte(hex.EncodeToString(randomBytes(16)))
			t.Set(metaKey(metaCatalogID), id)
		}
		c.id = string(id)
		c.known, c.held.set = make(map[Incarnation]struct{}), make(map[Incarnation]struct{})
		err = eachIncarnation(ctx, t, func(i Incarnation, row incarnationRow) {
			c.known[i] = struct{}{}
			if row.Held {
				c.held.set[i] = struct{}{}
			}
		})
		if err != nil {
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

// CheckDriver remembers that the driver of the given name has the given
// identity. If another identity is remembered, or the identity under another
// name, it returns an ErrInvalid, since refs into one place mean nothing in
// another. An empty identity matches all.
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
			if err := checkNewDriver(ctx, t, name, identity); err != nil {
				return err
			}
			t.Set(driverKey(name), []byte(identity))
			return nil
		case !bytes.Equal(known, []byte(identity)):
			return fmt.Errorf("catalog: %w: driver %q is %q, and this catalog's blobs are in %q",
				container.ErrInvalid, name, identity, known)
		}
		return nil
	})
}

// checkNewDriver returns an ErrInvalid if another name has the identity.
func checkNewDriver(ctx context.Context, r Reader, name, identity string) error {
	it, err := r.Scan(ctx, []byte{tableDriver}, []byte{tableDriver + 1})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.Next() {
		if string(it.Value()) == identity {
			return fmt.Errorf("catalog: %w: driver %q is the one that this catalog knows as %q",
				container.ErrInvalid, name, it.Key()[1:])
		}
	}
	return it.Close()
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
	created   time.Time // of the only container that it reaches; zero for all
}

// Within returns a scope that reaches no container but c, and not another one of
// that name, should c be deleted and made anew.
func (s Scope) Within(c container.Container) Scope {
	s.created = c.Created
	return s
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
