package sigv4

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// canonicalRequest builds what is signed of a request; see "Task 1: Create a
// Canonical Request" of "Signature Calculations for the Authorization Header:
// Transferring Payload in a Single Chunk (AWS Signature Version 4)".
func canonicalRequest(r *http.Request, path, query string, signed []string, payload string) string {
	var b strings.Builder
	b.Grow(512 + len(path) + len(query))
	b.WriteString(r.Method)
	b.WriteByte('\n')
	b.WriteString(path)
	b.WriteByte('\n')
	b.WriteString(query)
	b.WriteByte('\n')
	for _, name := range signed {
		b.WriteString(name)
		b.WriteByte(':')
		writeHeader(&b, r, name)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	for i, name := range signed {
		if i > 0 {
			b.WriteByte(';')
		}
		b.WriteString(name)
	}
	b.WriteByte('\n')
	b.WriteString(payload)
	return b.String()
}

// writeHeader writes the canonical value of a header. One that the request
// does not have is written empty, and so matches no signature over a value.
func writeHeader(b *strings.Builder, r *http.Request, name string) {
	for i, value := range headerValues(r, name) {
		if i > 0 {
			b.WriteByte(',')
		}
		writeCollapsed(b, strings.Trim(value, " \t"))
	}
}

// headerValues finds a header where net/http keeps it.
func headerValues(r *http.Request, name string) []string {
	if name == "host" { // never in r.Header
		return []string{r.Host}
	}
	if values := r.Header.Values(name); len(values) > 0 {
		return values
	}
	switch {
	case name == "content-length" && r.ContentLength >= 0:
		return []string{strconv.FormatInt(r.ContentLength, 10)}
	case name == "transfer-encoding": // taken out of r.Header by net/http
		return r.TransferEncoding
	case name == "expect": // taken out by net/http's server of HTTP/2
		return []string{"100-continue"}
	}
	return nil
}

// writeCollapsed writes s with each run of spaces as one space.
func writeCollapsed(b *strings.Builder, s string) {
	if !strings.Contains(s, "  ") {
		b.WriteString(s)
		return
	}
	for i := range len(s) {
		if s[i] != ' ' || s[i-1] != ' ' { // s does not begin with a space
			b.WriteByte(s[i])
		}
	}
}

// headersNotSigned returns the headers that must be signed and are not: host,
// and every x-amz-* header of the request. signed is sorted.
func headersNotSigned(r *http.Request, signed []string) []string {
	var missing []string
	need := func(name string) {
		if _, ok := slices.BinarySearch(signed, name); !ok {
			missing = append(missing, name)
		}
	}
	need("host")
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
			need(name)
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}
