package durability

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

// A linearTarget is a container as the clients of a history use it. The error is
// for what no answer can explain.
type linearTarget interface {
	do(ctx context.Context, call linearCall, sabotage sabotage) (linearAnswer, error)
}

// A sabotage is what befalls a put on its way.
type sabotage int

const (
	unharmed sabotage = iota
	sourceFails
	contextEnds
)

var errSabotage = errors.New("sabotage")

// An engineTarget is a container of an engine.
type engineTarget struct {
	eng  *engine.Engine
	name string
}

func (e engineTarget) do(ctx context.Context, call linearCall, harm sabotage) (answer linearAnswer, err error) {
	key := "k" + strconv.Itoa(call.key)
	switch call.kind {
	case callPut:
		err = e.put(ctx, key, call, harm)
	case callDelete:
		err = e.eng.Delete(ctx, e.name, key, engine.DeleteOptions{Condition: call.cond.condition()})
	case callGet:
		answer.value, err = e.get(ctx, key)
	case callList:
		answer.state, err = e.list(ctx)
	}
	switch {
	case err == nil:
		answer.result = resultDone
	case errors.Is(err, catalog.ErrUnknownOutcome):
		answer.result = resultUnknown
	case errors.Is(err, container.ErrPrecondition):
		answer.result = resultPrecondition
	case errors.Is(err, container.ErrArtifactNotFound):
		answer.result = resultAbsent
	case harm != unharmed && (errors.Is(err, errSabotage) || errors.Is(err, context.Canceled)):
		answer.result = resultNothing
	default:
		return answer, fmt.Errorf("%s: %w", describeCall(call, answer), err)
	}
	return answer, nil
}

func (c linearCondition) condition() (cond container.Condition) {
	if c.match != 0 {
		cond.IfMatch = []string{linearTag(c.match)}
	}
	if c.matchAny {
		cond.IfMatch = []string{container.AnyTag}
	}
	if c.absentOnly {
		cond.IfNoneMatch = []string{container.AnyTag}
	}
	return cond
}

// What an artifact is follows from its value, so that one that is made of two is
// found out. Every seventh has several blocks, and some are large.
func linearTag(value int) string { return "v" + strconv.Itoa(value) }

func linearBody(value int) []byte {
	size := value % 300
	if value%7 == 0 {
		size += 70_000
	}
	if value%31 == 0 {
		size += 300_000
	}
	return pattern(uint64(value), size)
}

func (e engineTarget) put(ctx context.Context, key string, call linearCall, harm sabotage) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	src := &unsteadyReader{src: bytes.NewReader(linearBody(call.value)), harm: harm, cancel: cancel}
	a, err := e.eng.Put(ctx, e.name, key, src, engine.PutOptions{
		Condition: call.cond.condition(),
		Tag:       func(container.Digests) string { return linearTag(call.value) },
	})
	if err == nil && a.Tag != linearTag(call.value) {
		return fmt.Errorf("the artifact of the value %d has the tag %q", call.value, a.Tag)
	}
	return err
}

// An unsteadyReader lets others run in between, and fails at its end if it is
// sabotaged.
type unsteadyReader struct {
	src    io.Reader
	harm   sabotage
	cancel func()
}

func (r *unsteadyReader) Read(p []byte) (int, error) {
	runtime.Gosched()
	n, err := r.src.Read(p)
	if err == io.EOF {
		switch r.harm {
		case sourceFails:
			return n, errSabotage
		case contextEnds:
			r.cancel()
		}
	}
	return n, err
}

// get reads the whole artifact. The answer is given when it is opened; that the
// bytes are still its own when others have replaced it is checked here.
func (e engineTarget) get(ctx context.Context, key string) (int, error) {
	r, err := e.eng.Get(ctx, e.name, key, engine.GetOptions{})
	if err != nil {
		return 0, err
	}
	runtime.Gosched()
	body, err := readAll(r, 0)
	if err != nil {
		return 0, err
	}
	value, err := linearValue(r.Artifact())
	if err == nil && !bytes.Equal(body, linearBody(value)) {
		err = fmt.Errorf("%d bytes are not those of the value %d", len(body), value)
	}
	return value, err
}

func linearValue(a container.Artifact) (int, error) {
	value, err := strconv.Atoi(strings.TrimPrefix(a.Tag, "v"))
	if err == nil && a.Size != int64(len(linearBody(value))) {
		err = fmt.Errorf("the artifact of the value %d has %d bytes", value, a.Size)
	}
	return value, err
}

func (e engineTarget) list(ctx context.Context) (state linearState, err error) {
	page, err := e.eng.ListPage(ctx, e.name, engine.ListOptions{})
	if err != nil {
		return state, err
	}
	for _, entry := range page.Entries {
		key, err := strconv.Atoi(strings.TrimPrefix(entry.Artifact.Key, "k"))
		if err != nil {
			return state, err
		}
		if state[key], err = linearValue(entry.Artifact); err != nil {
			return state, err
		}
	}
	return state, nil
}

// A staleTarget is wrong: some of its gets return what an earlier one returned.
type staleTarget struct {
	linearTarget
	mu    *sync.Mutex
	seen  map[int]linearAnswer
	stale *rand.Rand
}

func newStaleTarget(inner linearTarget, seed uint64) linearTarget {
	return staleTarget{inner, new(sync.Mutex), map[int]linearAnswer{}, newRand(seed, 0)}
}

func (s staleTarget) do(ctx context.Context, call linearCall, harm sabotage) (linearAnswer, error) {
	s.mu.Lock()
	answer, ok := s.seen[call.key]
	ok = ok && call.kind == callGet && s.stale.IntN(4) == 0
	s.mu.Unlock()
	if ok {
		return answer, nil
	}
	answer, err := s.linearTarget.do(ctx, call, harm)
	if call.kind == callGet {
		s.mu.Lock()
		s.seen[call.key] = answer
		s.mu.Unlock()
	}
	return answer, err
}

// An earlyTarget is wrong: it checks the condition of a put, and then puts.
type earlyTarget struct{ linearTarget }

func (e earlyTarget) do(ctx context.Context, call linearCall, harm sabotage) (linearAnswer, error) {
	if call.kind != callPut || call.cond == (linearCondition{}) {
		return e.linearTarget.do(ctx, call, harm)
	}
	current, err := e.linearTarget.do(ctx, linearCall{kind: callGet, key: call.key}, unharmed)
	if result := call.cond.check(current.value); err != nil || result != resultDone {
		return linearAnswer{result: result}, err
	}
	runtime.Gosched()
	call.cond = linearCondition{}
	return e.linearTarget.do(ctx, call, harm)
}
