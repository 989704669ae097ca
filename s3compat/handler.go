package s3compat

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4"
	"github.com/vaultaire/vaultaire/tenant"
)

// A Handler answers S3 requests out of an engine. It may serve at the root of a
// host, behind [http.StripPrefix], or behind [Mount].
//
// It cuts off a client that neither sends nor takes a byte of a body for a
// minute. To this end it sets the deadlines of the connection while it serves a
// request, in place of those of the [http.Server].
type Handler struct {
	engine   *engine.Engine
	config   *config
	router   *router
	verifier *sigv4.Verifier
}

// New returns a Handler over e, which remains the caller's to close. Every
// option that is wrong is reported, all in one error, which matches
// container.ErrInvalid.
func New(e *engine.Engine, opts ...Option) (*Handler, error) {
	if e == nil {
		return nil, fmt.Errorf("s3compat: %w: New needs an engine", container.ErrInvalid)
	}
	c, err := newConfig(opts)
	if err != nil {
		return nil, fmt.Errorf("s3compat: %w", err)
	}
	v, err := sigv4.NewVerifier(sigv4.Config{Region: c.region, BasePath: c.basePath, Now: c.clock})
	if err != nil {
		return nil, fmt.Errorf("s3compat: %w", err)
	}
	return &Handler{engine: e, config: c, router: newRouter(), verifier: v}, nil
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := newExchange(h, w, r)
	if err := x.run(r.Context()); err != nil {
		x.fail(err)
	}
}

// An exchange is one request on its way to its answer.
type exchange struct {
	h *Handler
	w http.ResponseWriter
	r *http.Request

	control *http.ResponseController // of w

	id, hostID string // of the request, as the client is told
	target     target
	operation  operation
	query      url.Values
	identity   identity

	ctx      context.Context // with what is known so far; for recording a refusal
	recorded bool            // the operation has reached the engine, which records it
	started  bool            // the head of the answer is sent
	bodyRead bool            // to its end
	// bodyBroken says that reading the body has failed, and would again.
	bodyBroken bool
	// continued says that 100 Continue is sent for a body of no bytes; for
	// others net/http sends it.
	continued bool
}

func newExchange(h *Handler, w http.ResponseWriter, r *http.Request) *exchange {
	var random [8 + 36]byte
	_, _ = rand.Read(random[:]) // crypto/rand never fails
	x := &exchange{
		h: h, w: w, r: r,
		control:   http.NewResponseController(w),
		id:        fmt.Sprintf("%X", random[:8]),
		hostID:    base64.StdEncoding.EncodeToString(random[8:]),
		operation: operation{op: event.Unknown},
	}
	w.Header()["x-amz-request-id"] = []string{x.id}
	w.Header()["x-amz-id-2"] = []string{x.hostID}
	return x
}

// run finds out what is asked and by whom, checks all that the operations have
// in common, and serves. A wrong signature is told before anything else that is
// wrong, so that who has no credential learns nothing.
func (x *exchange) run(ctx context.Context) (err error) {
	request := event.Request{ID: x.id, RemoteAddr: x.r.RemoteAddr}
	x.ctx = event.WithRequest(ctx, request)
	defer x.survive(&err)
	signed, err := sigv4.ParseTarget(x.r)
	if err != nil {
		return err
	}
	asked := x.route(signed.Query)
	request.API = x.operation.name
	ctx = event.WithRequest(ctx, request)
	x.ctx = ctx
	// Before the signature, because the error of a wrong one repeats headers.
	if err := checkHeaderSize(x.r); err != nil {
		return err
	}
	if x.identity, err = x.h.authenticate(ctx, x.r, signed); err != nil {
		return err
	}
	ctx = tenant.NewContext(ctx, x.identity.credential.Tenant)
	ctx = tenant.WithPrincipal(ctx, x.identity.credential.Principal)
	x.ctx = ctx
	for _, check := range []func() error{
		func() error { return asked },
		func() error { return checkPath(x.r.URL.Path, signed.Path) },
		x.target.validate,
		x.checkPayload,
		func() error { return x.checkOwner(ctx) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return x.operation.serve(ctx, x)
}

// route learns target and operation from the request's address, of which query
// is the query.
func (x *exchange) route(query url.Values) (err error) {
	x.query = query
	if x.target, err = parseTarget(x.r, x.h.config.domains); err != nil {
		return err
	}
	x.operation, err = x.h.router.route(routable{x.r.Method, x.target.level, x.query, x.r.Header})
	if x.operation.name == "HeadBucket" {
		// Also on errors: clients look here for the region that they should have used.
		x.w.Header()["x-amz-bucket-region"] = []string{x.h.config.region}
	}
	return err
}

// checkPayload refuses aws-chunked framing of what is not an object's bytes.
func (x *exchange) checkPayload() error {
	if x.identity.payload.Mode.Streaming() && x.operation.name != "PutObject" {
		const name = "x-amz-content-sha256"
		return invalidArgument(name, x.r.Header.Get(name), name+" must be UNSIGNED-PAYLOAD, or a valid sha256 value.")
	}
	return nil
}

// checkOwner compares x-amz-expected-bucket-owner with the bucket's owner, who
// for a bucket to be created is the requester.
func (x *exchange) checkOwner(ctx context.Context) error {
	expected := x.r.Header.Get("X-Amz-Expected-Bucket-Owner")
	if expected == "" || x.target.level == serviceLevel {
		return nil
	}
	owner := x.identity.credential.Principal.ID
	if x.operation.name != "CreateBucket" {
		c, err := x.h.engine.StatContainer(ctx, x.target.bucket)
		if err != nil {
			return err
		}
		owner = c.Owner.ID
	}
	if owner != expected {
		return newError(codeAccessDenied)
	}
	return nil
}

// survive turns a panic into an InternalError. The panic by which a handler
// aborts its connection goes on to the server, for which it is meant.
func (x *exchange) survive(err *error) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	x.h.config.logger.ErrorContext(x.ctx, "panic in an S3 request",
		"request_id", x.id, "panic", p, "stack", string(debug.Stack()))
	*err = newError(codeInternalError).because(fmt.Errorf("panic: %v", p))
}

// fail answers err, and records it unless the engine has.
func (x *exchange) fail(err error) {
	e := asAPIError(err, x.target)
	if !x.recorded && !isEngines(err) {
		_ = x.h.engine.Refuse(x.ctx, x.operation.op, x.target.bucket, x.target.key, e)
	}
	x.logFailure(x.ctx, e, err)
	if !x.started {
		x.writeError(e)
	}
}

// logFailure logs err, which the client is told as e, if it is a failure of
// ours.
func (x *exchange) logFailure(ctx context.Context, e *apiError, err error) {
	if e.row().status >= 500 && e.code != codeNotImplemented && e.code != codeSlowDown {
		x.h.config.logger.ErrorContext(ctx, "S3 request failed",
			"request_id", x.id, "api", x.operation.name, "error", err)
	}
}

// spacedHex is how Amazon shows the bytes that it signed.
func spacedHex(s string) string {
	encoded := hex.EncodeToString([]byte(s))
	spaced := make([]byte, 0, len(encoded)*3/2)
	for i := 0; i < len(encoded); i += 2 {
		if i > 0 {
			spaced = append(spaced, ' ')
		}
		spaced = append(spaced, encoded[i], encoded[i+1])
	}
	return string(spaced)
}
