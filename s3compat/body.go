package s3compat

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/vaultaire/vaultaire/s3compat/internal/awschunked"
	"github.com/vaultaire/vaultaire/s3compat/internal/s3xml"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4"
)

// maxPut bounds the bytes of an object that is put in one request: 5 GiB.
const maxPut = 5 << 30

// A payload is the bytes that a request carries, out of their framing. Reading
// it fails at the end if a signature or a promised hash is wrong. It is the
// first read that makes net/http send 100 Continue, so whatever can be refused
// by the headers is refused before.
type payload struct {
	io.Reader
	size    int64              // -1 if unknown
	chunked *awschunked.Reader // nil if the body is not aws-chunked
}

// payload returns the payload of the request.
func (x *exchange) payload() (payload, error) {
	if x.r.ContentLength == 0 && x.r.Header.Get("Content-Length") == "" && len(x.r.TransferEncoding) == 0 {
		return payload{}, newError(codeMissingContentLength)
	}
	var body io.Reader = &clientReader{x.r.Body}
	if x.awaitsContinue() {
		body = &continueReader{x, body}
	}
	mode := x.identity.payload.Mode
	switch {
	case mode.Streaming():
		return x.chunkedPayload(body)
	case x.r.Header.Get("X-Amz-Trailer") != "":
		return payload{}, newError(codeMalformedTrailer) // what it announces cannot come
	case mode == sigv4.HashedPayload:
		hashed := sigv4.NewHashReader(body, x.identity.payload.SHA256, x.r.ContentLength)
		return payload{Reader: hashed, size: x.r.ContentLength}, nil
	}
	return payload{Reader: body, size: x.r.ContentLength}, nil
}

func (x *exchange) chunkedPayload(body io.Reader) (payload, error) {
	mode := x.identity.payload.Mode
	var chain *sigv4.Chain
	if mode.Signed() {
		chain = x.identity.seed.Chain()
	}
	chunked, err := awschunked.NewReader(body, x.r.Header, mode, chain)
	if err != nil {
		return payload{}, err
	}
	return payload{Reader: chunked, size: chunked.Size(), chunked: chunked}, nil
}

// limit refuses more than most bytes: at once if their number is known, and
// otherwise when they have arrived.
func (p *payload) limit(most int64) error {
	if p.size > most {
		return newError(codeEntityTooLarge, "ProposedSize", itoa(p.size), "MaxSizeAllowed", itoa(most))
	}
	if p.size < 0 {
		p.Reader = &limitedReader{p.Reader, most}
	}
	return nil
}

// A limitedReader fails when more than left bytes arrive.
type limitedReader struct {
	src  io.Reader
	left int64
}

func (l *limitedReader) Read(b []byte) (int, error) {
	n, err := l.src.Read(b)
	if l.left -= int64(n); l.left < 0 {
		return 0, newError(codeEntityTooLarge, "MaxSizeAllowed", itoa(maxPut))
	}
	return n, err
}

// A clientReader says of every failure to read a body that it is the client's.
type clientReader struct{ src io.Reader }

func (c *clientReader) Read(b []byte) (int, error) {
	n, err := c.src.Read(b)
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, newError(codeRequestTimeout).because(err)
	}
	return n, newError(codeIncompleteBody).because(err)
}

// awaitsContinue reports whether the client awaits 100 Continue before it sends
// a body of no bytes. net/http leaves that out, and keeps the connection: then
// clients that are made of botocore take the answer to their next request for
// headers of this one, and hang.
func (x *exchange) awaitsContinue() bool {
	return x.r.ContentLength == 0 && !x.continued && strings.EqualFold(x.r.Header.Get("Expect"), "100-continue")
}

// A continueReader sends 100 Continue before its first read.
type continueReader struct {
	x   *exchange
	src io.Reader
}

func (c *continueReader) Read(b []byte) (int, error) {
	if c.x.awaitsContinue() {
		c.x.continued = true
		c.x.w.WriteHeader(http.StatusContinue)
	}
	return c.src.Read(b)
}

// readXML reads the request's body as a document with the given root, and
// verifies every digest that the headers promise. There is no body if the root
// it returns has no name.
func (x *exchange) readXML(root string, limits s3xml.Limits) (s3xml.Element, error) {
	if x.r.ContentLength > limits.Bytes {
		return s3xml.Element{}, tooLongMessage(limits)
	}
	if x.r.ContentLength == 0 {
		return s3xml.Element{}, nil
	}
	promised, err := readPromises(x.r.Header, "")
	if err != nil {
		return s3xml.Element{}, err
	}
	p, err := x.payload()
	if err != nil {
		return s3xml.Element{}, err
	}
	check, err := newDigestCheck(promised.expect)
	if err != nil {
		return s3xml.Element{}, err
	}
	e, err := s3xml.Parse(io.TeeReader(p, check), limits)
	switch {
	case errors.Is(err, s3xml.ErrTooLarge):
		return e, tooLongMessage(limits).because(err)
	case errors.Is(err, s3xml.ErrMalformed):
		return e, newError(codeMalformedXML).because(err)
	case err != nil:
		return e, err
	case e.Name != root:
		return e, newError(codeMalformedXML)
	}
	return e, check.verify()
}

func tooLongMessage(limits s3xml.Limits) *apiError {
	return newError(codeMaxMessageLengthExceeded, "MaxMessageLengthBytes", itoa(limits.Bytes))
}
