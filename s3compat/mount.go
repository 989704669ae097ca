package s3compat

import (
	"net/http"
	"net/url"
	"strings"
)

// Mount returns a handler that gives the requests whose path is prefix, or lies
// below it, to s3, without the prefix, and all others to app. A nil app answers
// 404.
//
// It exists because [http.ServeMux] and some routers redirect a path such as
// /s3/photos/a//b to its clean form, though it names another key. Mount looks
// at the path as the client escaped it and passes it on untouched, so it must
// stand before any such router:
//
//	http.ListenAndServe(addr, s3compat.Mount("/s3", s3, mux))
//
// prefix is compared with the escaped path, byte by byte. A slash at its end
// does not count; "" and "/" give everything to s3. Any other prefix is a clean
// path, without empty, "." and ".." segments.
func Mount(prefix string, s3, app http.Handler) http.Handler {
	prefix = "/" + strings.Trim(prefix, "/")
	if prefix == "/" {
		return s3
	}
	if app == nil {
		app = http.NotFoundHandler()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.EscapedPath(), prefix)
		if !ok || rest != "" && rest[0] != '/' {
			app.ServeHTTP(w, r)
			return
		}
		s3.ServeHTTP(w, withPath(r, rest))
	})
}

// withPath returns a shallow copy of r with another path, as
// [http.StripPrefix] does. RequestURI, which was signed, stays.
func withPath(r *http.Request, escaped string) *http.Request {
	path, err := url.PathUnescape(escaped)
	if err != nil { // cannot be: net/url has parsed it
		path = escaped
	}
	inner := new(http.Request)
	*inner = *r
	inner.URL = new(url.URL)
	*inner.URL = *r.URL
	inner.URL.Path, inner.URL.RawPath = path, escaped
	return inner
}
