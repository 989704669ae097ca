package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/tenant"
)

// An Option configures an engine.
type Option func(*config) error

type config struct {
	store    catalog.Store
	drivers  []namedDriver
	resolver tenant.Resolver
	sinks    []event.Sink
	logger   *slog.Logger
	clock    func() time.Time
	reserve  reserve

	background int64 // bytes per second
}

type namedDriver struct {
	name string
	driver.Driver
}

// newConfig applies opts and reports everything that is wrong with them.
func newConfig(opts []Option) (*config, error) {
	c := &config{
		resolver: tenant.Optional(),
		logger:   slog.New(slog.DiscardHandler),
		clock:    time.Now,

		background: DefaultBackgroundRate,
	}
	var errs []error
	for _, opt := range opts {
		errs = append(errs, opt(c))
	}
	if c.store == nil {
		errs = append(errs, fmt.Errorf("%w: WithCatalog is missing", container.ErrInvalid))
	}
	if len(c.drivers) == 0 {
		errs = append(errs, fmt.Errorf("%w: WithDriver is missing", container.ErrInvalid))
	}
	return c, errors.Join(errs...)
}

// WithCatalog says where the engine keeps names. An engine needs one.
func WithCatalog(store catalog.Store) Option {
	return func(c *config) error {
		if store == nil || c.store != nil {
			return fmt.Errorf("%w: WithCatalog needs one store, once", container.ErrInvalid)
		}
		c.store = store
		return nil
	}
}

// WithDriver adds a place for bytes under a name of 1 to 64 bytes that the
// catalog remembers: it must be the same each time. An engine needs at least
// one driver; new artifacts go to the one that was given first.
func WithDriver(name string, d driver.Driver) Option {
	return func(c *config) error {
		if name == "" || len(name) > 64 || d == nil {
			return fmt.Errorf("%w: WithDriver needs a name of 1 to 64 bytes and a driver, got the name %q", container.ErrInvalid, name)
		}
		for _, other := range c.drivers {
			if other.name == name {
				return fmt.Errorf("%w: WithDriver was given the name %q twice", container.ErrInvalid, name)
			}
		}
		c.drivers = append(c.drivers, namedDriver{name, d})
		return nil
	}
}

// WithResolver says how to find the tenant of a call. The default is
// [tenant.Optional].
func WithResolver(r tenant.Resolver) Option {
	return func(c *config) error {
		if r == nil {
			return fmt.Errorf("%w: WithResolver needs a resolver", container.ErrInvalid)
		}
		c.resolver = r
		return nil
	}
}

// WithSink adds a receiver of events. Sinks remain the caller's to close, after
// the engine.
func WithSink(s event.Sink) Option {
	return func(c *config) error {
		if s == nil {
			return fmt.Errorf("%w: WithSink needs a sink", container.ErrInvalid)
		}
		c.sinks = append(c.sinks, s)
		return nil
	}
}

// WithLogger says where the engine writes diagnostics of its own: what it found
// while reclaiming, panics of drivers and sinks. The default is nowhere.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			return fmt.Errorf("%w: WithLogger needs a logger", container.ErrInvalid)
		}
		c.logger = l
		return nil
	}
}

// WithReserve makes every Put fail with ErrNoSpace that would leave fewer than
// min bytes of what free says is free, while reads and deletes go on. free is
// called at the start of each Put and for each MiB of it, and may be called
// concurrently. It belongs to a catalog that shares its disk with a driver: a
// catalog that cannot write stops until it is opened again. There is no reserve
// by default, except in package embedded.
func WithReserve(min int64, free func(ctx context.Context) (int64, error)) Option {
	return func(c *config) error {
		if min < 0 || free == nil {
			return fmt.Errorf("%w: WithReserve needs a number of bytes and a function", container.ErrInvalid)
		}
		c.reserve = reserve{min, free}
		return nil
	}
}

// WithBackgroundRate limits what the engine reads and writes in the background,
// to find orphans and to give space back, together with each [Engine.Scrub]. It is
// above 0; the default is DefaultBackgroundRate. [Engine.Reclaim] is not limited:
// who calls it waits for it.
func WithBackgroundRate(bytesPerSecond int64) Option {
	return func(c *config) error {
		if bytesPerSecond <= 0 {
			return fmt.Errorf("%w: background rate is %d bytes per second, more than 0 are accepted", container.ErrInvalid, bytesPerSecond)
		}
		c.background = bytesPerSecond
		return nil
	}
}

// WithClock replaces [time.Now] as the source of the times that are stored and
// recorded.
func WithClock(now func() time.Time) Option {
	return func(c *config) error {
		if now == nil {
			return fmt.Errorf("%w: WithClock needs a clock", container.ErrInvalid)
		}
		c.clock = now
		return nil
	}
}
