package container

import "time"

// A Container is a named collection of artifacts of one tenant.
type Container struct {
	Name    string
	Owner   Owner     // who created it; the zero Owner if nobody was named
	Created time.Time // UTC
}

// An Owner is the principal that a container belongs to. The zero Owner means
// that the container belongs to its tenant as a whole.
type Owner struct {
	ID          string // opaque, compared verbatim
	DisplayName string // optional, for people
}
