package drivertest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/vaultaire/vaultaire/container"
)

// Short names for what the contract speaks of.
var (
	errNotFound = container.ErrNotFound
	errRange    = container.ErrRange
	errCorrupt  = container.ErrCorrupt
	errClosed   = container.ErrClosed
)

// errSource is the failure of a source. Drivers may wrap it, not replace it.
var errSource = errors.New("the source broke at the seventh cup")

// A content is some bytes that can be made again, so that none of them need
// be held.
type content struct {
	seed uint64
	size int64
}

// String says how to make the content again.
func (p content) String() string { return fmt.Sprintf("%d bytes (seed %d)", p.size, p.seed) }

// tileSize is prime, so that no two blocks of any size that a driver may work
// in have the same bytes.
const tileSize = 65521

// reader yields the content: random bytes that repeat after tileSize, because
// copying them is cheaper than making them.
func (p content) reader() io.Reader {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], p.seed)
	tile := make([]byte, min(p.size, tileSize))
	_, _ = rand.NewChaCha8(key).Read(tile) // it cannot fail
	rest, next := p.size, 0
	return readerFunc(func(b []byte) (int, error) {
		if rest == 0 {
			return 0, io.EOF
		}
		n := copy(b[:min(int64(len(b)), rest)], tile[next:])
		rest -= int64(n)
		next = (next + n) % len(tile)
		return n, nil
	})
}

func (p content) bytes() []byte {
	b, _ := io.ReadAll(p.reader()) // it cannot fail
	return b
}

// oddReader yields bytes in every way that io.Reader allows: nothing at all,
// single bytes, and the last ones together with io.EOF.
func oddReader(b []byte) io.Reader {
	calls := 0
	return readerFunc(func(p []byte) (int, error) {
		calls++
		if calls%5 == 0 || len(p) == 0 {
			return 0, nil
		}
		n := copy(p, b[:min(len(b), 1+calls*calls)])
		b = b[n:]
		if len(b) == 0 {
			return n, io.EOF
		}
		return n, nil
	})
}

// failingReader yields b and then err in place of io.EOF.
func failingReader(b []byte, err error) io.Reader {
	return io.MultiReader(bytes.NewReader(b), readerFunc(func([]byte) (int, error) { return 0, err }))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A pausedReader blocks in its first Read until it is resumed, and knows
// whether a Read is running.
type pausedReader struct {
	src     io.Reader
	entered chan struct{} // closed when the first Read has begun
	resume  chan struct{}
	reading atomic.Int32
	calls   atomic.Int64
}

func newPausedReader(src io.Reader) *pausedReader {
	return &pausedReader{src: src, entered: make(chan struct{}), resume: make(chan struct{})}
}

func (r *pausedReader) Read(p []byte) (int, error) {
	r.reading.Add(1)
	defer r.reading.Add(-1)
	if r.calls.Add(1) == 1 {
		close(r.entered)
		<-r.resume
	}
	return r.src.Read(p)
}

// A soloReader notices a second goroutine in it. Once it is past that, its
// fields are unprotected on purpose, so that the race detector sees the rest.
type soloReader struct {
	src     io.Reader
	busy    atomic.Int32
	calls   atomic.Int64
	crowded atomic.Bool
	bytes   int64
}

var errCrowded = errors.New("a Read began while another ran")

func (r *soloReader) Read(p []byte) (int, error) {
	if r.busy.Add(1) > 1 {
		r.crowded.Store(true)
	}
	defer r.busy.Add(-1)
	if r.calls.Add(1) == 1 {
		time.Sleep(grace) // for the second goroutine to come, if there is one
	}
	runtime.Gosched()
	if r.crowded.Load() {
		return 0, errCrowded
	}
	n, err := r.src.Read(p)
	r.bytes += int64(n)
	return n, err
}

// grace is how long a case waits for a driver to do what it must not. It can
// make a broken driver pass, never a right one fail.
const grace = 20 * time.Millisecond
