package container_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
)

func sentinels() []error {
	return []error{
		container.ErrNotFound, container.ErrContainerNotFound, container.ErrArtifactNotFound,
		container.ErrVersionNotFound, container.ErrUploadNotFound, container.ErrExists, container.ErrNotEmpty,
		container.ErrPrecondition, container.ErrNotModified, container.ErrRange, container.ErrInvalid,
		container.ErrDenied, container.ErrLocked, container.ErrQuota, container.ErrThrottled, container.ErrDigest, container.ErrSource,
		container.ErrLength, container.ErrCorrupt, container.ErrTooLarge, container.ErrNoSpace,
		container.ErrReadOnly, container.ErrClosed,
	}
}

func TestASentinelMatchesItselfAndItsParentOnly(t *testing.T) {
	t.Parallel()
	parents := map[error]error{
		container.ErrContainerNotFound: container.ErrNotFound,
		container.ErrArtifactNotFound:  container.ErrNotFound,
		container.ErrVersionNotFound:   container.ErrNotFound,
		container.ErrUploadNotFound:    container.ErrNotFound,
		container.ErrNotModified:       container.ErrPrecondition,
	}
	for _, err := range sentinels() {
		for _, target := range sentinels() {
			want := err == target || parents[err] == target
			assert.Equal(t, want, errors.Is(err, target), "errors.Is(%v, %v)", err, target)
			wrapped := &container.Error{Op: "get_artifact", Err: &container.StateError{Err: fmt.Errorf("x: %w", err)}}
			assert.Equal(t, want, errors.Is(wrapped, target), "errors.Is(wrapped %v, %v)", err, target)
		}
	}
}

func TestErrorSaysWhatWasAskedOfWhat(t *testing.T) {
	t.Parallel()
	cause := container.ErrNoSpace
	for want, err := range map[string]*container.Error{
		`put_artifact: no space left`:                              {Op: "put_artifact", Err: cause},
		`put_artifact "photos": no space left`:                     {Op: "put_artifact", Container: "photos", Err: cause},
		`put_artifact "photos" "a\nb": no space left`:              {Op: "put_artifact", Container: "photos", Artifact: "a\nb", Err: cause},
		`put_artifact "photos" "a" (driver "disk"): no space left`: {Op: "put_artifact", Container: "photos", Artifact: "a", Driver: "disk", Err: cause},
	} {
		assert.EqualError(t, err, want)
	}
}

func TestStateErrorCarriesTheArtifactToWhoAsksForIt(t *testing.T) {
	t.Parallel()
	err := error(&container.Error{Op: "get_artifact", Err: &container.StateError{
		Current: container.Artifact{Tag: "t1"}, Err: container.ErrNotModified,
	}})
	var state *container.StateError
	require.ErrorAs(t, err, &state)
	assert.Equal(t, "t1", state.Current.Tag)
	assert.EqualError(t, state, "not modified")
}
