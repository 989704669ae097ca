package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/tenant"
)

// RebuildOptions qualify a Rebuild. The zero value is the default.
type RebuildOptions struct {
	// Catalog is the ID of the catalog that is lost, if blobs of several are found.
	Catalog string
	// Found is told of every blob and every artifact, as soon as it is known what
	// they are. An error of it ends the Rebuild. nil: nobody is told.
	Found func(ctx context.Context, f Finding) error
}

// A Finding is what a Rebuild made of a blob, or of the blobs of an artifact.
type Finding struct {
	Kind      FindingKind
	Driver    string // where the blob is; of an artifact that has several, one
	Ref       driver.Ref
	Tenant    tenant.ID // this and the next ones as far as they are known
	Container string
	Key       string
	Written   time.Time // when the blob had arrived
	Err       error     // why it is Damaged
}

// A FindingKind says what a Rebuild made of a blob.
type FindingKind string

// The kinds of findings.
const (
	// Restored: the artifact is there again. It may have been deleted after it was
	// Written; no blob can tell.
	Restored FindingKind = "restored"
	// Superseded: a later blob of the key is there, or the container was deleted
	// and made anew after the blob was written. It is kept, and nothing names it.
	Superseded FindingKind = "superseded"
	// Duplicate: a copy of the same blob on the same driver is named. It is kept.
	Duplicate FindingKind = "duplicate"
	// Damaged: the blob cannot be read, or does not say what it is. It is kept.
	Damaged FindingKind = "damaged"
	// Foreign: the blob is another catalog's, or of a kind that this version does
	// not know. It is kept.
	Foreign FindingKind = "foreign"
)

// A RebuildReport says what a Rebuild made.
type RebuildReport struct {
	Catalog string                // the ID of the catalog
	Found   map[FindingKind]int64 // how many findings of each kind there were
}

// Rebuild makes a catalog in an empty store from nothing but the blobs of
// drivers, under the names that the lost catalog knew them by. Every artifact that
// was put comes back with its bytes, metadata, headers, digests, tag, class,
// version, and the time when it was written; and so do the containers of these,
// with their owners. What left no bytes behind does not: containers that were
// empty, and deletions. Nothing is guessed: opts.Found is told of everything.
//
// No blob is changed or deleted, neither now nor by an engine that opens the
// catalog, until its ReleaseOrphans is called. Nobody else uses store or drivers
// meanwhile. A store that is not empty, and blobs of several catalogs of which
// opts chooses none, are an ErrInvalid. A driver that cannot be read ends the
// Rebuild. A store in which a Rebuild did not get to its end is refused by Open; it
// is to be thrown away. Each blob's end is read twice.
func Rebuild(ctx context.Context, store Store, drivers map[string]driver.Driver, opts RebuildOptions) (report RebuildReport, err error) {
	defer func() {
		if p := recover(); p != nil { // a driver's, or that of opts.Found
			err = fmt.Errorf("catalog: rebuild: panic: %v", p)
		}
	}()
	r := rebuilder{
		store:        store,
		drivers:      drivers,
		opts:         opts,
		report:       RebuildReport{Catalog: opts.Catalog, Found: make(map[FindingKind]int64)},
		catalogs:     make(map[string]int64),
		incarnations: make(map[Incarnation]struct{}),
	}
	if err := r.run(ctx); err != nil {
		return r.report, fmt.Errorf("catalog: rebuild: %w", err)
	}
	return r.report, nil
}

// A rebuilder is a Rebuild that runs. It changes the store in many small
// transactions, which become durable with the last one.
type rebuilder struct {
	store        Store
	drivers      map[string]driver.Driver
	opts         RebuildOptions
	report       RebuildReport
	catalogs     map[string]int64         // whose blobs there are, and how many
	incarnations map[Incarnation]struct{} // those that have rows
}

func (r *rebuilder) run(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	// Containers come first: of one that was deleted and made anew, nothing that
	// was put before may come back.
	if err := r.eachBlob(ctx, r.restoreContainer); err != nil {
		return err
	}
	if err := r.settleCatalog(ctx); err != nil {
		return err
	}
	if err := r.eachBlob(ctx, r.restoreBlob); err != nil {
		return err
	}
	if err := r.tellRestored(ctx); err != nil {
		return err
	}
	return r.store.Update(ctx, func(_ context.Context, t Txn) error {
		t.Delete(metaKey(metaIncomplete))
		return nil
	})
}

// begin takes the empty store and marks it as incomplete, before anything else
// is in it.
func (r *rebuilder) begin(ctx context.Context) error {
	identities := make(map[string]string, len(r.drivers))
	for name, d := range r.drivers {
		identity, err := driver.Identity(ctx, d)
		if err != nil {
			return fmt.Errorf("driver %q: %w", name, err)
		}
		identities[name] = identity
	}
	return r.store.Update(ctx, func(ctx context.Context, t Txn) error {
		it, err := t.Scan(ctx, []byte{0}, []byte{0xff})
		if err != nil {
			return err
		}
		found := it.Next()
		if err := it.Close(); err != nil {
			return err
		}
		if found {
			return fmt.Errorf("%w: the store is not empty", container.ErrInvalid)
		}
		t.Set(metaKey(metaIncomplete), []byte{rowFormat})
		for name, identity := range identities {
			if identity != "" {
				t.Set(driverKey(name), []byte(identity))
			}
		}
		return nil
	})
}

