package container

import (
	"fmt"
	"slices"
	"time"
)

// AnyTag in Condition.IfMatch or IfNoneMatch matches every artifact that
// exists, as "*" does in HTTP.
const AnyTag = "*"

// A Condition makes an operation depend on the current version of an artifact.
// The zero Condition is always met. The fields mean what the headers of the
// same names mean in RFC 9110, section 13.1; times are compared by the second.
type Condition struct {
	IfMatch           []string  // tags, of which the current one must be one
	IfNoneMatch       []string  // tags, of which the current one must be none
	IfModifiedSince   time.Time // reads only; ignored if IfNoneMatch is set
	IfUnmodifiedSince time.Time // ignored if IfMatch is set
}

// IsZero reports whether the condition asks nothing.
func (c Condition) IsZero() bool {
	return len(c.IfMatch) == 0 && len(c.IfNoneMatch) == 0 &&
		c.IfModifiedSince.IsZero() && c.IfUnmodifiedSince.IsZero()
}

// Validate returns an [ErrInvalid] if a list of tags is longer than
// [MaxConditionTags].
func (c Condition) Validate() error {
	if n := max(len(c.IfMatch), len(c.IfNoneMatch)); n > MaxConditionTags {
		return fmt.Errorf("%w: condition lists %d tags, at most %d are accepted", ErrInvalid, n, MaxConditionTags)
	}
	return nil
}

// CheckRead reports whether an operation that reads current may go on, in the
// order of precedence of RFC 9110, section 13.2.2. It returns nil,
// [ErrPrecondition] or [ErrNotModified].
func (c Condition) CheckRead(current Artifact) error {
	if err := c.checkMatch(&current); err != nil {
		return err
	}
	switch {
	case len(c.IfNoneMatch) > 0:
		if matches(c.IfNoneMatch, current.Tag) {
			return ErrNotModified
		}
	case !c.IfModifiedSince.IsZero():
		if !seconds(current.Modified).After(seconds(c.IfModifiedSince)) {
			return ErrNotModified
		}
	}
	return nil
}

// CheckWrite reports whether an operation that replaces or removes current may
// go on; current is nil if the key has no artifact. It returns nil,
// [ErrPrecondition], or [ErrArtifactNotFound] if IfMatch is asked of a key
// without an artifact.
func (c Condition) CheckWrite(current *Artifact) error {
	if err := c.checkMatch(current); err != nil {
		return err
	}
	if current != nil && matches(c.IfNoneMatch, current.Tag) {
		return ErrPrecondition
	}
	return nil
}

func (c Condition) checkMatch(current *Artifact) error {
	switch {
	case len(c.IfMatch) > 0:
		if current == nil {
			return ErrArtifactNotFound
		}
		if !matches(c.IfMatch, current.Tag) {
			return ErrPrecondition
		}
	case !c.IfUnmodifiedSince.IsZero() && current != nil:
		if seconds(current.Modified).After(seconds(c.IfUnmodifiedSince)) {
			return ErrPrecondition
		}
	}
	return nil
}

func matches(tags []string, tag string) bool {
	return slices.Contains(tags, AnyTag) || slices.Contains(tags, tag)
}

func seconds(t time.Time) time.Time { return t.Truncate(time.Second) }
