// Package event tells the application what its engine does.
//
// An engine records one [Event] for every call of every operation, at the end
// of the call: reads and refusals as well as changes. A [Sink] receives them.
// [Slog] and [OpenJSONLines] write them down, [Multi] passes them to several
// sinks, and [Async] puts a bounded buffer before a slow one:
//
//	file, err := event.OpenJSONLines(ctx, "events.jsonl")
//	...
//	sink := event.Async(file, event.AsyncOptions{Buffer: 4096, WhenFull: event.Wait})
//	eng, err := engine.New(ctx, engine.WithSink(sink), ...)
//
// Package metrics has a sink that counts.
package event

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/tenant"
)

// An Event is what one operation did. Its values are never changed once it has
// been recorded. It holds names but no secrets and no artifact's bytes.
type Event struct {
	ID        string // unique; sorts by the time the operation ended
	Op        Op
	Tenant    tenant.ID // "" if the operation was refused before its tenant was known
	Principal string    // ID of the tenant.Principal; "" for the application itself
	Container string
	Artifact  string // the key
	Version   container.Version
	Driver    string // name of the driver that holds the bytes; "" if none was used
	Start     time.Time
	Duration  time.Duration // to the end of the call, or until the reader was closed
	Bytes     int64         // artifact bytes taken in or given out
	Outcome   Outcome
	Err       error // nil if the outcome is OK
	Request   Request
}

// A Request says which network request, if any, an operation is part of.
type Request struct {
	ID         string // as the client was told
	RemoteAddr string // address and port of the client
	API        string // name of the operation in the client's protocol, such as "PutObject"
}

type requestKey struct{}

// WithRequest returns a context that carries r. Events of operations that run
// with the context, or one made from it, name r.
func WithRequest(ctx context.Context, r Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestFromContext returns the request that ctx carries, or the zero Request.
func RequestFromContext(ctx context.Context) Request {
	r, _ := ctx.Value(requestKey{}).(Request)
	return r
}

// A Sink receives events.
type Sink interface {
	// Record takes e. It may be called concurrently, and is called on the
	// goroutine of the operation, which waits for it: a sink that can be slow
	// belongs behind [Async]. ctx carries the values of the operation's
	// context but is not cancelled with it. A sink cannot fail an operation;
	// it deals with its own failures, and an engine survives its panics.
	Record(ctx context.Context, e Event)
}

// SinkFunc makes a Sink of a function.
type SinkFunc func(ctx context.Context, e Event)

// Record calls f.
func (f SinkFunc) Record(ctx context.Context, e Event) { f(ctx, e) }

// An Op names an operation of the engine.
type Op string

// The operations.
const (
	CreateContainer Op = "create_container"
	StatContainer   Op = "stat_container"
	DeleteContainer Op = "delete_container"
	ListContainers  Op = "list_containers"
	PutArtifact     Op = "put_artifact"
	GetArtifact     Op = "get_artifact"
	StatArtifact    Op = "stat_artifact"
	DeleteArtifact  Op = "delete_artifact"
	ListArtifacts   Op = "list_artifacts"
	Reclaim         Op = "reclaim"
	Scrub           Op = "scrub"
	// DamagedArtifact is recorded for each damaged copy of an artifact that a
	// scrub finds.
	DamagedArtifact Op = "damaged_artifact"
	ReleaseOrphans  Op = "release_orphans"
	Backup          Op = "backup"
	CloseEngine     Op = "close_engine"
	// Unknown is the operation of a request that was refused before anyone
	// could tell what it asks for.
	Unknown Op = "unknown"
)

// Ops returns every Op, so that sinks can prepare for all of them.
func Ops() []Op {
	return []Op{
		CreateContainer, StatContainer, DeleteContainer, ListContainers,
		PutArtifact, GetArtifact, StatArtifact, DeleteArtifact, ListArtifacts,
		Reclaim, Scrub, DamagedArtifact, ReleaseOrphans, Backup, CloseEngine, Unknown,
	}
}

// An Outcome sorts results into few kinds, for counting.
type Outcome string

// The outcomes.
const (
	OK        Outcome = "ok"
	NotFound  Outcome = "not_found"
	Denied    Outcome = "denied"
	Conflict  Outcome = "conflict" // a condition was not met, or the state forbids it
	Invalid   Outcome = "invalid"  // the caller asked for what cannot be
	Quota     Outcome = "quota"
	Throttled Outcome = "throttled"
	Canceled  Outcome = "canceled" // the caller, or its deadline, gave up
	Failed    Outcome = "error"    // everything else: ours to look into
)

// Outcomes returns every Outcome.
func Outcomes() []Outcome {
	return []Outcome{OK, NotFound, Denied, Conflict, Invalid, Quota, Throttled, Canceled, Failed}
}

// sentinelOutcomes says which outcome each sentinel stands for. An error that
// matches several sentinels has the outcome that comes first: damage is ours to
// look into whatever led to it, and a refusal says more than the cancellation
// that may have come of it.
var sentinelOutcomes = []struct {
	outcome   Outcome
	sentinels []error
}{
	{Failed, []error{container.ErrCorrupt, container.ErrNoSpace}},
	{Denied, []error{container.ErrDenied, tenant.ErrMissing}},
	{Quota, []error{container.ErrQuota}},
	{Throttled, []error{container.ErrThrottled}},
	{NotFound, []error{container.ErrNotFound}},
	{Conflict, []error{
		container.ErrPrecondition, container.ErrExists, container.ErrNotEmpty,
		container.ErrLocked, container.ErrReadOnly,
	}},
	{Invalid, []error{
		container.ErrInvalid, container.ErrRange, container.ErrTooLarge, container.ErrDigest,
		container.ErrLength, tenant.ErrInvalid, errors.ErrUnsupported,
	}},
	{Canceled, []error{container.ErrSource, context.Canceled, context.DeadlineExceeded}},
}

// OutcomeOf returns the outcome that err stands for; nil stands for [OK].
func OutcomeOf(err error) Outcome {
	if err == nil {
		return OK
	}
	for _, o := range sentinelOutcomes {
		if slices.ContainsFunc(o.sentinels, func(s error) bool { return errors.Is(err, s) }) {
			return o.outcome
		}
	}
	return Failed
}
