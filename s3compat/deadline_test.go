package s3compat_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/event/eventtest"
	"github.com/vaultaire/vaultaire/s3compat"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4/sigv4test"
)

// A pipeListener accepts connections in memory, whose deadlines are those of a
// bubble's clock.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	l.conns <- server
	return client
}

// inBubble runs test in a bubble, with a rig that is reached by dial only and
// has the bucket "bucket".
func inBubble(t *testing.T, test func(t *testing.T, s *rig, conn net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &rig{events: new(eventtest.Recorder), url: "http://s3.test"}
		store, err := pebblestore.OpenMemory(t.Context())
		require.NoError(t, err)
		s.engine, err = engine.New(t.Context(),
			engine.WithCatalog(store), engine.WithDriver("memory", memory.New()), engine.WithSink(s.events))
		require.NoError(t, err)
		h, err := s3compat.New(s.engine, s3compat.WithCredentials(s3compat.StaticCredentials(credentials...)))
		require.NoError(t, err)
		_, err = s.engine.CreateContainer(ctxOf(t, alice), "bucket", engine.CreateContainerOptions{})
		require.NoError(t, err)
		s.client = client{base: s.url, signer: signer(alice)}
		s.events.Reset()
		l := &pipeListener{make(chan net.Conn), make(chan struct{})}
		server := &http.Server{Handler: h}
		go func() { _ = server.Serve(l) }()
		conn := l.dial()
		require.NoError(t, conn.SetDeadline(time.Now().Add(24*time.Hour))) // of the bubble, so that nothing hangs
		test(t, s, conn)
		assert.NoError(t, conn.Close())
		assert.NoError(t, server.Close())
		synctest.Wait()
		assert.NoError(t, s.engine.Close(context.Background()))
	})
}

// head returns the head of a signed request.
func (r *rig) head(t *testing.T, method, path string, headers ...string) string {
	t.Helper()
	request := r.request(t, method, path, "")
	r.signer.Sign(request, sigv4test.Unsigned)
	return rawHead(request, method+" "+path, headers)
}

// answer reads an answer with its body, and reports whether it is the last on
// its connection.
func answer(t *testing.T, conn net.Conn) (r response, last bool) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return response{res.StatusCode, res.Header, string(body)}, res.Close
}

func TestAClientThatStopsSendingIsCutOff(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *rig, conn net.Conn) {
		start := time.Now()
		_, err := io.WriteString(conn, s.head(t, "PUT", "/bucket/k", "Content-Length: 100")+"some bytes")
		require.NoError(t, err)
		res, last := answer(t, conn)
		res.want(t, 400, "RequestTimeout")
		assert.True(t, last)
		assert.Equal(t, time.Minute, time.Since(start))
		s.wantEvent(t, event.PutArtifact, event.Canceled)
	})
}

func TestAClientMayBeSlow(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *rig, conn net.Conn) {
		_, err := io.WriteString(conn, s.head(t, "PUT", "/bucket/k", "Content-Length: 10"))
		require.NoError(t, err)
		for range 10 {
			time.Sleep(59 * time.Second)
			_, err := io.WriteString(conn, "x")
			require.NoError(t, err)
		}
		res, last := answer(t, conn)
		res.want(t, 200, "")
		assert.False(t, last)
		// The deadlines of the one request are not those of the next.
		time.Sleep(time.Hour)
		s.signer.Time = time.Now()
		_, err = io.WriteString(conn, s.head(t, "GET", "/bucket/k"))
		require.NoError(t, err)
		res, _ = answer(t, conn)
		assert.Equal(t, "xxxxxxxxxx", res.body)
	})
}

func TestAClientThatStopsReceivingIsCutOff(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *rig, conn net.Conn) {
		const size = 4 << 20
		_, err := s.engine.Put(ctxOf(t, alice), "bucket", "k", strings.NewReader(strings.Repeat("x", size)), engine.PutOptions{})
		require.NoError(t, err)
		s.events.Reset()
		_, err = io.WriteString(conn, s.head(t, "GET", "/bucket/k"))
		require.NoError(t, err)
		_, err = io.ReadFull(conn, make([]byte, 1000))
		require.NoError(t, err)
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		require.Len(t, s.events.Events(), 1, "the operation has ended")
		rest, _ := io.Copy(io.Discard, conn)
		assert.Less(t, rest, int64(size/2))
	})
}

// net/http would read the body before it answers, and the client in this test
// sends none before it is answered: the bubble would never end.
func TestARefusalDoesNotWaitForTheBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		head   func(*testing.T, *rig) string
	}{
		"anonymous": {403, func(_ *testing.T, s *rig) string {
			return "PUT /bucket/k HTTP/1.1\r\nHost: s3.test\r\nContent-Length: 100000\r\n\r\n"
		}},
		"bad address": {400, func(_ *testing.T, s *rig) string {
			return "PUT http:/bucket/k HTTP/1.1\r\nHost: s3.test\r\nContent-Length: 100000\r\n\r\n"
		}},
		"no bucket": {404, func(t *testing.T, s *rig) string { return s.head(t, "PUT", "/absent/k", "Content-Length: 100000") }},
		"chunked": {404, func(t *testing.T, s *rig) string {
			return s.head(t, "PUT", "/absent/k", "Transfer-Encoding: chunked")
		}},
		"not needed": {204, func(t *testing.T, s *rig) string { return s.head(t, "DELETE", "/bucket/k", "Content-Length: 100000") }},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *rig, conn net.Conn) {
				start := time.Now()
				_, err := io.WriteString(conn, c.head(t, s))
				require.NoError(t, err)
				res, last := answer(t, conn)
				assert.Equal(t, c.status, res.status, res.body)
				assert.True(t, last)
				assert.Zero(t, time.Since(start))
				_, err = conn.Read(make([]byte, 1))
				require.ErrorIs(t, err, io.EOF)
				assert.LessOrEqual(t, time.Since(start), 10*time.Second, "the connection is not kept for a body that does not come")
			})
		})
	}
}

func TestAnAnswerBehindItsWholeBodyKeepsTheConnection(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *rig, conn net.Conn) {
		for i := range 3 {
			for _, request := range []string{
				s.head(t, "PUT", fmt.Sprint("/bucket/", i), "Content-Length: 5") + "hello",
				s.head(t, "PUT", fmt.Sprint("/bucket/", i), "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n",
				s.head(t, "PUT", "/bucket", "Content-Length: 1") + "x",
				s.head(t, "GET", fmt.Sprint("/bucket/", i)),
			} {
				go func() { _, _ = io.WriteString(conn, request) }()
				_, last := answer(t, conn)
				assert.False(t, last, request)
			}
		}
	})
}
