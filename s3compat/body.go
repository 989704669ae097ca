package s3compat

import (
	"errors"
	"io"
	"net/http"
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

// payload returns the payload of the request, which may be empty.
func (x *exchange) payload() (payload, error) {
	var body io.Reader = &clientReader{x}
	if x.awaitsContinue() {
		body = &continueReader{x, body}
	}
	mode := x.identity.payload.Mode
	switch {
	case mode.Streaming():
		return x.chunkedPayload(body)
	case len(x.r.Header.Values("X-Amz-Decoded-Content-Length")) > 0:
		// Only a framed body has two lengths. To store the framing as data, or to
		// remove what nobody has verified, are both wrong. The aws-chunked token
		// of Content-Encoding is no such sign: SDKs pass on what they are given.
		return payload{}, invalidRequest("The body is announced as aws-chunked, but x-amz-content-sha256 is not one of the STREAMING values.")
	case x.r.Header.Get("X-Amz-Trailer") != "":
		return payload{}, newError(codeMalformedTrailer) // what it announces cannot come
	case mode == sigv4.HashedPayload:
		hashed := sigv4.NewHashReader(body, x.identity.payload.SHA256, x.r.ContentLength)
		return payload{Reader: hashed, size: x.r.ContentLength}, nil
	}
	return payload{Reader: body, size: x.r.ContentLength}, nil
}

// needLength refuses a body of which nothing says where it ends.
func (x *exchange) needLength() error {
	if x.r.ContentLength == 0 && x.r.Header.Get("Content-Length") == "" && len(x.r.TransferEncoding) == 0 {
		return newError(codeMissingContentLength)
	}
	return nil
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
		p.Reader = &limitedReader{src: p.Reader, left: most, most: most}
	}
	return nil
}

// A limitedReader fails when more than most bytes arrive.
type limitedReader struct {
	src        io.Reader
	left, most int64
}

func (l *limitedReader) Read(b []byte) (int, error) {
	n, err := l.src.Read(b)
	if l.left -= int64(n); l.left < 0 {
		return 0, newError(codeEntityTooLarge, "MaxSizeAllowed", itoa(l.most))
	}
	return n, err
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
	body := io.TeeReader(p, check)
	if x.r.ContentLength == 0 {
		// What was promised of a body that somebody has removed is not kept.
		_, err := io.Copy(io.Discard, body)
		return s3xml.Element{}, errors.Join(err, check.verify())
	}
	e, err := s3xml.Parse(body, limits)
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

// repeats reports whether a name is in list twice, unless it is the one that may
// be: of two elements, which one counts would be the reader's guess.
func repeats(list []s3xml.Element, except string) bool {
	seen := make(map[string]bool)
	for _, e := range list {
		if seen[e.Name] && e.Name != except {
			return true
		}
		seen[e.Name] = true
	}
	return false
}

func tooLongMessage(limits s3xml.Limits) *apiError {
	return newError(codeMaxMessageLengthExceeded, "MaxMessageLengthBytes", itoa(limits.Bytes))
}
