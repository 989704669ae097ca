package s3compat

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	gopath "path"
	"strings"
	"unicode/utf8"

	"github.com/vaultaire/vaultaire/container"
)

// A level says what a request is about.
type level int

const (
	serviceLevel level = iota
	bucketLevel
	objectLevel
)

// A target is what a request's address names.
type target struct {
	level  level
	bucket string
	key    string
}

// resource is the target as Resource elements spell it.
func (t target) resource() string {
	switch t.level {
	case bucketLevel:
		return "/" + t.bucket
	case objectLevel:
		return "/" + t.bucket + "/" + t.key
	}
	return "/"
}

// parseTarget splits the address of r: its path as the client escaped it, less
// what a mount has stripped, decoded once, and its host if one of domains says
// so. What it returns has yet to be validated, and its path to be compared with
// the one that is signed; see [checkPath].
func parseTarget(r *http.Request, domains []string) (target, error) {
	path := r.URL.EscapedPath()
	if path != "" && path[0] != '/' {
		return target{}, newError(codeInvalidURI, "URI", path)
	}
	path = strings.TrimPrefix(path, "/")
	bucket, key := hostBucket(r.Host, domains), path
	if bucket == "" {
		if path == "" {
			return target{}, nil
		}
		bucket, key, _ = strings.Cut(path, "/")
	}
	t := target{level: bucketLevel}
	var err1, err2 error
	t.bucket, err1 = url.PathUnescape(bucket)
	t.key, err2 = url.PathUnescape(key)
	if err1 != nil || err2 != nil {
		return target{}, newError(codeInvalidURI, "URI", r.URL.EscapedPath())
	}
	if t.key != "" {
		t.level = objectLevel
	}
	return t, nil
}

// checkPath refuses a path that is not what follows a mount's prefix in the
// signed one. Something before this handler has changed it then, as routers do
// that clean paths: a//b would be stored as a/b.
func checkPath(path, signed string) error {
	if path == "" && signed == "/" {
		return nil // an address without a path, as in http://host
	}
	prefix, ok := strings.CutSuffix(signed, path)
	if ok && (prefix == "" || prefix != "/" && prefix == gopath.Clean(prefix)) {
		return nil
	}
	return newError(codeInvalidURI, "URI", signed).because(
		fmt.Errorf("the client has signed the path %q, of which something before the S3 handler has made %q", signed, path))
}

// IsVirtualHost reports whether a host, with or without a port, is that of a
// bucket in virtual-host style, so that every path on it is a key. A handler
// that keeps some paths for itself must not do so there.
func (h *Handler) IsVirtualHost(host string) bool {
	return hostBucket(host, h.config.domains) != ""
}

// hostBucket returns the bucket that a host of virtual-host style names, or "".
func hostBucket(host string, domains []string) string {
	if len(domains) == 0 {
		return ""
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	bucket, longest := "", 0
	for _, domain := range domains {
		if host == domain {
			return ""
		}
		if name, ok := strings.CutSuffix(host, "."+domain); ok && len(domain) > longest {
			bucket, longest = name, len(domain)
		}
	}
	return bucket
}

// validate returns the error of a bucket or key that cannot be. A bucket's name
// is held to S3's own rules only when it is created, so that containers the
// application has made under other names can be used.
func (t target) validate() error {
	if t.level == serviceLevel {
		return nil
	}
	if err := container.ValidateName(t.bucket); err != nil {
		return newError(codeInvalidBucketName, "BucketName", t.bucket).because(err)
	}
	if t.level == objectLevel {
		return validateKey(t.key)
	}
	return nil
}

func validateKey(key string) error {
	switch {
	case len(key) > container.MaxKeyLength:
		return newError(codeKeyTooLong, "Size", itoa(int64(len(key))), "MaxSizeAllowed", itoa(container.MaxKeyLength))
	case !utf8.ValidString(key) || climbs(key):
		return newError(codeInvalidURI, "URI", key)
	}
	return nil
}

// climbs reports whether the ".." segments of key, read from the left, ever
// outnumber the segments before them. Amazon refuses such keys.
func climbs(key string) bool {
	depth := 0
	for segment := range strings.SplitSeq(key, "/") {
		switch segment {
		case "..":
			depth--
		case "", ".":
		default:
			depth++
		}
		if depth < 0 {
			return true
		}
	}
	return false
}

// validBucketName reports whether name follows the rules for buckets of general
// purpose.
func validBucketName(name string) bool {
	if len(name) < 3 || len(name) > 63 ||
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" ||
		strings.Trim(name, ".-") != name || strings.Contains(name, "..") {
		return false
	}
	for _, prefix := range []string{"xn--", "sthree-", "amzn-s3-demo-"} {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	for _, suffix := range []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3", "-an"} {
		if strings.HasSuffix(name, suffix) {
			return false
		}
	}
	if ip, err := netip.ParseAddr(name); err == nil && ip.Is4() {
		return false
	}
	return true
}
