package s3compat

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
)

// FuzzParse parses text as each of the things that a client writes in headers and
// addresses, other than what packages below have targets of their own for.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"bytes=0-", "bytes=-5", "bytes=1-2", "bytes=1-2,3-4", "bytes=9223372036854775807-", "bytes=--1", "x",
		`"a", W/"b", c`, `"*"`, "*", `W/"*"`, newToken("name"), "/bucket/a%2Fkey", "/%",
	} {
		f.Add(seed, int64(10))
	}
	f.Fuzz(func(t *testing.T, text string, size int64) {
		if size >= 0 {
			fuzzRange(t, text, size)
		}
		fuzzTags(t, text)
		if after, ok := parseToken(text); ok {
			require.Equal(t, text, newToken(after))
		}
		if text != "" {
			after, ok := parseToken(newToken(text))
			require.True(t, ok)
			require.Equal(t, text, after)
		}
		fuzzTarget(t, text)
	})
}

func fuzzRange(t *testing.T, header string, size int64) {
	off, n, err := parseRange(header).Resolve(size)
	if err == nil && (off < 0 || n < 0 || off > size || n > size-off) {
		t.Fatalf("%q of %d bytes is %d from %d", header, size, n, off)
	}
}

// fuzzTags checks that tags, quoted again, are the same list.
func fuzzTags(t *testing.T, header string) {
	tags, ok := parseTags(header)
	if !ok {
		return
	}
	var quoted []string
	for _, tag := range tags {
		text, weak := strings.CutPrefix(tag, weakPrefix)
		if tag != container.AnyTag { // which is one only without quotes
			text = `"` + strings.Trim(text, `"`) + `"`
		}
		if weak {
			text = weakPrefix + text
		}
		quoted = append(quoted, text)
	}
	again, ok := parseTags(strings.Join(quoted, ", "))
	require.True(t, ok)
	require.Equal(t, tags, again)
}

// fuzzTarget checks that what is addressed can be addressed by its own name.
func fuzzTarget(t *testing.T, path string) {
	r := &http.Request{Host: "bucket.example.com", URL: &url.URL{}}
	for _, domains := range [][]string{nil, {"example.com"}} {
		var err error
		if r.URL.Path, err = url.PathUnescape(path); err != nil {
			return
		}
		r.URL.RawPath = path
		got, err := parseTarget(r, domains)
		if err != nil || got.bucket == "" || domains != nil {
			continue
		}
		r.URL.Path, r.URL.RawPath = "/"+got.bucket+"/"+got.key, "/"+url.PathEscape(got.bucket)+"/"+url.PathEscape(got.key)
		again, err := parseTarget(r, domains)
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
}
