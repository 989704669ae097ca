package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/vaultaire/vaultaire/container"
)

// CheckPut returns the container, and the error that a Put with the condition
// would have if it were committed now: an ErrContainerNotFound, ErrDenied,
// ErrPrecondition or ErrArtifactNotFound. It is a courtesy; [Scope.Put] decides.
func (s Scope) CheckPut(ctx context.Context, name, key string, cond container.Condition) (c container.Container, err error) {
	err = s.catalog.store.View(ctx, func(ctx context.Context, r Reader) error {
		if c, err = s.container(ctx, r, name); err != nil {
			return err
		}
		if cond.IsZero() {
			return nil
		}
		h, err := s.head(ctx, r, name, key)
		if err != nil {
			return err
		}
		return cond.CheckWrite(h.artifact(name, key))
	})
	return c, err
}

// Put makes v the current version of the key, pointing to content, and returns
// it as it was committed. The version that it replaces is gone, and its content
// condemned if nothing else refers to it; replaced says whether there was one.
//
// The caller has stored the blob of content, durably unless its driver is
// asynchronous. After any error other than ErrUnknownOutcome no row names it.
func (s Scope) Put(ctx context.Context, name, key string, cond container.Condition, v Version, content Content) (_ Version, replaced bool, err error) {
	content.Refs = 1
	err = s.catalog.commit(ctx, func(ctx context.Context, t Txn) error {
		if err := s.catalog.checkIncarnation(ctx, t); err != nil {
			return err
		}
		if _, err := s.container(ctx, t, name); err != nil {
			return err
		}
		epoch := s.catalog.epochs.current.Load()
		h, err := s.head(ctx, t, name, key)
		if err != nil {
			return err
		}
		if err := cond.CheckWrite(h.artifact(name, key)); err != nil {
			return err
		}
		s.noteUndo(t, epoch, name, key, v.Content, h)
		if replaced = h.exists(); replaced {
			if err := s.dropVersion(ctx, t, name, &h.Current, epoch); err != nil {
				return err
			}
		}
		s.stamp(&v, h.Highest)
		h.Highest, h.Current = v.Sequence, v
		t.Set(s.headKey(name, key), encodeRow(&h))
		t.Set(s.contentKey(v.Content), encodeRow(&content))
		s.addUsage(t, name, &v, +1)
		return nil
	})
	return v, replaced, err
}

// stamp gives v its place among the versions of its key.
func (s Scope) stamp(v *Version, highest uint64) {
	now := s.catalog.clock()
	v.Sequence = max(uint64(now.UnixNano()), highest+1)
	v.Modified = now.UTC()
}

// head reads the row of a key; it is zero if there is none.
func (s Scope) head(ctx context.Context, r Reader, name, key string) (h head, err error) {
	err = getRow(ctx, r, s.headKey(name, key), &h)
	if errors.Is(err, errAbsent) {
		return head{}, nil
	}
	return h, err
}

// exists reports whether the key has an artifact.
func (h *head) exists() bool { return h.Highest > 0 && !h.Current.Marker }

// artifact returns the key's artifact, or nil.
func (h *head) artifact(name, key string) *container.Artifact {
	if !h.exists() {
		return nil
	}
	a := h.Current.Artifact(name, key)
	return &a
}

// dropVersion takes a version's reference to its content away, and its usage. What
// is condemned by that stays until epoch, that of the commit, is covered.
func (s Scope) dropVersion(ctx context.Context, t Txn, name string, v *Version, epoch uint64) error {
	s.addUsage(t, name, v, -1)
	var content Content
	if err := getRow(ctx, t, s.contentKey(v.Content), &content); err != nil {
		return fmt.Errorf("content %v of a version: %w: %w", v.Content, container.ErrCorrupt, err)
	}
	if content.Refs == 0 {
		return fmt.Errorf("content %v of a version: %w: nothing refers to it", v.Content, container.ErrCorrupt)
	}
	content.Refs--
	t.Set(s.contentKey(v.Content), encodeRow(&content))
	if content.Refs == 0 {
		t.Set(s.condemnedKey(v.Content), encodeRow(&condemnedRow{Epoch: epoch}))
	}
	return nil
}
