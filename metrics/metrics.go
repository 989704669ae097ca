// Package metrics counts for Prometheus what an engine does.
//
// A [Metrics] is both a sink of events and a collector of metrics. It registers
// itself nowhere; the application gives it to a registry of its own:
//
//	m := metrics.New()
//	registry.MustRegister(m)
//	eng, err := engine.New(ctx, engine.WithSink(m), ...)
//
// The label method is the name of the operation, such as "put_artifact"; see
// [event.Ops]. The label status is its outcome; see [event.Outcomes].
package metrics

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/tenant"
)

// DefaultTenantBudget is how many tenants have a label of their own, unless
// WithTenantBudget says otherwise.
const DefaultTenantBudget = 1000

// OtherTenants is the label of all tenants beyond the budget. A tenant of that
// name is counted with them.
const OtherTenants = "other"

// A Metrics is an [event.Sink] that is also a [prometheus.Collector]. It may be
// used concurrently, and by several engines.
type Metrics struct {
	budget    int
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	received  *prometheus.CounterVec
	sent      *prometheus.CounterVec

	// What follows keeps the metrics of known labels at hand, as finding them
	// by their labels is most of the work of counting.
	durationOf map[event.Op]prometheus.Observer // never changes

	mu      sync.RWMutex
	tenants map[tenant.ID]*series // "" and OtherTenants, and at most budget more
}

// series are the metrics of one tenant label.
type series struct {
	label    string
	requests map[result]prometheus.Counter // guarded by Metrics.mu
	received prometheus.Counter
	sent     prometheus.Counter
}

type result struct {
	op      event.Op
	outcome event.Outcome
}

// An Option changes what New returns.
type Option func(*Metrics)

// WithTenantBudget sets how many tenants have a label of their own: the first n
// that are seen. The others share the label [OtherTenants]. Each tenant costs a
// few time series; 0 or less means that all tenants share the label.
func WithTenantBudget(n int) Option {
	return func(m *Metrics) { m.budget = n }
}

// New returns a Metrics that has counted nothing.
func New(opts ...Option) *Metrics {
	m := &Metrics{
		budget: DefaultTenantBudget,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vaultaire_requests_total",
			Help: "Operations that ended, by what they were (method), for whom (tenant) and how they ended (status). " +
				`Status "error" is a fault of the service: look at its log. "denied", "quota" and "throttled" are refusals ` +
				`to clients; "not_found", "conflict", "invalid" and "canceled" are ordinary. An empty tenant: refused before it was known.`,
		}, []string{"method", "tenant", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "vaultaire_request_duration_seconds",
			Help: "Time from the start of an operation to its end, whatever its outcome. It includes the time that clients " +
				"take to send and receive artifacts, so judge the service's speed by methods that move no bytes, such as stat_artifact.",
			Buckets: []float64{
				0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
			},
		}, []string{"method"}),
		received: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vaultaire_received_bytes_total",
			Help: "Artifact bytes taken in from clients, those of uploads that failed included.",
		}, []string{"tenant"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vaultaire_sent_bytes_total",
			Help: "Artifact bytes given out to clients, those of downloads that broke off included.",
		}, []string{"tenant"}),
		durationOf: make(map[event.Op]prometheus.Observer),
	}
	for _, opt := range opts {
		opt(m)
	}
	// A histogram that is there from the start shows that nothing happened
	// yet; one that is missing would only break dashboards.
	for _, op := range event.Ops() {
		m.durationOf[op] = m.durations.WithLabelValues(string(op))
	}
	m.tenants = map[tenant.ID]*series{
		"":           m.newSeries(""),
		OtherTenants: m.newSeries(OtherTenants),
	}
	return m
}

// Record counts e. An op or an outcome that package event does not know is
// counted as [event.Unknown] or [event.Failed], so that nobody can make up
// labels.
func (m *Metrics) Record(_ context.Context, e event.Event) {
	duration, ok := m.durationOf[e.Op]
	if !ok {
		e.Op = event.Unknown
		duration = m.durationOf[e.Op]
	}
	s, requests := m.find(e)
	requests.Inc()
	duration.Observe(e.Duration.Seconds())
	switch {
	case e.Bytes <= 0:
	case e.Op == event.PutArtifact:
		s.received.Add(float64(e.Bytes))
	case e.Op == event.GetArtifact:
		s.sent.Add(float64(e.Bytes))
	}
}

// find returns the metrics of e's labels, and makes them if e is the first that
// needs them.
func (m *Metrics) find(e event.Event) (*series, prometheus.Counter) {
	key := result{e.Op, e.Outcome}
	m.mu.RLock()
	s := m.seriesOf(e.Tenant)
	if s != nil {
		if requests, ok := s.requests[key]; ok {
			m.mu.RUnlock()
			return s, requests
		}
	}
	m.mu.RUnlock()

	if !slices.Contains(event.Outcomes(), key.outcome) {
		key.outcome = event.Failed
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s = m.seriesOf(e.Tenant)
	if s == nil {
		// A tenant's ID is UTF-8 if the resolver minds the rules; a label that
		// is not would panic.
		s = m.newSeries(strings.ToValidUTF8(string(e.Tenant), "\uFFFD"))
		m.tenants[e.Tenant] = s
	}
	requests, ok := s.requests[key]
	if !ok {
		requests = m.requests.WithLabelValues(string(key.op), s.label, string(key.outcome))
		s.requests[key] = requests
	}
	return s, requests
}

// seriesOf returns the metrics of a tenant, or nil if it has none yet and there
// is room for them. m.mu is held.
func (m *Metrics) seriesOf(id tenant.ID) *series {
	if s, ok := m.tenants[id]; ok {
		return s
	}
	if len(m.tenants)-2 >= m.budget {
		return m.tenants[OtherTenants]
	}
	return nil
}

func (m *Metrics) newSeries(label string) *series {
	return &series{
		label:    label,
		requests: make(map[result]prometheus.Counter),
		received: m.received.WithLabelValues(label),
		sent:     m.sent.WithLabelValues(label),
	}
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.collectors() {
		c.Describe(ch)
	}
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.collectors() {
		c.Collect(ch)
	}
}

func (m *Metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.durations, m.received, m.sent}
}
