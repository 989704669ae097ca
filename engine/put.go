package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/event"
)

// PutOptions qualify a Put. The zero value is an unconditional Put of bytes of
// which nothing is known.
type PutOptions struct {
	// Size is the number of bytes that the source yields, if it is known and
	// not 0. The Put fails with ErrLength if it yields another number.
	Size     int64
	Headers  container.ContentHeaders
	Metadata map[string]string
	Class    string // storage class, at most 64 bytes; "" is the default
	// Condition is checked at the instant of the commit, and once before the
	// source is read. IfModifiedSince is ignored.
	Condition container.Condition
	// Digests are computed and kept, besides CRC64NVME, which always is.
	Digests []container.Algorithm
	// Expect lists digests that the bytes must have, else the Put fails with
	// a *DigestError. They are kept as well.
	Expect container.Digests
	// Tag computes Artifact.Tag, 1 to 64 bytes without quotes, from all digests
	// of the bytes. nil stands for a tag that no other version of any
	// artifact has. It must not block.
	Tag func(container.Digests) string
}

const (
	maxTagLength   = 64
	maxClassLength = 64
)

// Put stores all that src yields as the artifact under key, and returns when
// that is durable, unless a driver is asynchronous. An artifact that was there is replaced. src is read to its
// end once, in order, and not after Put has returned; bytes flow from it to the
// driver in pieces.
//
// On any error the artifact is as it was before (but see
// catalog.ErrUnknownOutcome). ErrContainerNotFound, ErrDenied, and ErrPrecondition
// if the condition is not met, ErrArtifactNotFound if IfMatch is asked of
// nothing; ErrInvalid, ErrTooLarge, ErrLength, ErrDigest; ErrSource if src
// failed; ErrNoSpace.
func (e *Engine) Put(ctx context.Context, name, key string, src io.Reader, opts PutOptions) (a container.Artifact, err error) {
	op := e.begin(ctx, event.PutArtifact, name, key)
	defer op.end(&err)
	scope, err := op.admitKey(ctx)
	if err != nil {
		return a, err
	}
	if err := opts.validate(); err != nil {
		return a, err
	}
	into, err := scope.CheckPut(ctx, name, key, opts.Condition)
	if err != nil {
		return a, err
	}
	if err := e.reserve.admit(ctx, opts.Size); err != nil {
		return a, err
	}
	p, err := e.newPut(ctx, op, into, src, opts)
	if err != nil {
		return a, err
	}
	v, err := p.run(ctx, scope.Within(into))
	if err != nil {
		return a, err
	}
	a = v.Artifact(name, key)
	op.event.Version = a.Version
	return a, nil
}

func (o *PutOptions) validate() error {
	switch {
	case o.Size < 0:
		return fmt.Errorf("%w: size is %d", container.ErrInvalid, o.Size)
	case o.Size > container.MaxSize:
		return fmt.Errorf("%w: size is %d, at most %d is accepted", container.ErrTooLarge, o.Size, int64(container.MaxSize))
	case len(o.Class) > maxClassLength:
		return fmt.Errorf("%w: class has %d bytes, at most %d are accepted", container.ErrInvalid, len(o.Class), maxClassLength)
	}
	if err := o.Condition.Validate(); err != nil {
		return err
	}
	return container.ValidateMetadata(o.Headers, o.Metadata)
}

// A put is one artifact on its way in.
type put struct {
	engine  *Engine
	op      *operation
	opts    PutOptions
	intake  *intake
	trailer catalog.Trailer // as far as it is known beforehand
	length  int             // of the trailer
}

func (e *Engine) newPut(ctx context.Context, op *operation, into container.Container, src io.Reader, opts PutOptions) (*put, error) {
	digester, err := newDigester(opts.Digests, opts.Expect)
	if err != nil {
		return nil, err
	}
	now := e.clock()
	p := &put{engine: e, op: op, opts: opts}
	p.trailer = catalog.Trailer{
		Catalog:   e.catalog.ID(),
		Content:   e.catalog.NewContentID(),
		Tenant:    op.event.Tenant,
		Container: op.event.Container,
		Key:       op.event.Artifact,
		Owner:     into.Owner,
		Created:   into.Created,
		Version: catalog.Version{
			ID:       newULID(now),
			Null:     true,
			Headers:  opts.Headers,
			Metadata: opts.Metadata,
			Class:    opts.Class,
		},
	}
	p.trailer.Version.Content = p.trailer.Content
	p.length = p.reserveTrailer(digester)
	p.intake = &intake{
		ctx:         ctx,
		src:         src,
		promised:    -1,
		reserve:     e.reserve,
		expected:    opts.Expect,
		digester:    digester,
		makeTrailer: p.makeTrailer,
	}
	if opts.Size > 0 {
		p.intake.promised = opts.Size
	}
	return p, nil
}

