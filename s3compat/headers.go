package s3compat

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// maxHeaders bounds the names and values of a request's headers, its host and
// its method, in bytes.
const maxHeaders = 8 << 10

// A demand is a header that changes what an operation means, and that this
// package cannot meet. It is refused wherever it stands: nobody may believe
// that what is stored plain is encrypted, or that what was retained is.
type demand struct {
	name   string // canonical; a prefix if it ends in a hyphen
	unless string // a value, in lower case, that asks for nothing
}

var demands = []demand{
	{"X-Amz-Server-Side-Encryption", ""},
	{"X-Amz-Server-Side-Encryption-", ""},
	{"X-Amz-Bucket-Namespace", "global"},
	{"X-Amz-Bucket-Object-Lock-Enabled", "false"},
	{"X-Amz-Grant-", ""},
	{"X-Amz-If-Match-Last-Modified-Time", ""},
	{"X-Amz-If-Match-Size", ""},
	{"X-Amz-Object-If-Match", ""},
	{"X-Amz-Object-Lock-", ""},
	{"X-Amz-Rename-Source", ""},
	{"X-Amz-Rename-Source-", ""},
	{"X-Amz-Tagging", ""},
	{"X-Amz-Website-Redirect-Location", ""},
	{"X-Amz-Write-Offset-Bytes", ""},
}

// readConditions are the conditional headers that only reads take.
var readConditions = []string{"If-Modified-Since", "If-Unmodified-Since"}

// checkHeaders refuses the headers that the operation cannot honor.
func checkHeaders(op operation, q routable) error {
	for _, name := range slices.Sorted(maps.Keys(q.header)) {
		values := q.header[name]
		switch {
		case isDemand(name, values):
			return notImplemented(name)
		case strings.HasPrefix(name, "X-Amz-Copy-Source"):
			return invalidArgument(strings.ToLower(name), values[0],
				"You can only specify a copy source header for copy requests.")
		case len(values) > 1 && strings.HasPrefix(name, "X-Amz-") && !strings.HasPrefix(name, metadataPrefix):
			return invalidArgument(strings.ToLower(name), values[1], "The header is given more than once.")
		}
	}
	if op.name != "PutObject" && op.name != "DeleteObject" {
		return nil
	}
	for _, name := range readConditions {
		if len(q.header[name]) > 0 {
			return notImplemented(name)
		}
	}
	if r := q.header["Content-Range"]; len(r) > 0 && op.name == "PutObject" {
		// The object would become the part (RFC 9110, section 14.5).
		return invalidArgument("Content-Range", r[0], "An object cannot be put in part.")
	}
	return nil
}

// isDemand reports whether the header is one of the demands.
func isDemand(name string, values []string) bool {
	return slices.ContainsFunc(demands, func(d demand) bool { return d.matches(name, values) })
}

// matches reports whether the header asks for the demand in any of its values.
func (d demand) matches(name string, values []string) bool {
	if d.name != name && !(strings.HasSuffix(d.name, "-") && strings.HasPrefix(name, d.name)) {
		return false
	}
	return d.unless == "" || slices.ContainsFunc(values, func(v string) bool { return !strings.EqualFold(v, d.unless) })
}

// checkHeaderSize refuses a header section that is larger than S3 takes.
func checkHeaderSize(r *http.Request) error {
	size := len(r.Method) + len(r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(": ") + len(value) + len("\r\n")
		}
	}
	if size > maxHeaders {
		return newError(codeRequestHeadersTooLarge, "MaxSizeAllowed", itoa(maxHeaders))
	}
	return nil
}

// The canned ACLs of buckets and objects. Those that give nothing to anyone but
// the owner are accepted: that is what every bucket and object here has.
var (
	privateACLs = []string{"", "private", "bucket-owner-full-control"}
	otherACLs   = []string{
		"public-read", "public-read-write", "authenticated-read", "aws-exec-read",
		"bucket-owner-read", "log-delivery-write",
	}
)

func checkACL(h http.Header) error {
	acl := h.Get("X-Amz-Acl")
	switch {
	case slices.Contains(privateACLs, acl):
		return nil
	case slices.Contains(otherACLs, acl):
		return notImplemented("X-Amz-Acl")
	}
	return invalidArgument("x-amz-acl", acl, "Invalid Argument")
}

// The storage classes of buckets of general purpose. All are kept as a label.
var storageClasses = []string{
	"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING",
	"GLACIER", "GLACIER_IR", "DEEP_ARCHIVE",
}

const standardClass = "STANDARD"

// storageClass returns the class as an artifact keeps it.
func storageClass(h http.Header) (string, error) {
	class := h.Get("X-Amz-Storage-Class")
	switch {
	case class == "" || class == standardClass:
		return "", nil
	case slices.Contains(storageClasses, class):
		return class, nil
	}
	return "", newError(codeInvalidStorageClass, "StorageClassRequested", class)
}

func classOr(class string) string {
	if class == "" {
		return standardClass
	}
	return class
}
