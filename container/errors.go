package container

import (
	"fmt"
	"strings"
)

// A sentinel is an error to be matched by errors.Is; parent is the more
// general sentinel that it matches as well.
type sentinel struct {
	text   string
	parent error
}

func (s *sentinel) Error() string { return s.text }
func (s *sentinel) Unwrap() error { return s.parent }

// The sentinels. An error of any package of Vaultaire that is about containers,
// artifacts or blobs matches one of them.
var (
	// ErrNotFound: what was asked for does not exist, or belongs to another
	// tenant, which nobody can tell apart.
	ErrNotFound          error = &sentinel{text: "not found"}
	ErrContainerNotFound error = &sentinel{"container not found", ErrNotFound}
	ErrArtifactNotFound  error = &sentinel{"artifact not found", ErrNotFound}
	ErrVersionNotFound   error = &sentinel{"version not found", ErrNotFound}
	ErrUploadNotFound    error = &sentinel{"upload not found", ErrNotFound}

	ErrExists       error = &sentinel{text: "already exists"}
	ErrNotEmpty     error = &sentinel{text: "container is not empty"}
	ErrPrecondition error = &sentinel{text: "precondition failed"}
	// ErrNotModified: a read was asked for only if the artifact had changed.
	ErrNotModified error = &sentinel{"not modified", ErrPrecondition}
	ErrRange       error = &sentinel{text: "range not satisfiable"}
	ErrInvalid     error = &sentinel{text: "invalid argument"}
	// ErrDenied: the principal may not do this, though its tenant might.
	ErrDenied    error = &sentinel{text: "permission denied"}
	ErrLocked    error = &sentinel{text: "locked"}
	ErrQuota     error = &sentinel{text: "quota exceeded"}
	ErrThrottled error = &sentinel{text: "throttled"}
	// ErrDigest: the bytes that arrived do not have the digest that was promised.
	ErrDigest error = &sentinel{text: "digest mismatch"}
	// ErrSource: the reader that the caller gave failed, not the engine.
	ErrSource error = &sentinel{text: "source failed"}
	// ErrLength: more or fewer bytes arrived than were promised.
	ErrLength error = &sentinel{text: "length mismatch"}
	// ErrCorrupt: stored bytes are damaged or gone. Bytes that were read before
	// it are right.
	ErrCorrupt  error = &sentinel{text: "stored bytes are damaged"}
	ErrTooLarge error = &sentinel{text: "too large"}
	ErrNoSpace  error = &sentinel{text: "no space left"}
	ErrReadOnly error = &sentinel{text: "read-only"}
	ErrClosed   error = &sentinel{text: "closed"}
)

// IsSentinel reports whether err itself, and not what it wraps, is one of the
// sentinels.
func IsSentinel(err error) bool {
	_, ok := err.(*sentinel)
	return ok
}

// An Error says which operation failed on what. The engine wraps each error
// that it returns in one Error, once; use [errors.Is] and [errors.As] on it.
type Error struct {
	Op        string // as in an event's Op, such as "put_artifact"
	Container string // "" if the operation names none
	Artifact  string // the key; "" if the operation names none
	Driver    string // "" unless the failure is one driver's
	Err       error  // never nil
}

// Error returns "op container/key (driver d): cause".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Container != "" {
		fmt.Fprintf(&b, " %q", e.Container)
	}
	if e.Artifact != "" {
		fmt.Fprintf(&b, " %q", e.Artifact)
	}
	if e.Driver != "" {
		fmt.Fprintf(&b, " (driver %q)", e.Driver)
	}
	b.WriteString(": ")
	b.WriteString(e.Err.Error())
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// A StateError is a refusal that the artifact's current state explains: an
// [ErrPrecondition], [ErrNotModified] or [ErrRange] of a read. Find it with
// [errors.As].
type StateError struct {
	Current Artifact // as it was when the operation was refused
	Err     error
}

// Error returns the text of the cause.
func (e *StateError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *StateError) Unwrap() error { return e.Err }
