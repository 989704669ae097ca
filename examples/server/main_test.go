package main

import (
	"context"
	"io"
	"log/slog"
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
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/event/eventtest"
	"github.com/vaultaire/vaultaire/metrics"
	"github.com/vaultaire/vaultaire/s3compat"
)

func TestEventsThatAreLostAreReported(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	file, err := event.OpenJSONLines(t.Context(), filepath.Join(t.TempDir(), "events"))
	require.NoError(t, err)
	file.Record(t.Context(), event.Event{})
	require.NoError(t, file.Close(t.Context()))
	reportLost(logger, file)
	require.Empty(t, log.String())
	file.Record(t.Context(), event.Event{})
	reportLost(logger, file)
	require.Contains(t, log.String(), "lost=1")
}

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
	unmade := filepath.Join(dir, "data")
	require.Error(t, run(t.Context(), []string{"-dir", unmade, "-credentials", write("[]")}, io.Discard, io.Discard))
	assert.NoDirExists(t, unmade)
}

func TestKeysAreMadeOnceAndKeptPrivate(t *testing.T) {
	t.Parallel()
	cfg := &config{dir: t.TempDir()}
	first, err := cfg.ownKeys()
	require.NoError(t, err)
	require.NotEmpty(t, first.secretKey)
	second, err := cfg.ownKeys()
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
	k, given, err := cfg.givenKeys()
	require.NoError(t, err)
	require.True(t, given)
	var out strings.Builder
	printUsage(&out, cfg, k, httptest.NewUnstartedServer(nil).Listener.Addr())
	require.Contains(t, out.String(), "AKEXAMPLE")
	require.NotContains(t, out.String(), "do-not-print")
}

func TestTheOperatorsPagesStandBesideTheEndpoint(t *testing.T) {
	t.Parallel()
	counts, events := metrics.New(), new(eventtest.Recorder)
	eng, err := embedded.Open(t.Context(), t.TempDir(), engine.WithSink(counts), engine.WithSink(events))
	require.NoError(t, err)
	t.Cleanup(func() { _ = eng.Close(context.Background()) })
	s3, err := s3compat.New(eng, s3compat.WithVirtualHosts("S3.test."), s3compat.WithCredentials(s3compat.StaticCredentials()))
	require.NoError(t, err)
	handler := newHandler(eng, counts, s3)
	request := func(method, host, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		r.Host = host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	get := func(host, path string) *httptest.ResponseRecorder { return request(http.MethodGet, host, path) }
	require.Equal(t, "ok\n", get("s3.test:80", "/-/healthz").Body.String())
	e := events.Only(t, event.ListContainers, event.OK)
	require.Equal(t, healthTenant, e.Tenant)
	require.Equal(t, http.StatusOK, request(http.MethodHead, "s3.test", "/-/healthz").Code)
	require.Equal(t, http.StatusMethodNotAllowed, request(http.MethodPut, "s3.test", "/-/healthz").Code)
	require.Contains(t, get("s3.test", "/-/metrics").Body.String(), "vaultaire_requests_total")
	for _, key := range [][2]string{
		{"bucket.s3.test", "/-/healthz"}, {"bucket.s3.test.:80", "/-/healthz"}, {"Bucket.S3.Test", "/-/metrics"},
		{"s3.test", "/bucket//-/healthz"},
	} {
		answer := get(key[0], key[1])
		require.Equal(t, http.StatusForbidden, answer.Code, key)
		require.Contains(t, answer.Body.String(), "<Code>AccessDenied</Code>", "S3 is asked for a key")
	}
	require.Equal(t, "ok\n", get(".s3.test", "/-/healthz").Body.String(), "no bucket")
	require.NoError(t, eng.Close(t.Context()))
	require.Equal(t, http.StatusServiceUnavailable, get("s3.test", "/-/healthz").Code)
}
