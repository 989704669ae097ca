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
	// smallBody is how much of such a body net/http may read for the sake of the
	// connection.
	smallBody = 64 << 10
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
	}
	c.x.bodyBroken = true
	if errors.Is(err, os.ErrDeadlineExceeded) {
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
	small := !x.bodyBroken && x.r.ContentLength >= 0 && x.r.ContentLength <= smallBody && x.r.Header.Get("Expect") == ""
	if x.r.ProtoMajor == 1 && !small {
		x.set("Connection", "close")
	}
	_ = x.control.SetReadDeadline(deadline(leaveTimeout))
}

// A clientWriter writes the body of an answer to a client that may be slow but
// not silent. net/http takes the deadline back at the end of the request.
type clientWriter struct{ x *exchange }

// pieceSize is how much the client must take before the deadline moves on.
const pieceSize = 64 << 10

// Write implements io.Writer.
func (c *clientWriter) Write(p []byte) (written int, err error) {
	for len(p) > 0 && err == nil {
		var n int
		_ = c.x.control.SetWriteDeadline(deadline(idleTimeout))
		n, err = c.x.w.Write(p[:min(len(p), pieceSize)])
		written, p = written+n, p[n:]
	}
	return written, err
}
