package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// Asynchronous drivers return from Put before the bytes survive a power cut. A
// catalog over such drivers is lazy as well, and divides its commits into epochs.
// A commit that names new bytes leaves an undo row with its epoch, which says
// what the key was before. A barrier covers the epochs up to its own: what they
// named is durable, and their undo rows are of no use any more. After a power cut
// the engine looks at the undo rows of epochs that no barrier covers, and undoes
// those commits whose bytes are lost. Until then the content that such a commit
// replaced has to stay: what is condemned in an epoch is freed once a barrier
// covers that.
type epochs struct {
	deferred  bool          // drivers are asynchronous; set before there are commits
	current   atomic.Uint64 // of commits now
	covered   atomic.Uint64 // by the last barrier
	undos     atomic.Uint64 // how many undo rows this incarnation has numbered
	unsettled atomic.Bool   // there were commits since the last barrier began
}

// epochsPerRun is more than the epochs of any one incarnation.
const epochsPerRun = 1 << 32

// A barrierRow is the row of the last barrier.
type barrierRow struct {
	unknownFields
	Epoch uint64 // the last that it covers
}

func (b *barrierRow) appendFields(p []byte) []byte {
	return append(appendUint(p, 1, b.Epoch), b.unknownFields...)
}

func (b *barrierRow) setField(f field) (bool, error) {
	if !f.isUint(1) {
		return false, nil
	}
	b.Epoch = f.value
	return true, nil
}

// lastBarrier reads the row of the last barrier; it is zero if there never was one.
func lastBarrier(ctx context.Context, r Reader) (row barrierRow, err error) {
	err = getRow(ctx, r, metaKey(metaBarrier), &row)
	if errors.Is(err, errAbsent) {
		return barrierRow{}, nil
	}
	return row, err
}

// BeginEpochs says that everything which was committed before this incarnation
// is durable or undone. deferred says whether drivers are asynchronous from now
// on; then commits are lazy, and what they name is to be covered by barriers. It
// is called before the first commit.
func (c *Catalog) BeginEpochs(ctx context.Context, deferred bool) error {
	var last barrierRow
	err := c.store.View(ctx, func(ctx context.Context, r Reader) (err error) {
		last, err = lastBarrier(ctx, r)
		return err
	})
	if err != nil {
		return fmt.Errorf("catalog: last barrier: %w", err)
	}
	if last.Epoch == 0 && !deferred {
		return nil // no driver ever was
	}
	ended := last.Epoch + epochsPerRun
	if err := c.cover(ctx, 0, ended); err != nil {
		return err
	}
	c.epochs.current.Store(ended + 1)
	c.epochs.deferred = deferred
	return nil
}

// Unsettled reports whether there may have been commits since the last Barrier
// began.
func (c *Catalog) Unsettled() bool { return c.epochs.unsettled.Load() }

// Barrier makes everything that was committed before the call survive a power
// cut, bytes included. flush makes durable what drivers were told to store or to
// delete before it is called. One Barrier runs at a time. After an error nothing
// is covered that was not before.
//
// Commits go on meanwhile. Each of them reads the current epoch in its
// transaction, when its bytes are with the driver already. One that has read an
// epoch which has ended since had its bytes there before the flush began, so it
// is covered, even if it is applied only after the barrier. One that read a
// later epoch is not covered by this barrier, even if it is durable with it.
func (c *Catalog) Barrier(ctx context.Context, flush func(ctx context.Context) error) (err error) {
	c.epochs.unsettled.Store(false)
	defer func() {
		if err != nil {
			c.epochs.unsettled.Store(true)
		}
	}()
	ended := c.epochs.current.Add(1) - 1
	if err := flush(ctx); err != nil {
		return err
	}
	// A commit may have left its row after the last barrier had removed those of
	// its epoch, so that epoch is looked through once more.
	return c.cover(ctx, c.epochs.covered.Load(), ended)
}

// cover writes the barrier of the epoch ended, which makes everything durable
// that was committed before, and removes the undo rows of the epochs from oldest
// on. Rows that a crash leaves behind are not looked at again.
func (c *Catalog) cover(ctx context.Context, oldest, ended uint64) error {
	update := c.store.Update
	for more := true; more; {
		err := update(ctx, func(ctx context.Context, t Txn) (err error) {
			if err := c.checkIncarnation(ctx, t); err != nil {
				return err
			}
			t.Set(metaKey(metaBarrier), encodeRow(&barrierRow{Epoch: ended}))
			more, err = removeUndos(ctx, t, oldest, ended)
			return err
		})
		if err != nil {
			return fmt.Errorf("catalog: barrier: %w", err)
		}
		c.epochs.covered.Store(ended)
		update = func(ctx context.Context, fn func(ctx context.Context, t Txn) error) error {
			return UpdateLazily(ctx, c.store, fn) // the barrier stands
		}
	}
	return nil
}

// removeUndos removes undo rows of the epochs from oldest to newest, as many as
// a transaction may, and reports whether there may be more.
func removeUndos(ctx context.Context, t Txn, oldest, newest uint64) (more bool, err error) {
	it, err := t.Scan(ctx, undoEpoch(newest), prefixEnd(undoEpoch(oldest)))
	if err != nil {
		return false, err
	}
	defer it.Close()
	const limit = MaxStoreWrites - 1
	n := 0
	for ; n < limit && it.Next(); n++ {
		t.Delete(it.Key())
	}
	return n == limit, it.Close()
}

// commit runs fn as a transaction of which the bytes may be volatile, so it may
// be as well: whatever a power cut takes of it, the undo rows make whole.
func (c *Catalog) commit(ctx context.Context, fn func(ctx context.Context, t Txn) error) error {
	if !c.epochs.deferred {
		return c.store.Update(ctx, fn)
	}
	// Only once it is applied: a barrier that begins before may miss it.
	defer c.epochs.unsettled.Store(true)
	return UpdateLazily(ctx, c.store, fn)
}
