package event_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/event"
)

// start is in a zone of its own, to show that what is written is in UTC.
var start = time.Date(2026, 3, 1, 13, 30, 0, 123456789, time.FixedZone("", 3600))

// full returns an event with every field set.
func full() event.Event {
	return event.Event{
		ID:        "01J0",
		Op:        event.PutArtifact,
		Tenant:    "acme",
		Principal: "alice",
		Container: "photos",
		Artifact:  "2026/cat.jpg",
		Version:   "v1",
		Driver:    "disk",
		Start:     start,
		Duration:  1500 * time.Microsecond,
		Bytes:     42,
		Outcome:   event.Conflict,
		Err:       container.ErrPrecondition,
		Request:   event.Request{ID: "r1", RemoteAddr: "192.0.2.1:4000", API: "PutObject"},
	}
}

func TestMarshalJSONWritesTheDocumentedFields(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		event event.Event
		want  string
	}{
		"every field": {full(), `{"id":"01J0","op":"put_artifact","outcome":"conflict","tenant":"acme",` +
			`"principal":"alice","container":"photos","artifact":"2026/cat.jpg","version":"v1","driver":"disk",` +
			`"start":"2026-03-01T12:30:00.123456789Z","duration_ns":1500000,"bytes":42,` +
			`"error":"precondition failed","request_id":"r1","remote_addr":"192.0.2.1:4000","api":"PutObject"}`},
		"empty fields are left out": {
			event.Event{Op: event.Unknown, Outcome: event.OK},
			`{"op":"unknown","outcome":"ok","duration_ns":0}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(c.event)
			require.NoError(t, err)
			assert.Equal(t, c.want, string(got))
		})
	}
}

func TestMarshalJSONKeepsNamesInsideTheirLine(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"a\nb", "a\r\nb", "\x00\x1f\x7f", "\u2028\u2029", `"},{"op":"forged"`, "\xff\xfe", "日本",
	} {
		line, err := event.Event{Op: event.PutArtifact, Artifact: key}.MarshalJSON()
		require.NoError(t, err)
		for _, b := range line {
			assert.GreaterOrEqual(t, b, byte(' '), "key %q gives %s", key, line)
		}
		var got struct{ Artifact string }
		require.NoError(t, json.Unmarshal(line, &got))
		assert.Equal(t, string([]rune(key)), got.Artifact)
	}
}
