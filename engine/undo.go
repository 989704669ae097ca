package engine

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

// undoPage is how many commits are read from the catalog together.
const undoPage = 100

// undoLost undoes what an earlier run has put into asynchronous drivers and a
// power cut has taken, before anything is served: of the commits that no barrier
// covers, the last one first, those whose bytes are not exactly what was put. It
// may be cut off anywhere and run again. A driver that cannot be asked fails it:
// nothing is guessed. After a run that was merely killed, all bytes are there.
func (e *Engine) undoLost(ctx context.Context) error {
	checked, undone := 0, 0
	var after *catalog.Undo
	for {
		page, err := e.catalog.Undoable(ctx, after, undoPage)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		if after == nil {
			// What is read now may be with the operating system only.
			if err := e.flush(ctx); err != nil {
				return err
			}
		}
		for _, u := range page {
			lost, err := e.undoIfLost(ctx, u)
			if err != nil {
				return fmt.Errorf("check what was put last: %w", &container.Error{
					Op: "undo", Container: u.Container, Artifact: u.Key, Err: err,
				})
			}
			checked++
			if lost {
				undone++
			}
		}
		after = &page[len(page)-1]
	}
	if checked > 0 {
		e.logger.Info("checked what was put last before an unclean end", "checked", checked, "undone", undone)
	}
	return nil
}

func (e *Engine) undoIfLost(ctx context.Context, u catalog.Undo) (lost bool, err error) {
	v, content, current, err := e.catalog.Introduced(ctx, u)
	if err != nil || !current {
		return false, err
	}
	intact, err := e.isIntact(ctx, v, content)
	if err != nil || intact {
		return false, err
	}
	if err := e.catalog.Undo(ctx, u); err != nil {
		return false, err
	}
	e.logger.Warn("undid a put whose bytes were lost", "tenant", u.Tenant, "container", u.Container, "artifact", u.Key)
	return true, nil
}

// isIntact reports whether a replica of content holds exactly what was put.
func (e *Engine) isIntact(ctx context.Context, v catalog.Version, content catalog.Content) (bool, error) {
	if len(content.Replicas) == 0 {
		return false, fmt.Errorf("content %v names no place of its bytes", v.Content)
	}
	var errs []error
	for _, replica := range content.Replicas {
		d, err := e.driver(replica.Driver)
		if err == nil {
			err = guard(func() error { return checkBlob(ctx, d, replica.Ref, v) })
		}
		switch {
		case err == nil:
			return true, nil
		case isLoss(err):
		default:
			errs = append(errs, fmt.Errorf("driver %q: %w", replica.Driver, err))
		}
	}
	return false, errors.Join(errs...)
}

// isLoss reports whether a driver's error says that bytes are gone or damaged.
func isLoss(err error) bool {
	for _, loss := range []error{container.ErrNotFound, container.ErrCorrupt, container.ErrRange} {
		if errors.Is(err, loss) {
			return true
		}
	}
	return false
}

// checkBlob reads a whole blob, and returns an ErrCorrupt unless it is the bytes
// of v and its trailer. Drivers that do not verify what they read may yield
// anything.
func checkBlob(ctx context.Context, d driver.Driver, ref driver.Ref, v catalog.Version) error {
	tail, err := catalog.VerifyBlob(ctx, d, ref, io.Discard)
	if err != nil {
		return err
	}
	return blobIsOf(tail, v)
}

// blobIsOf returns an ErrCorrupt unless a blob, which is what its trailer says, is
// that of v.
func blobIsOf(tail catalog.Tail, v catalog.Version) error {
	put := &tail.Trailer.Version
	want, _ := v.Digests.Get(container.CRC64NVME)
	got, _ := put.Digests.Get(container.CRC64NVME)
	if put.Content != v.Content || put.Size != v.Size || got != want {
		return fmt.Errorf("%w: blob is that of content %v, of %d bytes with the %s %s", container.ErrCorrupt,
			put.Content, put.Size, container.CRC64NVME, got.Hex())
	}
	return nil
}
