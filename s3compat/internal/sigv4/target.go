package sigv4

import (
	"net/http"
	"slices"
	"strings"
)

// maxTarget bounds the request line's address: a key of 1024 bytes and a few
// parameters of that length, each percent encoded, fit several times.
const maxTarget = 32 << 10

// A target is the address of a request line, split and not yet decoded.
type target struct {
	path  string
	query string
}

// parseTarget splits the address that the client sent. It reads r.RequestURI
// because that is what was signed, whatever a router has done to r.URL since;
// r.URL is used only for a request that was never on a wire.
func parseTarget(r *http.Request) (target, error) {
	uri := r.RequestURI
	if uri == "" && r.URL != nil {
		uri = r.URL.RequestURI()
	}
	if len(uri) > maxTarget {
		return target{}, invalidURI()
	}
	if !strings.HasPrefix(uri, "/") {
		var ok bool
		if uri, ok = originForm(uri); !ok {
			return target{}, invalidURI()
		}
	}
	path, query, _ := strings.Cut(uri, "?")
	return target{path: path, query: query}, nil
}

// originForm returns the path and query of an address in absolute form (RFC
// 9112, section 3.2.2), which a client sends to what it takes for a proxy.
func originForm(uri string) (string, bool) {
	_, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return "", false
	}
	i := strings.IndexAny(rest, "/?")
	switch {
	case i < 0:
		return "/", true
	case rest[i] == '?':
		return "/" + rest[i:], true
	}
	return rest[i:], true
}

// canonicalPath returns base and the path, decoded once and encoded strictly.
func (t target) canonicalPath(base string) (string, error) {
	b := make([]byte, 0, len(base)+len(t.path)+16)
	for i := range len(base) {
		b = appendByte(b, base[i], true)
	}
	b, ok := appendRecoded(b, t.path, true, false)
	if !ok {
		return "", invalidURI()
	}
	return string(b), nil
}

// A parameter is a name and a value of the query, in canonical encoding.
type parameter struct{ name, value string }

// parameters returns the query's parameters in the order of the request.
func (t target) parameters() ([]parameter, error) {
	var params []parameter
	for pair := range strings.SplitSeq(t.query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		p, ok := recodeParameter(name, value)
		if !ok {
			return nil, invalidURI()
		}
		params = append(params, p)
	}
	return params, nil
}

func recodeParameter(name, value string) (parameter, bool) {
	b, ok := appendRecoded(nil, name, false, true)
	if !ok {
		return parameter{}, false
	}
	split := len(b)
	if b, ok = appendRecoded(b, value, false, true); !ok {
		return parameter{}, false
	}
	return parameter{string(b[:split]), string(b[split:])}, true
}

// canonicalQuery returns the parameters sorted by encoded name, then encoded
// value. Sorting the joined pairs instead would be wrong: "=" sorts above the
// digits and "-".
func canonicalQuery(params []parameter) string {
	sorted := slices.Clone(params)
	slices.SortFunc(sorted, func(a, b parameter) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range sorted {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name)
		b.WriteByte('=')
		b.WriteString(p.value)
	}
	return b.String()
}
