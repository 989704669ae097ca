package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine/embedded"
)

// The application and the endpoint each get their own requests. A path that a
// mux would clean arrives at the endpoint, which asks for a signature.
func TestTheEndpointStandsBesideTheApplication(t *testing.T) {
	t.Parallel()
	eng, err := embedded.Open(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, eng.Close(context.Background())) })
	handler, err := newHandler(eng)
	require.NoError(t, err)
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/":                 {http.StatusOK, "This is the application."},
		"/nothing":          {http.StatusNotFound, "404 page not found"},
		"/s3":               {http.StatusForbidden, "<Code>AccessDenied</Code>"},
		"/s3/bucket/a//b":   {http.StatusForbidden, "<Code>AccessDenied</Code>"},
		"/s3/bucket/a/../b": {http.StatusForbidden, "<Code>AccessDenied</Code>"},
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		body, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		require.Equal(t, want.status, w.Code, path)
		require.Contains(t, string(body), want.body, path)
	}
}
