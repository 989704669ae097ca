package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4/sigv4test"
)

const (
	killRounds  = 8
	killWriters = 8
	killMinimum = 1 << 10 // bytes of a body
	killMaximum = 3 << 20
	// killSeedVariable repeats a run as far as scheduling lets it.
	killSeedVariable = "E2E_KILL_SEED"
)

// TestKilledServersLoseNothingAcknowledged kills a server in the middle of
// uploads, after a random number of acknowledged ones, starts it again on the
// same directory, and compares what can be read with what was attempted and
// acknowledged. It does so several times over.
func TestKilledServersLoseNothingAcknowledged(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv(killSeedVariable); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, killSeedVariable)
	}
	t.Logf("%s=%d", killSeedVariable, seed)
	dir, h := t.TempDir(), newHistory(seed)
	s := startServer(t, "-dir", dir)
	rawClient{s.endpoint}.do(t, "PUT", "/bucket", "").want(t, 200)
	acknowledged, lost := 0, 0
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range killRounds {
		acknowledged += h.upload(t, s, round, int64(20+random.IntN(120)))
		s = startServer(t, "-dir", dir)
		lost += h.verify(t, rawClient{s.endpoint})
	}
	t.Logf("kills: %d, acknowledged: %d, lost: %d", killRounds, acknowledged, lost)
	require.Zero(t, lost)
}

// What would be a loss must not pass for none.
func TestHistoriesExplainWhatMayBeThere(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		attempts []*attempt
		may      []int64 // of the generations 0 to 3
	}{
		{"never attempted", nil, []int64{0}},
		{"acknowledged", []*attempt{{1, 1, 2}}, []int64{1}},
		{"unacknowledged", []*attempt{{1, 1, 0}}, []int64{0, 1}},
		{"one after the other", []*attempt{{1, 1, 2}, {2, 3, 4}}, []int64{2}},
		{"at the same time", []*attempt{{1, 1, 3}, {2, 2, 4}}, []int64{1, 2}},
		{"the last one unacknowledged", []*attempt{{1, 1, 2}, {2, 3, 0}}, []int64{1, 2}},
		{"deleted", []*attempt{{1, 1, 2}, {0, 3, 4}}, []int64{0}},
		{"perhaps deleted", []*attempt{{1, 1, 2}, {0, 3, 0}}, []int64{0, 1}},
		{"deleted and put again", []*attempt{{1, 1, 2}, {0, 3, 4}, {3, 5, 6}}, []int64{3}},
	} {
		h := newHistory(1)
		h.attempts["k"] = test.attempts
		for generation := range int64(4) {
			err := h.explain("k", generation)
			assert.Equal(t, slices.Contains(test.may, generation), err == nil, "%s: generation %d: %v", test.name, generation, err)
		}
	}
	h, body := newHistory(1), string(killBody("k", 7, 1, 5000))
	for name, test := range map[string]struct {
		body string
		ok   bool
	}{
		"whole":          {body, true},
		"cut":            {body[:4999], false},
		"a byte more":    {body + "x", false},
		"mixed":          {body[:4000] + string(killBody("k", 8, 1, 5000))[4000:], false},
		"of another key": {string(killBody("other", 7, 1, 5000)), false},
		"empty":          {"", false},
	} {
		generation, err := h.read("k", answer{status: 200, body: test.body})
		assert.Equal(t, test.ok, err == nil, name)
		assert.Equal(t, test.ok, generation == 7, name)
	}
}

// A history is all that was attempted on each key, in all rounds.
type history struct {
	seed       uint64
	clock      atomic.Int64 // orders the starts and ends of attempts
	generation atomic.Int64

	mu       sync.Mutex
	attempts map[string][]*attempt
}

// An attempt is one put or delete of a key.
type attempt struct {
	generation int64 // 0 for a delete
	started    int64
	ended      int64 // 0 if it was never acknowledged
}

func newHistory(seed uint64) *history {
	return &history{seed: seed, attempts: map[string][]*attempt{}}
}

// upload has the writers work until count attempts are acknowledged, kills the
// server at that moment, and returns how many were.
func (h *history) upload(t *testing.T, s *server, round int, count int64) int {
	t.Helper()
	var acknowledged atomic.Int64
	var killed atomic.Bool
	var writers sync.WaitGroup
	enough := make(chan struct{})
	failures := make(chan error, killWriters)
	transport := &http.Transport{MaxIdleConnsPerHost: killWriters}
	defer transport.CloseIdleConnections()
	for w := range killWriters {
		random := rand.New(rand.NewPCG(h.seed, uint64(round)<<32|uint64(w)+1))
		writers.Go(func() {
			for {
				err := h.attempt(transport, s.endpoint, w, random)
				if err != nil {
					if !killed.Load() {
						failures <- err
					}
					return
				}
				if acknowledged.Add(1) == count {
					killed.Store(true) // before it happens: errors may come first
					close(enough)
				}
			}
		})
	}
	select {
	case <-enough:
	case err := <-failures:
		killed.Store(true)
		assert.NoError(t, err, "before the kill; the server said:\n%s", s.stderr)
	}
	s.kill(t)
	writers.Wait()
	return int(acknowledged.Load())
}