// reserveTrailer returns a length in which the trailer will fit, whatever its
// values turn out to be: a driver wants to know beforehand how long a blob is.
func (p *put) reserveTrailer(d *digester) int {
	t := p.trailer
	t.Written = time.Unix(0, math.MaxInt64)
	t.Version.Size = math.MaxInt64
	t.Version.Tag = strings.Repeat("x", maxTagLength)
	t.Version.Digests = d.sums() // of nothing, and as long as those of something
	return t.EncodedLength()
}

// makeTrailer completes the version, now that its bytes are known, and returns
// the trailer that says so.
func (p *put) makeTrailer(size int64, sums container.Digests) ([]byte, error) {
	p.trailer.Written = p.engine.clock()
	v := &p.trailer.Version
	v.Size, v.Digests, v.Tag = size, sums, strings.ToLower(v.ID.String())
	if p.opts.Tag != nil {
		v.Tag = p.opts.Tag(slices.Clone(sums))
		if v.Tag == "" || len(v.Tag) > maxTagLength || strings.Contains(v.Tag, `"`) {
			return nil, fmt.Errorf("%w: tag %q, 1 to %d bytes without quotes are accepted", container.ErrInvalid, v.Tag, maxTagLength)
		}
	}
	return p.trailer.Encode(p.length)
}

// run stores the bytes and then the name. In between, and if the second step
// fails, the blob is an orphan.
func (p *put) run(ctx context.Context, scope catalog.Scope) (catalog.Version, error) {
	id, reclaimer := p.trailer.Content, p.engine.reclaimer
	reclaimer.putBegins(id)
	outcome := reclaimer.putUnknown // also if something panics
	defer func() { outcome() }()
	ref, err := p.store(ctx)
	blob := location{driver: p.op.event.Driver, ref: ref}
	if err != nil {
		// Without a ref there may be a blob nevertheless, but only if the driver
		// had all of it.
		outcome = func() { reclaimer.putFailed(id, blob, p.intake.complete()) }
		return catalog.Version{}, err
	}
	name, key := p.op.event.Container, p.op.event.Artifact
	v, replaced, err := scope.Put(ctx, name, key, p.opts.Condition, p.trailer.Version, catalog.Content{
		Size:     p.intake.size,
		Replicas: []catalog.Replica{{Driver: blob.driver, Ref: blob.ref}},
	})
	switch {
	case err == nil:
		outcome = func() { reclaimer.putCommitted(id, replaced) }
	case !errors.Is(err, catalog.ErrUnknownOutcome):
		outcome = func() { reclaimer.putFailed(id, blob, true) }
	default:
		// It stays unknown. Deleting the blob now could take the bytes of a name
		// that exists.
	}
	return v, err
}

// store streams the bytes and the trailer into a driver. If it returns a ref,
// there is a blob, even if it also returns an error.
func (p *put) store(ctx context.Context) (driver.Ref, error) {
	e := p.engine
	p.op.event.Driver = e.primary
	size := int64(-1)
	if p.intake.promised >= 0 {
		size = p.intake.promised + int64(p.length)
	}
	var ref driver.Ref
	err := guard(func() (err error) {
		ref, err = e.drivers[e.primary].Put(ctx, e.blobName(p.trailer.Content), p.intake, driver.PutOptions{
			Size:     size,
			KeyScope: string(p.op.event.Tenant),
		})
		return err
	})
	p.op.event.Bytes = p.intake.size
	if err != nil {
		ref = ""
	}
	switch {
	case p.intake.failure() != nil:
		return ref, p.intake.failure() // as it is: a driver may have wrapped it
	case err != nil:
		return "", p.op.driverError(ctx, err)
	case ref == "" || len(ref) > driver.MaxWrappedRefLength:
		return "", p.op.driverError(ctx, fmt.Errorf("driver returned a ref of %d bytes, 1 to %d are accepted", len(ref), driver.MaxWrappedRefLength))
	case !p.intake.complete():
		return ref, p.op.driverError(ctx, errors.New("driver accepted a blob without reading all of it"))
	}
	return ref, nil
}

// blobName returns the name that a driver is told: unique for ever, and safe as
// a path.
func (e *Engine) blobName(id catalog.ContentID) string {
	return e.catalog.ID() + "/" + id.String()
}
