package s3compat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
)

// getObject is GetObject.
func getObject(ctx context.Context, x *exchange) error {
	cond, err := readCondition(x.r.Header)
	if err != nil {
		return err
	}
	reader, err := x.h.engine.Get(ctx, x.target.bucket, x.target.key, engine.GetOptions{Range: x.byteRange(), Condition: cond})
	if err != nil {
		return x.readFailure(err, cond)
	}
	defer func() { _ = reader.Close() }() // all bytes are sent by then, or the reader has said why not
	x.recorded = true
	off, n := reader.Range()
	body := &lateWriter{w: &clientWriter{x}, head: func() { x.objectHead(reader.Artifact(), off, n) }}
	if _, err := reader.WriteTo(body); err != nil {
		if body.started {
			return x.cutOff(ctx, err)
		}
		return err
	}
	body.start()
	return nil
}

// headObject is HeadObject.
func headObject(ctx context.Context, x *exchange) error {
	cond, err := readCondition(x.r.Header)
	if err != nil {
		return err
	}
	span := x.byteRange()
	a, err := x.h.engine.Stat(ctx, x.target.bucket, x.target.key, engine.StatOptions{Range: span, Condition: cond})
	if err != nil {
		return x.readFailure(err, cond)
	}
	off, n, err := span.Resolve(a.Size)
	if err != nil {
		return err // cannot be: Stat has resolved it
	}
	x.objectHead(a, off, n)
	return nil
}

// byteRange is the range that is asked for. With If-Range it is everything:
// that is always right, whatever the object has become since.
func (x *exchange) byteRange() container.Range {
	if x.r.Header.Get("If-Range") != "" {
		return container.Range{}
	}
	return parseRange(x.r.Header.Get("Range"))
}

// objectHead sends the head of an answer that holds n bytes of a from off.
func (x *exchange) objectHead(a container.Artifact, off, n int64) {
	x.setObject(a)
	x.set("Accept-Ranges", "bytes")
	x.set("Content-Length", itoa(n))
	status := http.StatusOK
	if n != a.Size || x.partial(a) {
		status = http.StatusPartialContent
		x.set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", off, off+n-1, a.Size))
	} else if strings.EqualFold(x.r.Header.Get("X-Amz-Checksum-Mode"), "ENABLED") {
		// Not for a part of the bytes: SDKs would compare it with that part.
		x.setChecksum(a.Digests)
	}
	x.head(status)
}

// partial reports whether a range is asked for that happens to be everything.
func (x *exchange) partial(a container.Artifact) bool {
	return a.Size > 0 && !x.byteRange().IsAll()
}

// setObject shows what is known of an object in the headers of an answer.
func (x *exchange) setObject(a container.Artifact) {
	x.set("ETag", quote(a.Tag))
	x.set("Last-Modified", a.Modified.UTC().Format(http.TimeFormat))
	contentType := a.Headers.ContentType
	if contentType == "" {
		contentType = "binary/octet-stream"
	}
	for _, h := range []struct{ name, value string }{
		{"Content-Type", contentType},
		{"Content-Encoding", a.Headers.ContentEncoding},
		{"Content-Language", a.Headers.ContentLanguage},
		{"Content-Disposition", a.Headers.ContentDisposition},
		{"Cache-Control", a.Headers.CacheControl},
		{"Expires", a.Headers.Expires},
	} {
		value := h.value
		if override := x.query.Get("response-" + strings.ToLower(h.name)); override != "" {
			value = override
		}
		if value != "" {
			x.set(h.name, value)
		}
	}
	if class := classOr(a.Class); class != standardClass {
		x.set("x-amz-storage-class", class)
	}
	x.setMetadata(a.Metadata)
}

// setMetadata shows user metadata. What the application has stored under names
// that no header can have, or that differ from another by case alone, is
// counted, as Amazon counts it.
func (x *exchange) setMetadata(metadata map[string]string) {
	missing := int64(0)
	for _, name := range slices.Sorted(maps.Keys(metadata)) {
		header := "x-amz-meta-" + strings.ToLower(name)
		if _, taken := x.w.Header()[header]; taken || !isToken(name) {
			missing++
			continue
		}
		x.set(header, metadata[name])
	}
	if missing > 0 {
		x.set("x-amz-missing-meta", itoa(missing))
	}
}

// isToken reports whether s may be the name of a header: RFC 9110, section 5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// readFailure adds to an error of Get or Stat what S3 tells of it. That nothing
// has changed is no error to the client.
func (x *exchange) readFailure(err error, c container.Condition) error {
	x.recorded = true
	var state *container.StateError
	if !errors.As(err, &state) {
		return err
	}
	current := state.Current
	switch {
	case errors.Is(err, container.ErrNotModified):
		x.set("ETag", quote(current.Tag))
		x.set("Last-Modified", current.Modified.UTC().Format(http.TimeFormat))
		if current.Headers.CacheControl != "" {
			x.set("Cache-Control", current.Headers.CacheControl)
		}
		if current.Headers.Expires != "" {
			x.set("Expires", current.Headers.Expires)
		}
		x.head(http.StatusNotModified)
		return nil
	case errors.Is(err, container.ErrRange):
		return newError(codeInvalidRange,
			"RangeRequested", x.r.Header.Get("Range"), "ActualObjectSize", itoa(current.Size)).
			with("Content-Range", fmt.Sprintf("bytes */%d", current.Size)).because(err)
	case errors.Is(err, container.ErrPrecondition):
		return newError(codePreconditionFailed, "Condition", failedCondition(c)).because(err)
	}
	return err
}

// cutOff deals with bytes that end too early. The client notices, because fewer
// arrive than Content-Length has announced; if it is the client that went away,
// there is nobody to notice.
func (x *exchange) cutOff(ctx context.Context, err error) error {
	if ctx.Err() != nil || !isEngines(err) {
		return nil
	}
	return err
}

// A lateWriter sends the head of an answer with the first byte of its body, so
// that a body which cannot be read at all is answered as an error.
type lateWriter struct {
	w       io.Writer
	head    func()
	started bool
}

func (l *lateWriter) start() {
	if !l.started {
		l.started = true
		l.head()
	}
}

// Write implements io.Writer.
func (l *lateWriter) Write(p []byte) (int, error) {
	l.start()
	return l.w.Write(p)
}