// attempt runs one random put or delete, on a key of the writer's own, on one
// that all share, or on a new one.
func (h *history) attempt(transport *http.Transport, endpoint string, writer int, random *rand.Rand) error {
	var key string
	switch p := random.IntN(10); {
	case p < 5:
		key = fmt.Sprintf("own/%d/%d", writer, random.IntN(6))
	case p < 7:
		key = fmt.Sprintf("shared/%d", random.IntN(4))
	default:
		key = fmt.Sprintf("new/%d/%d", writer, h.generation.Load())
	}
	a := new(attempt)
	var request *http.Request
	var err error
	if strings.HasPrefix(key, "new/") || random.IntN(6) > 0 {
		a.generation = h.generation.Add(1)
		body := killBody(key, a.generation, h.seed, killSize(random))
		request, err = http.NewRequest("PUT", endpoint+"/bucket/"+key, bytes.NewReader(body))
	} else {
		request, err = http.NewRequest("DELETE", endpoint+"/bucket/"+key, nil)
	}
	if err != nil {
		return err
	}
	signer().Sign(request, sigv4test.Unsigned)
	h.mu.Lock()
	h.attempts[key] = append(h.attempts[key], a)
	h.mu.Unlock()
	a.started = h.clock.Add(1)
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", request.Method, key, response.Status, text)
	}
	a.ended = h.clock.Add(1)
	return nil
}

// verify compares what the server has with the history, logs and counts the
// keys that are wrong, and makes what is there the start of the next round.
func (h *history) verify(t *testing.T, c rawClient) (wrong int) {
	t.Helper()
	listed := c.list(t, "?list-type=2&max-keys=50")
	var readable []string
	for _, key := range slices.Sorted(maps.Keys(h.attempts)) {
		answer := c.do(t, "GET", "/bucket/"+key, "")
		generation, err := h.read(key, answer)
		if err == nil {
			err = h.explain(key, generation)
		}
		if err != nil {
			wrong++
			assert.NoError(t, err)
		}
		if answer.status == http.StatusOK {
			readable = append(readable, key)
		}
		// What is seen after the restart is what stays.
		now := h.clock.Add(1)
		h.attempts[key] = []*attempt{{generation: generation, started: now, ended: now}}
	}
	assert.Equal(t, readable, listed, "the list is what can be read")
	return wrong
}

// read returns the generation that an answer holds whole, 0 for none.
func (h *history) read(key string, answer answer) (int64, error) {
	switch answer.status {
	case http.StatusNotFound:
		return 0, nil
	case http.StatusOK:
	default:
		return -1, fmt.Errorf("%s: status %d: %s", key, answer.status, answer.body)
	}
	head, _, _ := strings.Cut(answer.body, "\n")
	var name string
	var generation int64
	var size int
	if _, err := fmt.Sscan(head, &name, &generation, &size); err != nil || name != key || size > killMaximum {
		return -1, fmt.Errorf("%s: the body begins with %.80q", key, head)
	}
	if answer.body != string(killBody(key, generation, h.seed, size)) {
		return -1, fmt.Errorf("%s: the body of generation %d, %d bytes, is torn", key, generation, size)
	}
	return generation, nil
}

// explain returns an error unless generation, 0 for none, is what an attempt
// left that no acknowledged attempt came after.
func (h *history) explain(key string, generation int64) error {
	candidates := slices.Clone(h.attempts[key])
	// What has no attempt before it begins as nothing.
	candidates = append(candidates, &attempt{ended: -1})
	for _, a := range candidates {
		if a.generation == generation && !slices.ContainsFunc(h.attempts[key], func(later *attempt) bool {
			return a.ended != 0 && later.ended > 0 && later.started > a.ended
		}) {
			return nil
		}
	}
	return fmt.Errorf("%s: generation %d is there; attempts: %v", key, generation, describe(h.attempts[key]))
}

func describe(attempts []*attempt) string {
	var b strings.Builder
	for _, a := range attempts {
		fmt.Fprintf(&b, "%+v ", *a)
	}
	return b.String()
}

// killSize is small in most cases, and up to killMaximum.
func killSize(random *rand.Rand) int {
	limit := 64 << 10
	if random.IntN(4) == 0 {
		limit = killMaximum
	}
	return killMinimum + random.IntN(limit-killMinimum+1)
}

// killBody is a body that says whose it is and of which no byte is like that of
// another body.
func killBody(key string, generation int64, seed uint64, size int) []byte {
	var head [32]byte
	copy(head[:], fmt.Sprintf("%d %d", seed, generation))
	body := make([]byte, size)
	_, _ = rand.NewChaCha8(head).Read(body)
	copy(body, fmt.Sprintf("%s %d %d\n", key, generation, size))
	return body
}
