package engine

import (
	"context"

	"github.com/vaultaire/vaultaire/event"
)

// ReleaseOrphans lets an engine that was restored from a backup, or whose catalog
// was made anew, delete blobs that nothing names. Until then it keeps them, and
// counts them in ReclaimReport.Held: the catalog may be older than they are, and
// whoever misses an artifact can still look for its bytes. The blobs go with the
// next Reclaim, or in the background the next time the engine is opened. What was
// released cannot be held again.
//
// It concerns all tenants, so its event names none.
func (e *Engine) ReleaseOrphans(ctx context.Context) (err error) {
	op := e.begin(ctx, event.ReleaseOrphans, "", "")
	defer op.end(&err)
	if op.refused != nil {
		return op.refused
	}
	return e.catalog.Release(ctx)
}
