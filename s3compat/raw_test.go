package s3compat_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4/sigv4test"
	"github.com/vaultaire/vaultaire/tenant"
)

func itoa(n int) string { return strconv.Itoa(n) }

type readCloser struct{ io.Reader }

func (readCloser) Close() error { return nil }

// ctxOf returns the context of a credential.
func ctxOf(t *testing.T, i int) context.Context {
	return tenant.WithPrincipal(tenant.NewContext(t.Context(), credentials[i].Tenant), credentials[i].Principal)
}

// rawRequest sends a request byte by byte as given, ends sending, and returns
// all that comes back. headers, which are "Name: value", are signed if they
// must be; nothing is added but Host and the signature's own.
func rawRequest(t *testing.T, s *rig, method, path, body string, headers []string) string {
	t.Helper()
	r := s.request(t, method, path, "", headers...)
	r.Header.Del("Content-Length")
	s.signer.Sign(r, sigv4test.Unsigned)
	return rawSigned(t, s, r, method+" "+path, body, headers)
}

// rawSigned sends a request line, the headers that make r's signature, and
// whatever else is given.
func rawSigned(t *testing.T, s *rig, r *http.Request, line, body string, headers []string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, rawHead(r, line, headers)+body)
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	answer, _ := io.ReadAll(conn) // a reset may follow what is wanted
	return string(answer)
}

func rawHead(r *http.Request, line string, headers []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s HTTP/1.1\r\nHost: %s\r\n", line, r.URL.Host)
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Content-Sha256"} {
		if value := r.Header.Get(name); value != "" {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	return b.String() + "\r\n"
}
