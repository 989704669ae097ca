package catalog

import (
	"context"
	"time"
)

// AddIncarnations adds rows of incarnations, of which every second one ended
// cleanly.
func AddIncarnations(ctx context.Context, store Store, list []Incarnation) error {
	return store.Update(ctx, func(_ context.Context, t Txn) error {
		for n, i := range list {
			t.Set(i.key(), encodeRow(&incarnationRow{Started: time.Unix(int64(n), 0), Clean: n%2 == 0}))
		}
		return nil
	})
}
