package catalog

import (
	"context"
	"errors"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/tenant"
)

// MoveReplica makes the row of a content name the copy at to of a driver in
// place of the one at from, durably, and reports whether it did. It does not if
// there is no such content, if nothing refers to it any more, or if it does not
// name from; then the copy at to is not needed.
//
// The caller has that copy durably stored. After an ErrUnknownOutcome, either
// may be the one that is named; after any other error it is the one at from.
func (c *Catalog) MoveReplica(ctx context.Context, id tenant.ID, content ContentID, name string, from, to driver.Ref) (moved bool, err error) {
	key := c.Scope(id, tenant.Principal{}).contentKey(content)
	err = c.store.Update(ctx, func(ctx context.Context, t Txn) error {
		moved = false
		if err := c.checkIncarnation(ctx, t); err != nil {
			return err
		}
		var row Content
		err := getRow(ctx, t, key, &row)
		if errors.Is(err, errAbsent) {
			return nil
		}
		if err != nil {
			return err
		}
		i := row.findReplica(name, from)
		// The copies of a condemned content stay where who frees it has seen them.
		if i < 0 || row.Refs == 0 || row.HasReplica(name, to) {
			return nil
		}
		row.Replicas[i].Ref = to
		t.Set(key, encodeRow(&row))
		moved = true
		return nil
	})
	return moved, err
}
