package event_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/tenant"
)

func TestOutcomeOfSortsErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want event.Outcome
	}{
		{nil, event.OK},
		{container.ErrNotFound, event.NotFound},
		{container.ErrContainerNotFound, event.NotFound},
		{container.ErrArtifactNotFound, event.NotFound},
		{container.ErrVersionNotFound, event.NotFound},
		{container.ErrUploadNotFound, event.NotFound},
		{container.ErrDenied, event.Denied},
		{tenant.ErrMissing, event.Denied},
		{container.ErrPrecondition, event.Conflict},
		{container.ErrNotModified, event.Conflict},
		{container.ErrExists, event.Conflict},
		{container.ErrNotEmpty, event.Conflict},
		{container.ErrLocked, event.Conflict},
		{container.ErrReadOnly, event.Conflict},
		{container.ErrInvalid, event.Invalid},
		{container.ErrRange, event.Invalid},
		{container.ErrTooLarge, event.Invalid},
		{container.ErrDigest, event.Invalid},
		{container.ErrLength, event.Invalid},
		{tenant.ErrInvalid, event.Invalid},
		{errors.ErrUnsupported, event.Invalid},
		{container.ErrQuota, event.Quota},
		{container.ErrThrottled, event.Throttled},
		{context.Canceled, event.Canceled},
		{context.DeadlineExceeded, event.Canceled},
		{container.ErrCorrupt, event.Failed},
		{container.ErrNoSpace, event.Failed},
		{container.ErrClosed, event.Failed},
		{io.ErrUnexpectedEOF, event.Failed},
	} {
		assert.Equal(t, c.want, event.OutcomeOf(c.err), "of %v", c.err)
		if c.err != nil {
			wrapped := &container.Error{Op: "put_artifact", Err: fmt.Errorf("driver: %w", c.err)}
			assert.Equal(t, c.want, event.OutcomeOf(wrapped), "of wrapped %v", c.err)
		}
	}
}

func TestOutcomeOfAnErrorOfSeveralKindsIsTheWorstOfThem(t *testing.T) {
	t.Parallel()
	assert.Equal(t, event.Failed,
		event.OutcomeOf(fmt.Errorf("%w: a blob is gone: %w", container.ErrCorrupt, container.ErrNotFound)))
	assert.Equal(t, event.Invalid,
		event.OutcomeOf(fmt.Errorf("%w: stopped: %w", container.ErrDigest, context.Canceled)))
}

func TestOpsAndOutcomesHoldNoNameTwice(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, op := range event.Ops() {
		assert.False(t, names[string(op)], "op %q", op)
		names[string(op)] = true
	}
	clear(names)
	for _, outcome := range event.Outcomes() {
		assert.False(t, names[string(outcome)], "outcome %q", outcome)
		names[string(outcome)] = true
	}
}

func TestAContextCarriesTheRequest(t *testing.T) {
	t.Parallel()
	assert.Zero(t, event.RequestFromContext(t.Context()))
	want := event.Request{ID: "r1", RemoteAddr: "192.0.2.1:4000", API: "PutObject"}
	assert.Equal(t, want, event.RequestFromContext(event.WithRequest(t.Context(), want)))
}
