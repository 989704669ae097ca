package engine

import (
	"context"
	"errors"

	"github.com/vaultaire/vaultaire/engine/catalog"
)

// A leaving is a place that bytes have left: a row names another one. Who looked
// the row up before may still be reading there.
type leaving struct {
	content catalog.ContentID
	settled bool   // those who may be reading there are known
	pins    []*pin // theirs
}

// hasLeft notes that the catalog names another place for the content's bytes.
func (r *reclaimer) hasLeft(id catalog.ContentID, blob location) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left[blob] = &leaving{content: id}
}

// isLeft reports whether the place waits to be deleted.
func (r *reclaimer) isLeft(blob location) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.left[blob]
	return ok
}

// moveUnknown notes that nobody knows which copy of a content is named. It is
// as good as being put: no sweep of this run touches any.
func (r *reclaimer) moveUnknown(id catalog.ContentID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active[id] = struct{}{}
	r.unclean = true
}

// deleteLeft deletes the places that bytes have left and where nobody reads any
// more. The others remain on the list. Several calls at a time do no harm.
func (r *reclaimer) deleteLeft(ctx context.Context) error {
	list := r.leavings(func(l *leaving) bool { return !l.settled })
	if len(list) > 0 {
		if err := r.engine.readers.settle(ctx); err != nil {
			return err
		}
		r.mu.Lock()
		for _, blob := range list {
			// Another call may have been faster.
			if l := r.left[blob]; l != nil && !l.settled {
				l.settled, l.pins = true, r.engine.readers.leave(l.content)
			}
		}
		r.mu.Unlock()
	}
	list = r.leavings(func(l *leaving) bool { return l.settled && !r.engine.readers.isHeld(l.pins) })
	errs := r.deleteBlobs(ctx, list)
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, blob := range list {
		if errs[i] == nil {
			delete(r.left, blob)
		}
	}
	return errors.Join(errs...)
}

// leavings returns those places on the list that match.
func (r *reclaimer) leavings(match func(*leaving) bool) (list []location) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for blob, l := range r.left {
		if match(l) {
			list = append(list, blob)
		}
	}
	return list
}
