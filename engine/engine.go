package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/tenant"
)

// An Engine keeps containers of artifacts. Its methods may be called
// concurrently. The context of a call governs the call; that of Get governs the
// Reader as well.
type Engine struct {
	catalog  *catalog.Catalog
	store    catalog.Store
	drivers  map[string]driver.Driver
	primary  string // name of the driver that new blobs go to
	resolver tenant.Resolver
	sink     event.Sink
	logger   *slog.Logger
	clock    func() time.Time
	reserve  reserve
	pace     pace // of work in the background

	calls     driver.Gate // calls that run, open readers included
	readers   *readers    // contents that are being read
	reclaimer *reclaimer
	barrier   *barrier // nil unless a driver is asynchronous

	release    sync.Once
	releaseErr error
}

// New opens an engine over the parts that opts name. Every option that is
// wrong is reported, all in one error.
//
// Once New has returned nil, [Engine.Close] closes the store and the drivers;
// if it fails, they remain the caller's. ctx governs the opening only.
func New(ctx context.Context, opts ...Option) (*Engine, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	cat, err := catalog.Open(ctx, c.store, c.clock)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	e, err := newEngine(ctx, c, cat)
	if err != nil {
		// This run stored nothing that anybody would have to look for.
		return nil, fmt.Errorf("engine: %w", errors.Join(err, cat.End(ctx)))
	}
	return e, nil
}

func newEngine(ctx context.Context, c *config, cat *catalog.Catalog) (*Engine, error) {
	e := &Engine{
		catalog:  cat,
		store:    c.store,
		drivers:  make(map[string]driver.Driver, len(c.drivers)),
		primary:  c.drivers[0].name,
		resolver: c.resolver,
		sink:     event.Multi(c.sinks...),
		logger:   c.logger,
		clock:    c.clock,
		reserve:  c.reserve,
		pace:     newPace(c.background),
		readers:  newReaders(),
	}
	for _, d := range c.drivers {
		identity, err := driver.Identity(ctx, d.Driver)
		if err == nil {
			err = cat.CheckDriver(ctx, d.name, identity)
		}
		if err != nil {
			return nil, fmt.Errorf("driver %q: %w", d.name, err)
		}
		e.drivers[d.name] = d.Driver
	}
	interval := e.flushInterval()
	if err := e.undoLost(ctx); err != nil {
		return nil, err
	}
	if err := cat.BeginEpochs(ctx, interval > 0); err != nil {
		return nil, err
	}
	e.reclaimer = startReclaimer(e)
	if interval > 0 {
		e.barrier = startBarrier(e, interval)
	}
	return e, nil
}

// Close refuses new calls with ErrClosed, waits for those that run, open
// readers included, stops the work in the background, and closes the drivers and
// the store. If ctx ends while calls run, Close returns its error; the engine
// stays closed to new calls, and Close may be called again to go on waiting.
// Closing an engine that is closed does nothing.
func (e *Engine) Close(ctx context.Context) (err error) {
	op := e.beginUngated(ctx, event.CloseEngine, "", "")
	defer op.end(&err)
	if err := e.calls.Close(ctx); err != nil {
		return err
	}
	e.release.Do(func() { e.releaseErr = e.closeParts(ctx) })
	return e.releaseErr
}

// closeParts gives back what New took, once no call uses it any more. ctx limits
// what is still tried for the sake of order. The parts themselves are closed even
// if it has ended: what is closed by half cannot be closed again.
func (e *Engine) closeParts(ctx context.Context) error {
	clean := e.reclaimer.stop(ctx)
	ctx = context.WithoutCancel(ctx)
	var errs []error
	if e.barrier != nil {
		err := e.barrier.stop(ctx)
		clean = clean && err == nil
		errs = append(errs, err)
	}
	if clean {
		errs = append(errs, e.catalog.End(ctx))
	}
	for name, d := range e.drivers {
		if err := guard(func() error { return d.Close(ctx) }); err != nil {
			errs = append(errs, &container.Error{Op: string(event.CloseEngine), Driver: name, Err: err})
		}
	}
	return errors.Join(append(errs, e.store.Close(ctx))...)
}
