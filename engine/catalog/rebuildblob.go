package catalog

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/vaultaire/vaultaire/driver"
)

// restoreBlob makes the rows of one blob, unless others have more right to them.
func (r *rebuilder) restoreBlob(ctx context.Context, b foundBlob) error {
	t := &b.tail.Trailer
	switch {
	case b.err != nil:
		return r.tell(ctx, Damaged, b.place, t, b.err)
	case t.Catalog != r.report.Catalog || t.Kind != 0:
		return r.tell(ctx, Foreign, b.place, t, nil)
	}
	if err := r.hold(ctx, t); err != nil {
		return err
	}
	other, err := r.named(ctx, b)
	if err != nil {
		return err
	}
	if other != "" {
		return r.chooseCopy(ctx, b, Replica{Driver: b.place.Driver, Ref: other})
	}
	superseded, err := r.name(ctx, b)
	if err != nil {
		return err
	}
	for _, loser := range superseded {
		if err := r.tell(ctx, Superseded, loser.place, &loser.tail.Trailer, nil); err != nil {
			return err
		}
	}
	return nil
}

// hold makes the row of the incarnation that has written a blob. Its orphans are
// held: nobody knows what became of them.
func (r *rebuilder) hold(ctx context.Context, t *Trailer) error {
	i := t.Content.Incarnation()
	if _, ok := r.incarnations[i]; ok {
		return nil
	}
	err := UpdateLazily(ctx, r.store, func(_ context.Context, txn Txn) error {
		txn.Set(i.key(), encodeRow(&incarnationRow{Started: t.Written, Held: true}))
		return nil
	})
	if err == nil {
		r.incarnations[i] = struct{}{}
	}
	return err
}

// named returns the ref of another copy of the blob on the same driver that is
// named already, or "".
func (r *rebuilder) named(ctx context.Context, b foundBlob) (ref driver.Ref, err error) {
	t := &b.tail.Trailer
	err = r.store.View(ctx, func(ctx context.Context, reader Reader) error {
		var content Content
		err := getRow(ctx, reader, Scope{tenant: t.Tenant}.contentKey(t.Content), &content)
		if errors.Is(err, errAbsent) {
			return nil
		}
		for _, replica := range content.Replicas {
			if replica.Driver == b.place.Driver && replica.Ref != b.place.Ref {
				ref = replica.Ref
			}
		}
		return err
	})
	return ref, err
}

// chooseCopy decides which of two copies of a blob on one driver is named: other,
// which is, if it is intact.
func (r *rebuilder) chooseCopy(ctx context.Context, b foundBlob, other Replica) error {
	t := &b.tail.Trailer
	_, damage := VerifyBlob(ctx, b.driver, other.Ref, io.Discard)
	if damage == nil {
		return r.tell(ctx, Duplicate, b.place, t, nil)
	}
	if !isDamage(damage) {
		return damage
	}
	_, err := VerifyBlob(ctx, b.driver, b.place.Ref, io.Discard)
	switch {
	case err == nil:
	case isDamage(err): // one is as good as the other
		return r.tell(ctx, Damaged, b.place, t, err)
	default:
		return err
	}
	key := Scope{tenant: t.Tenant}.contentKey(t.Content)
	err = UpdateLazily(ctx, r.store, func(ctx context.Context, txn Txn) error {
		var content Content
		if err := getRow(ctx, txn, key, &content); err != nil {
			return err
		}
		content.Replicas[content.findReplica(other.Driver, other.Ref)].Ref = b.place.Ref
		txn.Set(key, encodeRow(&content))
		return nil
	})
	if err != nil {
		return err
	}
	return r.tell(ctx, Damaged, other, t, damage)
}

// name makes the rows that name a blob, and returns the blobs that lose by that:
// those of an earlier version of the key, or the blob itself.
func (r *rebuilder) name(ctx context.Context, b foundBlob) (superseded []foundBlob, err error) {
	t := &b.tail.Trailer
	s := Scope{tenant: t.Tenant}
	err = UpdateLazily(ctx, r.store, func(ctx context.Context, txn Txn) error {
		superseded = nil
		var c containerRow
		if err := getRow(ctx, txn, s.containerKey(t.Container), &c); err != nil {
			return err
		}
		if t.Created.Before(c.Created) {
			superseded = []foundBlob{b}
			return nil
		}
		var content Content
		err := getRow(ctx, txn, s.contentKey(t.Content), &content)
		switch {
		case err == nil && content.HasReplica(b.place.Driver, b.place.Ref): // it is listed twice
			return nil
		case err == nil:
			content.Replicas = append(content.Replicas, b.place)
			txn.Set(s.contentKey(t.Content), encodeRow(&content))
			return nil
		case !errors.Is(err, errAbsent):
			return err
		}
		h, err := s.head(ctx, txn, t.Container, t.Key)
		if err != nil {
			return err
		}
		if h.exists() && !t.isLater(&h.Current) {
			superseded = []foundBlob{b}
			return nil
		}
		if h.exists() {
			if superseded, err = s.forgetVersion(ctx, txn, t, &h.Current); err != nil {
				return err
			}
		}
		v := t.Version
		v.Sequence, v.Modified = uint64(t.Written.UnixNano()), t.Written
		content = Content{Refs: 1, Size: v.Size, Replicas: []Replica{b.place}}
		txn.Set(s.headKey(t.Container, t.Key), encodeRow(&head{Highest: v.Sequence, Current: v}))
		txn.Set(s.contentKey(t.Content), encodeRow(&content))
		s.addUsage(txn, t.Container, &v, +1)
		return nil
	})
	return superseded, err
}

// isLater reports whether the blob was written after the one of v.
func (t *Trailer) isLater(v *Version) bool {
	if !t.Written.Equal(v.Modified) {
		return t.Written.After(v.Modified)
	}
	return bytes.Compare(t.Content[:], v.Content[:]) > 0
}

// forgetVersion takes away what name made for an earlier blob of the key of t, and
// returns its copies.
func (s Scope) forgetVersion(ctx context.Context, txn Txn, t *Trailer, v *Version) (copies []foundBlob, err error) {
	var content Content
	if err := getRow(ctx, txn, s.contentKey(v.Content), &content); err != nil {
		return nil, err
	}
	txn.Delete(s.contentKey(v.Content))
	s.addUsage(txn, t.Container, v, -1)
	earlier := Trailer{Tenant: t.Tenant, Container: t.Container, Key: t.Key, Written: v.Modified}
	for _, place := range content.Replicas {
		copies = append(copies, foundBlob{place: place, tail: Tail{Trailer: earlier}})
	}
	return copies, nil
}
