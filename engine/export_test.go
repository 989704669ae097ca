package engine

import (
	"context"

	"github.com/vaultaire/vaultaire/engine/catalog"
)

// RaiseBarrier makes everything survive a power cut that calls did which have
// returned.
func RaiseBarrier(ctx context.Context, e *Engine) error { return e.barrier.raise(ctx, false) }

// CatalogOf returns the catalog of e.
func CatalogOf(e *Engine) *catalog.Catalog { return e.catalog }
