package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/embedded"
	"github.com/vaultaire/vaultaire/metrics"
)

func TestWhatIsWrongOnTheCommandLineIsSaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(text string) string {
		file := filepath.Join(dir, "credentials.json")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"-access-key", "a"}, "go together"},
		{[]string{"-access-key", "a", "-secret-key", "s", "-credentials", "f"}, "exclude each other"},
		{[]string{"stray"}, `"stray"`},
		{[]string{"-region", "not a region"}, "region"},
		{[]string{"-credentials", filepath.Join(dir, "absent")}, "absent"},
		{[]string{"-credentials", write(`[{"acess_key":"typo"}]`)}, "acess_key"},
		{[]string{"-addr", "127.0.0.1:no-port"}, "no-port"},
	} {
		err := run(t.Context(), append(tc.args, "-dir", t.TempDir()), io.Discard, io.Discard)
		assert.ErrorContains(t, err, tc.want, "%v", tc.args)
	}
}

func TestKeysAreMadeOnceAndKeptPrivate(t *testing.T) {
	t.Parallel()
	cfg := &config{dir: t.TempDir()}
	first, err := cfg.loadKeys()
	require.NoError(t, err)
	require.NotEmpty(t, first.secretKey)
	second, err := cfg.loadKeys()
	require.NoError(t, err)
	require.Equal(t, first.accessKey, second.accessKey)
	require.Equal(t, first.secretKey, second.secretKey)
	info, err := os.Stat(first.file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	entries, err := os.ReadDir(cfg.dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestASecretThatWasGivenIsNotPrinted(t *testing.T) {
	t.Parallel()
	cfg := &config{accessKey: "AKEXAMPLE", secretKey: "do-not-print"}
	k, err := cfg.loadKeys()
	require.NoError(t, err)
	var out strings.Builder
	printUsage(&out, cfg, k, httptest.NewUnstartedServer(nil).Listener.Addr())
	require.Contains(t, out.String(), "AKEXAMPLE")
	require.NotContains(t, out.String(), "do-not-print")
}

func TestTheOperatorsPagesStandBesideTheEndpoint(t *testing.T) {
	t.Parallel()
	counts := metrics.New()
	eng, err := embedded.Open(t.Context(), t.TempDir(), engine.WithSink(counts))
	require.NoError(t, err)
	t.Cleanup(func() { _ = eng.Close(context.Background()) })
	s3 := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	handler := newHandler(&config{domain: "s3.test"}, eng, counts, s3)
	get := func(host, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Host = host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	require.Equal(t, "ok\n", get("s3.test:80", "/-/healthz").Body.String())
	require.Contains(t, get("s3.test", "/-/metrics").Body.String(), "vaultaire_requests_total")
	require.Equal(t, http.StatusTeapot, get("bucket.s3.test", "/-/healthz").Code, "a key in a bucket")
	require.Equal(t, http.StatusTeapot, get("s3.test", "/bucket//-/healthz").Code)
	require.NoError(t, eng.Close(t.Context()))
	require.Equal(t, http.StatusServiceUnavailable, get("s3.test", "/-/healthz").Code)
}
