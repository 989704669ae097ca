package metrics_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/metrics"
	"github.com/vaultaire/vaultaire/tenant"
)

var _ event.Sink = (*metrics.Metrics)(nil)

func put(id tenant.ID) event.Event {
	return event.Event{
		Op: event.PutArtifact, Outcome: event.OK, Tenant: id, Bytes: 10, Duration: 3 * time.Millisecond,
	}
}

// scrape returns what m exposes, in lines of Prometheus' text format.
func scrape(t *testing.T, m *metrics.Metrics) []string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(m))
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	return strings.Split(w.Body.String(), "\n")
}

// samplesOf returns the lines of one metric.
func samplesOf(lines []string, name string) (samples []string) {
	for _, line := range lines {
		if strings.HasPrefix(line, name+"{") {
			samples = append(samples, line)
		}
	}
	return samples
}

func TestMetricsFollowPrometheusConventions(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := metrics.New()
	require.NoError(t, registry.Register(m))
	m.Record(t.Context(), put("acme"))
	families, err := registry.Gather()
	require.NoError(t, err)
	assert.Len(t, families, 4)
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	require.NoError(t, err)
	assert.Empty(t, problems)
}

func TestRequestsAreCountedByMethodTenantAndStatus(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	for range 3 {
		m.Record(t.Context(), put("acme"))
	}
	m.Record(t.Context(), put("globex"))
	m.Record(t.Context(), event.Event{Op: event.PutArtifact, Outcome: event.Quota, Tenant: "acme"})
	m.Record(t.Context(), event.Event{Op: event.Unknown, Outcome: event.Denied})
	assert.Equal(t, []string{
		`vaultaire_requests_total{method="put_artifact",status="ok",tenant="acme"} 3`,
		`vaultaire_requests_total{method="put_artifact",status="ok",tenant="globex"} 1`,
		`vaultaire_requests_total{method="put_artifact",status="quota",tenant="acme"} 1`,
		`vaultaire_requests_total{method="unknown",status="denied",tenant=""} 1`,
	}, samplesOf(scrape(t, m), "vaultaire_requests_total"))
}

func TestDurationsAreThereForEveryOpFromTheStart(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	counts := samplesOf(scrape(t, m), "vaultaire_request_duration_seconds_count")
	require.Len(t, counts, len(event.Ops()))
	for _, op := range event.Ops() {
		assert.Contains(t, counts, fmt.Sprintf(`vaultaire_request_duration_seconds_count{method="%s"} 0`, op))
	}

	m.Record(t.Context(), put("acme"))
	lines := scrape(t, m)
	assert.Contains(t, lines, `vaultaire_request_duration_seconds_count{method="put_artifact"} 1`)
	assert.Contains(t, lines, `vaultaire_request_duration_seconds_sum{method="put_artifact"} 0.003`)
	assert.Contains(t, lines, `vaultaire_request_duration_seconds_bucket{method="put_artifact",le="0.0025"} 0`)
	assert.Contains(t, lines, `vaultaire_request_duration_seconds_bucket{method="put_artifact",le="0.005"} 1`)
}

func TestBytesAreCountedByDirectionAndTenant(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	for _, e := range []event.Event{
		put("acme"),
		{Op: event.PutArtifact, Outcome: event.Canceled, Tenant: "acme", Bytes: 5},
		{Op: event.GetArtifact, Outcome: event.OK, Tenant: "acme", Bytes: 7},
		{Op: event.GetArtifact, Outcome: event.OK, Tenant: "acme", Bytes: -1},
		{Op: event.Reclaim, Outcome: event.OK, Tenant: "acme", Bytes: 1000},
	} {
		m.Record(t.Context(), e)
	}
	lines := scrape(t, m)
	assert.Contains(t, lines, `vaultaire_received_bytes_total{tenant="acme"} 15`)
	assert.Contains(t, lines, `vaultaire_sent_bytes_total{tenant="acme"} 7`)
}

func TestTenantsBeyondTheBudgetShareALabel(t *testing.T) {
	t.Parallel()
	m := metrics.New(metrics.WithTenantBudget(2))
	for _, id := range []tenant.ID{"a", "", "b", "c", "d", "a", "other"} {
		m.Record(t.Context(), put(id))
	}
	assert.Equal(t, []string{
		`vaultaire_received_bytes_total{tenant=""} 10`,
		`vaultaire_received_bytes_total{tenant="a"} 20`,
		`vaultaire_received_bytes_total{tenant="b"} 10`,
		`vaultaire_received_bytes_total{tenant="other"} 30`,
	}, samplesOf(scrape(t, m), "vaultaire_received_bytes_total"))
}

func TestTheDefaultTenantBudgetIsAThousand(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	for i := range 1010 {
		m.Record(t.Context(), put(tenant.ID(fmt.Sprint("t", i))))
	}
	lines := scrape(t, m)
	assert.Len(t, samplesOf(lines, "vaultaire_requests_total"), metrics.DefaultTenantBudget+1)
	assert.Contains(t, lines, `vaultaire_received_bytes_total{tenant="t999"} 10`)
	assert.Contains(t, lines, `vaultaire_received_bytes_total{tenant="other"} 100`)
}

func TestWithoutABudgetAllTenantsShareALabel(t *testing.T) {
	t.Parallel()
	for _, budget := range []int{0, -1} {
		m := metrics.New(metrics.WithTenantBudget(budget))
		m.Record(t.Context(), put("a"))
		assert.Contains(t, scrape(t, m), `vaultaire_received_bytes_total{tenant="other"} 10`)
	}
}

func TestNobodyCanMakeUpLabels(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	m.Record(t.Context(), event.Event{Op: "made_up", Outcome: "strange", Tenant: "a\xff"})
	assert.Equal(t, []string{
		"vaultaire_requests_total{method=\"unknown\",status=\"error\",tenant=\"a\uFFFD\"} 1",
	}, samplesOf(scrape(t, m), "vaultaire_requests_total"))
}

func TestConcurrentRecordsAreAllCounted(t *testing.T) {
	t.Parallel()
	m := metrics.New(metrics.WithTenantBudget(3))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 500 {
				m.Record(t.Context(), put(tenant.ID(fmt.Sprint("t", (i+j)%5))))
			}
		})
	}
	wg.Wait()
	assert.Contains(t, scrape(t, m), `vaultaire_request_duration_seconds_count{method="put_artifact"} 4000`)
}

func TestRecordDoesNotAllocateForLabelsItKnows(t *testing.T) {
	m := metrics.New(metrics.WithTenantBudget(1))
	ctx := t.Context()
	for _, id := range []tenant.ID{"acme", "beyond the budget"} {
		e := put(id)
		assert.Zero(t, testing.AllocsPerRun(100, func() { m.Record(ctx, e) }), "tenant %q", id)
	}
}

func BenchmarkRecord(b *testing.B) {
	m := metrics.New()
	e := put("acme")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Record(context.Background(), e)
		}
	})
}
