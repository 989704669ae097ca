package s3compat

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	// idleTimeout is how long a client may neither send nor take a byte.
	idleTimeout = time.Minute
	// leaveTimeout is how long net/http may go on to read a body that the
	// answer has not waited for. It closes the connection then.
	leaveTimeout = 5 * time.Second
)

// deadline is a moment of the network's clock, which no option replaces.
func deadline(timeout time.Duration) time.Time { return time.Now().Add(timeout) }

// A clientReader reads the body of a request from a client that may be slow but
// not silent, and says of every failure that it is the client's. Errors of the
// controller mean that the server or a middleware has no deadlines.
type clientReader struct{ x *exchange }

func (c *clientReader) Read(b []byte) (int, error) {
	_ = c.x.control.SetReadDeadline(deadline(idleTimeout))
	n, err := c.x.r.Body.Read(b)
	// The time until the next read is ours. Behind the body it is net/http that
	// reads, to notice when the client goes away.
	_ = c.x.control.SetReadDeadline(time.Time{})
	switch {
	case err == io.EOF:
		c.x.bodyRead = true
		return n, err
	case err == nil:
		return n, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, newError(codeRequestTimeout).because(err)
	}
	return n, newError(codeIncompleteBody).because(err)
}

// leaveBody gives up what is not read of the body. Otherwise net/http would try
// to read it before it answers, and wait for a client that awaits the answer.
func (x *exchange) leaveBody() {
	if x.bodyRead || x.r.Body == nil || x.r.Body == http.NoBody {
		return
	}
	if x.r.ProtoMajor == 1 {
		x.set("Connection", "close")
	}
	_ = x.control.SetReadDeadline(deadline(leaveTimeout))
}

// A clientWriter writes the body of an answer to a client that may be slow but
// not silent. net/http takes the deadline back at the end of the request.
type clientWriter struct{ x *exchange }

// Write implements io.Writer.
func (c *clientWriter) Write(p []byte) (int, error) {
	_ = c.x.control.SetWriteDeadline(deadline(idleTimeout))
	return c.x.w.Write(p)
}
