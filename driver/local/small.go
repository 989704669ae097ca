package local

import (
	"context"
	"fmt"
	"time"

	"github.com/vaultaire/vaultaire/driver"
)

// putSmall appends what is in b to a segment.
func (d *Driver) putSmall(ctx context.Context, b *recordBuffer) (driver.Ref, error) {
	item := &appendix{buffer: b, nonce: newNonce()}
	b.complete(item.nonce, time.Now())
	if err := ctx.Err(); err != nil {
		return "", err
	}
	// From here on the outcome is waited for, which takes no longer than a sync.
	if err := d.appender.rounds.do(item); err != nil {
		return "", fmt.Errorf("append to a segment: %w", err)
	}
	return item.ref.ref(), nil
}
