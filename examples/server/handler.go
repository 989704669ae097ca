package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/metrics"
)

// newHandler puts the operator's pages beside the S3 endpoint. It compares whole
// paths and leaves every other one alone: a router that cleans paths would
// change the keys in them.
func newHandler(cfg *config, eng *engine.Engine, counts *metrics.Metrics, s3 http.Handler) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(counts,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	pages := map[string]http.Handler{
		"/-/metrics": promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		"/-/healthz": healthz(eng),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Path]
		if !ok || cfg.isVirtualHost(r.Host) {
			page = s3
		}
		page.ServeHTTP(w, r)
	})
}

// isVirtualHost reports whether the host names a container, so that a path is a
// key, whatever it looks like.
func (cfg *config) isVirtualHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return cfg.domain != "" && strings.HasSuffix(strings.ToLower(host), "."+strings.ToLower(cfg.domain))
}

// healthz answers 200 if the engine can read its catalog. It asks for a
// container that nobody has.
func healthz(eng *engine.Engine) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := eng.StatContainer(r.Context(), "-healthz-")
		if err != nil && !errors.Is(err, container.ErrNotFound) {
			http.Error(w, "the catalog cannot be read", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
}

// printUsage prints where the server listens, and what to paste into clients. A
// secret is shown only if the server itself made it.
func printUsage(w io.Writer, cfg *config, k keys, addr net.Addr) {
	endpoint := "http://" + addr.String()
	secret := k.secretKey
	if secret == "" {
		secret = "YOUR-SECRET-KEY"
	}
	fmt.Fprintf(w, `Vaultaire serves S3 at %s (region %s), data in %s

  export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_DEFAULT_REGION=%s
  aws --endpoint-url %s s3 mb s3://demo
  aws --endpoint-url %s s3 cp README.md s3://demo/
  rclone ls ":s3,provider=Other,access_key_id=%s,secret_access_key=%s,region=%s,endpoint='%s':demo"

`, endpoint, cfg.region, cfg.dir, k.accessKey, secret, cfg.region, endpoint, endpoint, k.accessKey, secret, cfg.region, endpoint)
	if k.file != "" {
		fmt.Fprintf(w, "The keys are kept in %s.\n", k.file)
	}
	fmt.Fprintf(w, "Metrics: %s/-/metrics   Health: %s/-/healthz   Stop: Ctrl-C\n", endpoint, endpoint)
}
