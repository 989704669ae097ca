package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vaultaire/vaultaire/driver"
)

// A barrier makes what calls did survive a power cut, time and again: see
// [catalog.Catalog.Barrier]. An engine has one if a driver of it is asynchronous.
type barrier struct {
	engine   *Engine
	interval time.Duration
	stopping chan struct{} // closed to end the background goroutine
	done     chan struct{} // closed when it has returned
	raising  chan struct{} // held, by sending, by the one that is being raised
}

// flushInterval returns for how long at most what drivers did may stay volatile,
// 0 if no driver is asynchronous.
func (e *Engine) flushInterval() (interval time.Duration) {
	for _, d := range e.drivers {
		if own := driver.FlushInterval(d); own > 0 && (interval == 0 || own < interval) {
			interval = own
		}
	}
	return interval
}

// flush makes durable what drivers did for calls that have returned.
func (e *Engine) flush(ctx context.Context) error {
	var errs []error
	for name, d := range e.drivers {
		if err := guard(func() error { return driver.Flush(ctx, d) }); err != nil {
			errs = append(errs, fmt.Errorf("flush driver %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func startBarrier(e *Engine, interval time.Duration) *barrier {
	b := &barrier{
		engine:   e,
		interval: interval,
		stopping: make(chan struct{}),
		done:     make(chan struct{}),
		raising:  make(chan struct{}, 1),
	}
	go b.run()
	return b
}

func (b *barrier) run() {
	defer close(b.done)
	failed := false
	for {
		select {
		case <-b.stopping:
			return
		case <-time.After(b.interval):
		}
		// One that has begun is waited for: whether a flush that is cut off
		// succeeded, nobody knows.
		err := b.raise(context.Background(), false)
		switch {
		case err != nil && !failed:
			b.engine.logger.Warn("what was put last is not durable; tried again at every interval", "error", err, "interval", b.interval)
		case err == nil && failed:
			b.engine.logger.Info("what was put is durable again")
		}
		failed = err != nil
	}
}

// raise makes everything survive a power cut that calls did which have returned.
// Unless it is told always to do so, it does nothing if there was no commit.
func (b *barrier) raise(ctx context.Context, always bool) error {
	select {
	case b.raising <- struct{}{}:
		defer func() { <-b.raising }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if !always && !b.engine.catalog.Unsettled() {
		return nil
	}
	if err := b.engine.catalog.Barrier(ctx, b.engine.flush); err != nil {
		return err
	}
	b.engine.reclaimer.wakeUp() // for what it has covered
	return nil
}

// stop ends the background work and raises the last barrier. No call runs any
// more. What the reclaimer has deleted is to stay deleted, so it is raised even
// if nothing was committed.
func (b *barrier) stop(ctx context.Context) error {
	close(b.stopping)
	<-b.done
	return b.raise(ctx, true)
}
