package container

import (
	"maps"
	"slices"
	"time"
)

// An Artifact describes one version of an artifact: everything about it but
// its bytes. Values returned by an engine are the caller's own to change.
type Artifact struct {
	Container string
	Key       string
	Version   Version
	Size      int64 // bytes
	// Tag is the opaque validator that conditions compare. It is set when the
	// artifact is put and never changes. It carries no quotes.
	Tag      string
	Modified time.Time // when this version was committed; UTC
	Digests  Digests
	Headers  ContentHeaders
	Metadata map[string]string // the user's own, verbatim
	Class    string            // storage class as the user named it; "" is the default
}

// Clone returns a copy that shares no memory that can be changed with a.
func (a Artifact) Clone() Artifact {
	a.Digests = slices.Clone(a.Digests)
	a.Metadata = maps.Clone(a.Metadata)
	return a
}

// ContentHeaders are the representation headers of RFC 9110, section 8, that
// are stored with an artifact and returned with it, verbatim.
type ContentHeaders struct {
	ContentType        string
	ContentEncoding    string
	ContentLanguage    string
	ContentDisposition string
	CacheControl       string
	Expires            string
}

// A Version names one version of an artifact. It is opaque, unique among the
// versions of a key, and sorts by the time it was made.
type Version string

// NullVersion is the version of an artifact that was put while its container
// kept no versions. There is at most one of it for each key.
const NullVersion Version = "null"