// A foundBlob is a blob that a driver lists, and its end.
type foundBlob struct {
	place  Replica
	driver driver.Driver
	tail   Tail
	err    error // an ErrCorrupt, instead of tail
}

// eachBlob calls do for every blob of every driver.
func (r *rebuilder) eachBlob(ctx context.Context, do func(ctx context.Context, b foundBlob) error) error {
	for _, name := range slices.Sorted(maps.Keys(r.drivers)) {
		d := r.drivers[name]
		for blob, err := range d.List(ctx, "") {
			if err != nil {
				return fmt.Errorf("driver %q: %w", name, err)
			}
			b := foundBlob{place: Replica{Driver: name, Ref: blob.Ref}, driver: d}
			b.tail, b.err = ReadTail(ctx, d, blob)
			if b.err == nil {
				b.err = b.tail.check()
			}
			if b.err != nil && !isDamage(b.err) {
				return fmt.Errorf("driver %q: blob %q: %w", name, blob.Ref, b.err)
			}
			if err := do(ctx, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// isDamage reports whether a driver's error says that a blob is not what it was.
func isDamage(err error) bool {
	return errors.Is(err, container.ErrCorrupt) || errors.Is(err, container.ErrNotFound)
}

// check returns an ErrCorrupt if the trailer says what cannot be.
func (t *Tail) check() error {
	v := &t.Trailer.Version
	err := errors.Join(
		t.Trailer.Tenant.Validate(),
		container.ValidateName(t.Trailer.Container),
		container.ValidateKey(t.Trailer.Key),
	)
	switch {
	case t.Trailer.Kind != 0: // whatever that has to say
		return nil
	case err != nil:
	case t.Data != v.Size:
		err = fmt.Errorf("%d bytes are there of %d", t.Data, v.Size)
	case v.Content != t.Trailer.Content || v.Marker || t.Trailer.Written.UnixNano() <= 0:
		err = errors.New("it contradicts itself")
	default:
		return nil
	}
	return fmt.Errorf("catalog: %w: trailer: %w", container.ErrCorrupt, err)
}

// maxCatalogs is how many catalogs are told apart.
const maxCatalogs = 100

// restoreContainer makes the row of the container that a blob is in, or brings it
// up to date. Until the catalog is settled, the first blob's is meant.
func (r *rebuilder) restoreContainer(ctx context.Context, b foundBlob) error {
	t := &b.tail.Trailer
	if b.err != nil {
		return nil
	}
	if _, known := r.catalogs[t.Catalog]; known || len(r.catalogs) < maxCatalogs {
		r.catalogs[t.Catalog]++
	}
	if r.report.Catalog == "" {
		r.report.Catalog = t.Catalog
	}
	if t.Catalog != r.report.Catalog || t.Kind != 0 {
		return nil
	}
	key := Scope{tenant: t.Tenant}.containerKey(t.Container)
	return UpdateLazily(ctx, r.store, func(ctx context.Context, txn Txn) error {
		var row containerRow
		err := getRow(ctx, txn, key, &row)
		if err == nil && !t.Created.After(row.Created) {
			return nil
		}
		if err != nil && !errors.Is(err, errAbsent) {
			return err
		}
		txn.Set(key, encodeRow(&containerRow{Created: t.Created, Owner: t.Owner}))
		return nil
	})
}

// settleCatalog decides whose blobs are restored.
func (r *rebuilder) settleCatalog(ctx context.Context) error {
	if r.opts.Catalog == "" && len(r.catalogs) > 1 || r.opts.Catalog != "" && r.catalogs[r.opts.Catalog] == 0 {
		var found []string
		for _, id := range slices.Sorted(maps.Keys(r.catalogs)) {
			found = append(found, fmt.Sprintf("%q (%d)", id, r.catalogs[id]))
		}
		return fmt.Errorf("%w: the blobs are of these catalogs: %s; choose one", container.ErrInvalid, strings.Join(found, ", "))
	}
	if r.report.Catalog == "" {
		return nil // there are no blobs, and the catalog will be a new one
	}
	return UpdateLazily(ctx, r.store, func(_ context.Context, t Txn) error {
		t.Set(metaKey(metaCatalogID), []byte(r.report.Catalog))
		return nil
	})
}

// tell counts a finding and hands it on.
func (r *rebuilder) tell(ctx context.Context, kind FindingKind, place Replica, t *Trailer, err error) error {
	r.report.Found[kind]++
	if r.opts.Found == nil {
		return nil
	}
	return r.opts.Found(ctx, Finding{
		Kind: kind, Driver: place.Driver, Ref: place.Ref,
		Tenant: t.Tenant, Container: t.Container, Key: t.Key, Written: t.Written, Err: err,
	})
}

// tellRestored tells of the artifacts, once it is certain which they are.
func (r *rebuilder) tellRestored(ctx context.Context) error {
	c := &Catalog{store: r.store}
	for after, more := Cursor(""), true; more; {
		page, next, err := c.Versions(ctx, after, rebuildPage)
		if err != nil {
			return err
		}
		for _, n := range page {
			content, _, err := c.StillNamed(ctx, n)
			if err != nil {
				return err
			}
			t := Trailer{Tenant: n.Tenant, Container: n.Container, Key: n.Key, Written: n.Version.Modified}
			if err := r.tell(ctx, Restored, content.Replicas[0], &t, nil); err != nil {
				return err
			}
		}
		after, more = next, next != ""
	}
	return nil
}

const rebuildPage = 500
