package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

// A reclaimer frees the bytes that nothing refers to, in the background. There
// are four kinds of them:
//   - condemned contents: rows say so, from the transaction that took away the
//     last reference until the bytes are gone;
//   - blobs of puts that failed in this run: a list in memory;
//   - places that bytes have left in this run: a list in memory;
//   - orphans: blobs of puts that were cut off by a crash, or that a failing
//     driver left behind, and copies of moves that were. Only a sweep through
//     the drivers finds them.
type reclaimer struct {
	engine *Engine
	wake   chan struct{} // holds one element if there may be work
	cancel context.CancelFunc
	done   chan struct{} // closed when the background goroutine has returned

	passing chan struct{} // held, by sending, by the pass that runs; see pause
	hurried atomic.Int64  // callers who wait for a pass, which is then not paced
	tending atomic.Bool   // a pass tends to what has come up meanwhile

	mu        sync.Mutex
	active    map[catalog.ContentID]struct{} // puts and moves whose outcome is not known
	discarded []location                     // blobs of puts that failed
	left      map[location]*leaving          // places that bytes have left
	unclean   bool                           // this run may leave orphans
}

// maxDiscarded is how many blobs of failed puts are remembered. Those beyond it
// are left for a sweep.
const maxDiscarded = 10_000

// A location is where one copy of a blob is.
type location struct {
	driver string
	ref    driver.Ref
}

func startReclaimer(e *Engine) *reclaimer {
	ctx, cancel := context.WithCancel(context.Background())
	r := &reclaimer{
		engine:  e,
		wake:    make(chan struct{}, 1),
		cancel:  cancel,
		done:    make(chan struct{}),
		passing: make(chan struct{}, 1),
		active:  make(map[catalog.ContentID]struct{}),
		left:    make(map[location]*leaving),
	}
	r.wakeUp() // for what the last run left
	go r.run(ctx)
	return r
}

// stop ends the background work and reports whether this run leaves no orphans.
// No put runs any more.
func (r *reclaimer) stop(ctx context.Context) (clean bool) {
	r.cancel()
	<-r.done
	if err := errors.Join(r.deleteDiscarded(ctx), r.deleteLeft(ctx)); err != nil {
		r.engine.logger.Warn("blobs are left for the next run to delete", "error", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.unclean && len(r.discarded)+len(r.left) == 0
}

// wakeUp says that there may be work.
func (r *reclaimer) wakeUp() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// What failed is tried again after a while, and so is a sweep. What is new is
// seen to at once.
const (
	minRetryDelay = time.Second
	maxRetryDelay = 10 * time.Minute
)

func (r *reclaimer) run(ctx context.Context) {
	defer close(r.done)
	var retry <-chan time.Time // nil unless something failed
	delay := minRetryDelay
	scope := sweepUnclean // what the next pass sweeps
	swept := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-retry:
			retry = nil
			if !swept {
				scope = sweepUnclean
			}
		}
		_, err := r.pass(ctx, scope)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			swept = swept || scope == sweepUnclean
			delay = minRetryDelay
		case retry == nil:
			r.engine.logger.Warn("reclaim failed and will be tried again", "error", err, "delay", delay)
			retry = time.After(delay)
			delay = min(2*delay, maxRetryDelay)
		}
		scope = sweepNothing
	}
}

// putBegins notes that blobs with the ID may appear, which are not orphans.
func (r *reclaimer) putBegins(id catalog.ContentID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active[id] = struct{}{}
}

// putCommitted notes that a row has the ID now, and whether that has condemned
// another content.
func (r *reclaimer) putCommitted(id catalog.ContentID, replaced bool) {
	r.mu.Lock()
	delete(r.active, id)
	r.mu.Unlock()
	if replaced {
		r.condemned()
	}
}

// condemned notes that a commit has condemned a content. If a barrier has to
// cover that first, the barrier will wake the reclaimer.
func (r *reclaimer) condemned() {
	if r.engine.barrier == nil {
		r.wakeUp()
	}
}

// putFailed notes that no row will ever have the ID. blob is what the put had
// stored. Without a ref, only a sweep can tell whether there is anything, and
// there is nothing unless the blob was whole.
func (r *reclaimer) putFailed(id catalog.ContentID, blob location, whole bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.active, id)
	switch {
	case blob.ref != "" && len(r.discarded) < maxDiscarded:
		r.discarded = append(r.discarded, blob)
		r.wakeUp()
	case whole:
		r.unclean = true
	}
}

// putUnknown notes that nobody knows whether a row has the ID of a put. It
// stays active: no sweep of this run will touch its blob.
func (r *reclaimer) putUnknown() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unclean = true
}

func (r *reclaimer) isActive(id catalog.ContentID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.active[id]
	return ok
}
