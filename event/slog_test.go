package event_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/event"
)

// logged returns what Slog logs of e, if the handler starts at level.
func logged(t *testing.T, e event.Event, level slog.Level) map[string]any {
	t.Helper()
	var out bytes.Buffer
	event.Slog(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: level}))).Record(t.Context(), e)
	if out.Len() == 0 {
		return nil
	}
	var got map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	return got
}

func TestSlogLogsEveryField(t *testing.T) {
	t.Parallel()
	want := map[string]any{
		"time": "2026-03-01T13:30:00.124956789+01:00", // the start and 1.5 ms
		"msg":  "put_artifact", "level": "INFO", "outcome": "conflict", "id": "01J0",
		"tenant": "acme", "principal": "alice", "container": "photos", "artifact": "2026/cat.jpg",
		"version": "v1", "driver": "disk", "duration": float64(1500 * time.Microsecond), "bytes": 42.0,
		"error": container.ErrPrecondition.Error(), "request_id": "r1",
		"remote_addr": "192.0.2.1:4000", "api": "PutObject",
	}
	assert.Empty(t, cmp.Diff(want, logged(t, full(), slog.LevelDebug)))
}

func TestSlogLeavesOutWhatIsEmpty(t *testing.T) {
	t.Parallel()
	want := map[string]any{"msg": "unknown", "level": "INFO", "outcome": "ok", "duration": 0.0}
	got := logged(t, event.Event{Op: event.Unknown, Outcome: event.OK}, slog.LevelDebug)
	assert.Empty(t, cmp.Diff(want, got))
}

func TestSlogLevelSaysWhoShouldLook(t *testing.T) {
	t.Parallel()
	levels := map[event.Outcome]slog.Level{
		event.OK:        slog.LevelInfo,
		event.NotFound:  slog.LevelInfo,
		event.Conflict:  slog.LevelInfo,
		event.Invalid:   slog.LevelInfo,
		event.Canceled:  slog.LevelInfo,
		event.Denied:    slog.LevelWarn,
		event.Quota:     slog.LevelWarn,
		event.Throttled: slog.LevelWarn,
		event.Failed:    slog.LevelError,
	}
	for _, outcome := range event.Outcomes() {
		e := event.Event{Op: event.GetArtifact, Outcome: outcome}
		level, ok := levels[outcome]
		require.True(t, ok, "outcome %q has no level here", outcome)
		assert.Equal(t, level.String(), logged(t, e, level)["level"], "outcome %q", outcome)
		assert.Nil(t, logged(t, e, level+1), "outcome %q above its level", outcome)
	}
}
