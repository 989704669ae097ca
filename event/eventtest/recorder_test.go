package eventtest_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/event/eventtest"
)

// failing is a test that notes what it fails of.
type failing struct {
	testing.TB
	message string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestOnlyAcceptsOneEventOfTheRightKind(t *testing.T) {
	t.Parallel()
	put := event.Event{ID: "1", Op: event.PutArtifact, Outcome: event.OK}
	for name, c := range map[string]struct {
		recorded []event.Event
		want     string // "" if Only is content
	}{
		"none":            {nil, "0 events"},
		"the right one":   {[]event.Event{put}, ""},
		"two":             {[]event.Event{put, put}, "2 events"},
		"another op":      {[]event.Event{{Op: event.GetArtifact, Outcome: event.OK}}, "recorded get_artifact"},
		"another outcome": {[]event.Event{{Op: event.PutArtifact, Outcome: event.Denied}}, "recorded put_artifact denied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r eventtest.Recorder
			r.Record(t.Context(), event.Event{ID: "forgotten"})
			r.Reset()
			for _, e := range c.recorded {
				r.Record(t.Context(), e)
			}
			var f failing
			var got event.Event
			done := make(chan struct{})
			go func() {
				defer close(done)
				got = r.Only(&f, event.PutArtifact, event.OK)
			}()
			<-done
			if c.want == "" {
				assert.Empty(t, f.message)
				assert.Equal(t, put, got)
				return
			}
			assert.Contains(t, f.message, c.want)
		})
	}
}
