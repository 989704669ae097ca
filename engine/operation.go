package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/tenant"
)

// An operation is one call of an exported method, from its first line to its
// event. Every such method begins one and ends it:
//
//	op := e.begin(ctx, event.StatArtifact, name, key)
//	defer op.end(&err)
//	scope, err := op.admit(ctx)
type operation struct {
	engine  *Engine
	ctx     context.Context // for sinks: never cancelled
	name    string          // of the container, as it was asked for
	key     string          // of the artifact, as it was asked for
	event   event.Event
	blamed  string // name of the driver that failed
	refused error  // why the call may not run at all
	gated   bool   // entered the gate, and must leave it
	ended   bool
}

// begin starts an operation on a container and, unless key is empty, one of
// its artifacts. Close waits for it.
func (e *Engine) begin(ctx context.Context, kind event.Op, name, key string) *operation {
	op := e.beginUngated(ctx, kind, name, key)
	op.refused = e.calls.Enter()
	op.gated = op.refused == nil
	return op
}

// beginUngated is begin for the few calls that a closed engine takes.
func (e *Engine) beginUngated(ctx context.Context, kind event.Op, name, key string) *operation {
	return &operation{
		engine: e,
		ctx:    context.WithoutCancel(ctx),
		name:   name,
		key:    key,
		event: event.Event{
			Op:        kind,
			Principal: tenant.PrincipalFromContext(ctx).ID,
			// What is longer is refused, and not carried into every sink.
			Container: name[:min(len(name), container.MaxNameLength)],
			Artifact:  key[:min(len(key), container.MaxKeyLength)],
			Start:     e.clock(),
			Request:   event.RequestFromContext(ctx),
		},
	}
}

// admit decides whether the operation may run: the engine is open, ctx has not
// ended, and the tenant is known and valid. It returns the part of the catalog
// that the operation may use.
func (op *operation) admit(ctx context.Context) (catalog.Scope, error) {
	if op.refused != nil {
		return catalog.Scope{}, op.refused
	}
	if err := ctx.Err(); err != nil {
		return catalog.Scope{}, err
	}
	if err := op.resolveTenant(ctx); err != nil {
		return catalog.Scope{}, err
	}
	return op.engine.catalog.Scope(op.event.Tenant, tenant.PrincipalFromContext(ctx)), nil
}

// admitNamed is admit for operations on a container, whose name it checks.
func (op *operation) admitNamed(ctx context.Context) (catalog.Scope, error) {
	scope, err := op.admit(ctx)
	if err != nil {
		return scope, err
	}
	return scope, container.ValidateName(op.name)
}

// admitKey is admit for operations on an artifact, whose names it checks.
func (op *operation) admitKey(ctx context.Context) (catalog.Scope, error) {
	scope, err := op.admitNamed(ctx)
	if err != nil {
		return scope, err
	}
	return scope, container.ValidateKey(op.key)
}

func (op *operation) resolveTenant(ctx context.Context) (err error) {
	defer func() { op.survive(recover(), &err) }()
	id, err := op.engine.resolver.Resolve(ctx)
	if errors.Is(err, tenant.ErrMissing) {
		return fmt.Errorf("%w: %w", container.ErrDenied, err)
	}
	if err != nil {
		return fmt.Errorf("resolve tenant: %w", err)
	}
	if err := id.Validate(); err != nil {
		return fmt.Errorf("%w: %w", container.ErrInvalid, err)
	}
	op.event.Tenant = id
	return nil
}

// end is deferred by each operation. It turns a panic of the caller's code, a
// driver, a reader or a resolver, into an error, wraps the error once, and
// records the event.
func (op *operation) end(err *error) {
	op.survive(recover(), err)
	*err = op.finish(*err)
}

// endFailed is end for operations that hand over to a reader if they succeed.
func (op *operation) endFailed(err *error) {
	op.survive(recover(), err)
	if *err != nil {
		*err = op.finish(*err)
	}
}

func (op *operation) survive(panicked any, err *error) {
	if panicked == nil {
		return
	}
	op.engine.logger.Error("panic in an operation",
		"op", op.event.Op, "panic", panicked, "stack", string(debug.Stack()))
	*err = fmt.Errorf("panic: %v", panicked)
}

// finish records the operation's event, the first time that it is called, and
// returns err as the caller is to see it.
func (op *operation) finish(err error) error {
	if op.ended {
		return err
	}
	op.ended = true
	err = op.wrap(err)
	now := op.engine.clock()
	op.event.ID = newULID(now).String()
	op.event.Duration = max(now.Sub(op.event.Start), 0)
	op.event.Err = err
	op.event.Outcome = event.OutcomeOf(err)
	op.engine.record(op.ctx, op.event)
	if op.gated {
		op.engine.calls.Leave()
	}
	return err
}

func (op *operation) wrap(err error) error {
	if _, wrapped := err.(*container.Error); err == nil || wrapped {
		return err
	}
	return &container.Error{
		Op:        string(op.event.Op),
		Container: op.event.Container,
		Artifact:  op.event.Artifact,
		Driver:    op.blamed,
		Err:       err,
	}
}

// record hands ev to the sinks and survives them.
func (e *Engine) record(ctx context.Context, ev event.Event) {
	defer func() {
		if p := recover(); p != nil {
			e.logger.Error("panic in an event sink", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	e.sink.Record(ctx, ev)
}

// Refuse records that a request was turned away with err before it reached the
// operation kind, by a front end that speaks for the engine. name and key are
// empty if the request did not get as far as naming them. It returns err wrapped
// as the operation would have wrapped it.
func (e *Engine) Refuse(ctx context.Context, kind event.Op, name, key string, err error) error {
	op := e.beginUngated(ctx, kind, name, key)
	if id, ok := tenant.FromContext(ctx); ok {
		op.event.Tenant = id
	}
	return op.finish(err)
}

// newULID returns an identifier that sorts by time.
func newULID(t time.Time) ulid.ULID {
	return ulid.MustNew(ulid.Timestamp(t), rand.Reader) // crypto/rand never fails
}
