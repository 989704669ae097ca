package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxTarget bounds the request line's address, in bytes: a listing's prefix,
// delimiter, marker and token of the longest keys, percent encoded, fit.
const maxTarget = 16 << 10

// A Target is the address of a request line, which is what a signature covers.
// A handler acts on it and on nothing else that it could read the address from:
// where two readings differ, one of them is not signed.
type Target struct {
	// Path is the path, percent decoded once. It begins with a slash.
	Path string
	// Query holds the parameters, decoded, each name's values in the order of
	// the request, which is not signed.
	Query url.Values
}

// ParseTarget splits the address that the client sent: a path with a query, or
// the address of r.Host in absolute form (RFC 9112, section 3.2). It reads
// r.RequestURI, whatever a router has done to r.URL since; r.URL is used only
// for a request that was never on a wire. The error is an [*Error].
func ParseTarget(r *http.Request) (Target, error) {
	uri := r.RequestURI
	if uri == "" && r.URL != nil {
		uri = r.URL.RequestURI()
	}
	if len(uri) > maxTarget {
		return Target{}, invalidURI()
	}
	uri, ok := originForm(uri, r.Host)
	if !ok {
		return Target{}, invalidURI()
	}
	escaped, rawQuery, _ := strings.Cut(uri, "?")
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return Target{}, invalidURI()
	}
	query, err := parseQuery(rawQuery)
	if err != nil {
		return Target{}, invalidURI()
	}
	return Target{Path: path, Query: query}, nil
}

// originForm returns the path and query of an address. One in absolute form, as
// clients send it to what they take for a proxy, must be the host's: net/http
// accepts others, such as http:/bucket/key?x://host/, which it reads otherwise
// than anyone would who looks for the "://".
func originForm(uri, host string) (string, bool) {
	if strings.HasPrefix(uri, "/") {
		return uri, true
	}
	for _, scheme := range []string{"http://", "https://"} {
		rest, ok := strings.CutPrefix(uri, scheme)
		if !ok {
			continue
		}
		end := strings.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		authority, rest := rest[:end], rest[end:]
		if !strings.HasPrefix(rest, "/") {
			rest = "/" + rest
		}
		return rest, authority != "" && authority == host
	}
	return "", false
}

// parseQuery splits a query at "&" only. The parser of net/url drops a
// parameter with an unescaped semicolon in it: a listing would lose its prefix.
func parseQuery(raw string) (url.Values, error) {
	values := make(url.Values)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		n, err := url.QueryUnescape(name)
		if err != nil {
			return nil, err
		}
		v, err := url.QueryUnescape(value)
		if err != nil {
			return nil, err
		}
		values[n] = append(values[n], v)
	}
	return values, nil
}

// canonicalPath returns base and the path in strict encoding.
func (t Target) canonicalPath(base string) string {
	return encode(base+t.Path, true)
}

// canonicalQuery returns the parameters sorted by encoded name, then encoded
// value. Sorting the joined pairs instead would be wrong: "=" sorts above the
// digits and "-".
func (t Target) canonicalQuery() string {
	type parameter struct{ name, value string }
	var params []parameter
	for name, values := range t.Query {
		for _, value := range values {
			params = append(params, parameter{encode(name, false), encode(value, false)})
		}
	}
	slices.SortFunc(params, func(a, b parameter) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range params {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name)
		b.WriteByte('=')
		b.WriteString(p.value)
	}
	return b.String()
}
