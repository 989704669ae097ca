package main

import (
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/metrics"
	"github.com/vaultaire/vaultaire/s3compat"
	"github.com/vaultaire/vaultaire/tenant"
)

// newHandler puts the operator's pages beside the S3 endpoint. It compares whole
// paths and leaves every other one alone: a router that cleans paths would
// change the keys in them.
func newHandler(eng *engine.Engine, counts *metrics.Metrics, s3 *s3compat.Handler) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(counts,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	pages := map[string]http.Handler{
		"/-/metrics": promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		"/-/healthz": healthz(eng),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Path]
		switch {
		case !ok || s3.IsVirtualHost(r.Host):
			s3.ServeHTTP(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD are allowed", http.StatusMethodNotAllowed)
		default:
			page.ServeHTTP(w, r)
		}
	})
}

// healthTenant is who asks for the server's health: a tenant of its own, so that
// nobody's events and counts are mixed with those of the checks.
const healthTenant tenant.ID = "-healthz-"

// healthz answers 200 if the engine can read its catalog. It lists the
// containers of a tenant that has none.
func healthz(eng *engine.Engine) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := tenant.NewContext(r.Context(), healthTenant)
		for _, err := range eng.ListContainers(ctx, engine.ListContainersOptions{}) {
			if err != nil {
				http.Error(w, "the catalog cannot be read", http.StatusServiceUnavailable)
				return
			}
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
