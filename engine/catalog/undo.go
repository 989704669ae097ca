package catalog

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/tenant"
)

// An undoRow says which content a commit gave to a key, and what the key was
// before. It may be looked at until a barrier covers its epoch.
type undoRow struct {
	unknownFields
	Tenant    tenant.ID
	Container string
	Key       string
	Content   ContentID
	Previous  *head // nil: there was no row
}

func (u *undoRow) appendFields(b []byte) []byte {
	b = appendString(b, 1, u.Tenant)
	b = appendString(b, 2, u.Container)
	b = appendString(b, 3, u.Key)
	b = appendString(b, 4, u.Content[:])
	if u.Previous != nil {
		b = appendMessage(b, 5, u.Previous)
	}
	return append(b, u.unknownFields...)
}

func (u *undoRow) setField(f field) (bool, error) {
	var err error
	switch {
	case f.isBytes(1):
		u.Tenant = tenant.ID(f.text)
	case f.isBytes(2):
		u.Container = f.text
	case f.isBytes(3):
		u.Key = f.text
	case f.isBytes(4):
		u.Content, err = f.id()
	case f.isBytes(5):
		if u.Previous == nil {
			u.Previous = new(head)
		}
		err = f.message(u.Previous)
	default:
		return false, nil
	}
	return true, err
}

// undoEpoch returns what the keys of an epoch's undo rows begin with. The keys
// descend, so that the last commit comes first.
func undoEpoch(epoch uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{tableUndo}, ^epoch)
}

// noteUndo leaves an undo row for a commit of the epoch that gives content to a
// key, of which h is the row. Of two commits to one key, the later has the higher
// number: it has read the row that the earlier has written.
func (s Scope) noteUndo(t Txn, epoch uint64, name, key string, content ContentID, h head) {
	e := &s.catalog.epochs
	if !e.deferred {
		return
	}
	row := undoRow{Tenant: s.tenant, Container: name, Key: key, Content: content}
	if h.Highest > 0 {
		row.Previous = &h
	}
	t.Set(binary.BigEndian.AppendUint64(undoEpoch(epoch), ^e.undos.Add(1)), encodeRow(&row))
}

// An Undo is a commit of an earlier incarnation that gave a content to a key, and
// that no barrier covers: a power cut may have taken the bytes.
type Undo struct {
	Tenant    tenant.ID
	Container string
	Key       string
	Content   ContentID

	previous *head
	rowKey   []byte
}

// Undoable returns up to limit commits that no barrier covers, beginning behind
// after with the last one; nil is before the first. What earlier incarnations
// have written is judged in this order: a commit that is undone shows the one
// before it.
func (c *Catalog) Undoable(ctx context.Context, after *Undo, limit int) (list []Undo, err error) {
	lower := []byte{tableUndo}
	if after != nil {
		lower = append(after.rowKey[:len(after.rowKey):len(after.rowKey)], 0)
	}
	err = c.store.View(ctx, func(ctx context.Context, r Reader) error {
		last, err := lastBarrier(ctx, r)
		if err != nil {
			return err
		}
		it, err := r.Scan(ctx, lower, undoEpoch(last.Epoch))
		if err != nil {
			return err
		}
		defer it.Close()
		for len(list) < limit && it.Next() {
			var row undoRow
			if err := decodeRow(it.Value(), &row); err != nil {
				return err
			}
			list = append(list, Undo{row.Tenant, row.Container, row.Key, row.Content, row.Previous, append([]byte(nil), it.Key()...)})
		}
		return it.Close()
	})
	return list, err
}

// Introduced returns the version that u has introduced and its content. false: it
// is not current any more, so nothing depends on its bytes.
func (c *Catalog) Introduced(ctx context.Context, u Undo) (v Version, content Content, current bool, err error) {
	s := c.Scope(u.Tenant, tenant.Principal{})
	err = c.store.View(ctx, func(ctx context.Context, r Reader) error {
		h, err := s.head(ctx, r, u.Container, u.Key)
		if current = h.introducedBy(u); err != nil || !current {
			return err
		}
		v, content = h.Current, Content{}
		if err := getRow(ctx, r, s.contentKey(v.Content), &content); err != nil {
			return fmt.Errorf("content %v of a version: %w: %w", v.Content, container.ErrCorrupt, err)
		}
		return nil
	})
	return v, content, current, err
}

func (h *head) introducedBy(u Undo) bool { return h.exists() && h.Current.Content == u.Content }

// Undo makes a key what it was before u, whose bytes are lost. It does nothing if
// the version that u has introduced is not current.
func (c *Catalog) Undo(ctx context.Context, u Undo) error {
	s := c.Scope(u.Tenant, tenant.Principal{})
	return c.store.Update(ctx, func(ctx context.Context, t Txn) error {
		if err := c.checkIncarnation(ctx, t); err != nil {
			return err
		}
		h, err := s.head(ctx, t, u.Container, u.Key)
		if err != nil || !h.introducedBy(u) {
			return err
		}
		if err := s.dropVersion(ctx, t, u.Container, &h.Current, c.epochs.current.Load()); err != nil {
			return err
		}
		if u.previous == nil {
			t.Delete(s.headKey(u.Container, u.Key))
			return nil
		}
		// The sequence of what was undone is not given again.
		previous := *u.previous
		previous.Highest = max(previous.Highest, h.Highest)
		t.Set(s.headKey(u.Container, u.Key), encodeRow(&previous))
		if !previous.exists() {
			return nil
		}
		return s.takeBack(ctx, t, u.Container, &previous.Current)
	})
}

// takeBack undoes dropVersion.
func (s Scope) takeBack(ctx context.Context, t Txn, name string, v *Version) error {
	var content Content
	if err := getRow(ctx, t, s.contentKey(v.Content), &content); err != nil {
		return fmt.Errorf("content %v of a version that was replaced: %w: %w", v.Content, container.ErrCorrupt, err)
	}
	content.Refs++
	t.Set(s.contentKey(v.Content), encodeRow(&content))
	t.Delete(s.condemnedKey(v.Content))
	s.addUsage(t, name, v, +1)
	return nil
}
