package tenanthttp_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vaultaire/vaultaire/tenant"
	"github.com/vaultaire/vaultaire/tenant/tenanthttp"
)

// notes is a service with one note for each tenant.
type notes struct {
	resolver tenant.Resolver
	of       map[tenant.ID]string
}

func (n *notes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, err := n.resolver.Resolve(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	if r.Method == http.MethodPut {
		n.of[id] = r.URL.Query().Get("note")
	}
	_, _ = w.Write([]byte(n.of[id]))
}

func newNotes(resolver tenant.Resolver) *notes {
	return &notes{resolver: resolver, of: map[tenant.ID]string{}}
}

func serve(t *testing.T, h http.Handler, method, target string, header http.Header) (status int, body string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, strings.TrimSuffix(w.Body.String(), "\n")
}

func TestTheHeaderKeepsTenantsApart(t *testing.T) {
	t.Parallel()
	service := newNotes(tenant.Optional())
	h := tenanthttp.Middleware()(service)
	as := func(id string) http.Header {
		header := http.Header{}
		if id != "" {
			header.Set("X-Tenant-ID", id)
		}
		return header
	}
	for _, id := range []string{"acme", "globex", ""} {
		status, _ := serve(t, h, http.MethodPut, "/?note=of-"+id, as(id))
		assert.Equal(t, http.StatusOK, status)
	}
	for _, id := range []string{"acme", "globex", ""} {
		_, body := serve(t, h, http.MethodGet, "/", as(id))
		assert.Equal(t, "of-"+id, body)
	}
	assert.Equal(t, map[tenant.ID]string{"acme": "of-acme", "globex": "of-globex", tenant.Default: "of-"}, service.of)
}

func TestWithoutTheHeaderTheResolverDecides(t *testing.T) {
	t.Parallel()
	status, _ := serve(t, tenanthttp.Middleware()(newNotes(tenant.Optional())), http.MethodGet, "/", http.Header{})
	assert.Equal(t, http.StatusOK, status)
	status, body := serve(t, tenanthttp.Middleware()(newNotes(tenant.Required())), http.MethodGet, "/", http.Header{})
	assert.Equal(t, http.StatusForbidden, status)
	assert.Equal(t, tenant.ErrMissing.Error(), body)
}

func TestAHeaderThatNamesNoTenantIsABadRequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		values []string
		want   string
	}{
		"empty":               {[]string{""}, "it is empty"},
		"too long":            {[]string{strings.Repeat("t", 129)}, "129 bytes"},
		"not UTF-8":           {[]string{"\xff"}, "not UTF-8"},
		"a control character": {[]string{"a\x01"}, "control character"},
		"twice":               {[]string{"acme", "globex"}, "found 2 times"},
		"twice the same":      {[]string{"acme", "acme"}, "found 2 times"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := newNotes(tenant.Optional())
			header := http.Header{"X-Tenant-Id": c.values}
			status, body := serve(t, tenanthttp.Middleware()(service), http.MethodPut, "/?note=x", header)
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Contains(t, body, "header X-Tenant-ID: ")
			assert.Contains(t, body, c.want)
			assert.Empty(t, service.of, "the request went no further")
		})
	}
}

func TestWithHeaderReadsAnotherHeaderInstead(t *testing.T) {
	t.Parallel()
	header := http.Header{"X-Tenant-Id": {"acme"}, "X-Org": {"globex"}}
	for name, want := range map[string]tenant.ID{"x-org": "globex", "": "acme"} {
		service := newNotes(tenant.Optional())
		serve(t, tenanthttp.Middleware(tenanthttp.WithHeader(name))(service), http.MethodPut, "/?note=x", header)
		assert.Equal(t, map[tenant.ID]string{want: "x"}, service.of, "WithHeader(%q)", name)
	}
}
