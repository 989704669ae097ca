package drivertest

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/vaultaire/vaultaire/driver"
)

const (
	sentenceClosed = "After Close each returns container.ErrClosed."
	sentenceClose  = "Close releases what the driver holds and waits, until ctx ends, for calls that are running."
	sentenceTwice  = "Closing again is fine and does nothing."
)

func closeCases() []testCase {
	return []testCase{
		{"after Close each method returns ErrClosed", sentenceClosed, func(c *check) {
			ref := c.put(content{seed: 1, size: 100})
			c.noError(c.d.Close(c.ctx), "close")
			c.allClosed(ref)
		}},
		{"closing again does nothing", sentenceTwice, func(c *check) {
			c.put(content{seed: 1, size: 100})
			for range 3 {
				c.noError(c.d.Close(c.ctx), "close")
			}
			ctx, cancel := context.WithCancel(c.ctx)
			cancel()
			c.noError(c.d.Close(ctx), "close again, with a context that has ended")
		}},
		{"Close waits for a Put that is running", sentenceClose, checkCloseWaits},
		{"Close waits no longer than its context", sentenceClose, checkCloseGivesUp},
	}
}

func (c *check) allClosed(ref driver.Ref) {
	c.tb.Helper()
	_, err := c.putFrom(bytes.NewReader(nil), driver.PutOptions{Size: -1})
	c.errorIs(err, errClosed, "put after close")
	r, err := c.d.Open(c.ctx, ref, 0, -1)
	if err == nil {
		_ = r.Close()
	}
	c.errorIs(err, errClosed, "open after close")
	c.errorIs(c.d.Delete(c.ctx, ref), errClosed, "delete after close")
	steps := 0
	for b, err := range c.d.List(c.ctx, "") {
		steps++
		if b != (driver.Blob{}) {
			c.failf("list after close: yields the blob %+v", b)
		}
		c.errorIs(err, errClosed, "list after close")
	}
	if steps != 1 {
		c.failf("list after close: yields %d times, want one error", steps)
	}
}

// A slowPut is a Put whose source blocks.
type slowPut struct {
	content content
	src     *pausedReader
	ref     driver.Ref
	err     error
	done    chan struct{} // closed when ref and err are set
}

func (c *check) startSlowPut() *slowPut {
	p := content{seed: 7, size: 100_000}
	s := &slowPut{content: p, src: newPausedReader(p.reader()), done: make(chan struct{})}
	d := c.d
	go func() {
		defer close(s.done)
		s.ref, s.err = d.Put(c.ctx, c.names.next(), s.src, driver.PutOptions{Size: p.size})
	}()
	<-s.src.entered
	return s
}

func checkCloseWaits(c *check) {
	slow := c.startSlowPut()
	closed := make(chan error, 1)
	early := make(chan bool, 1) // whether the source was still read when Close returned
	d := c.d
	go func() {
		err := d.Close(c.ctx)
		early <- slow.src.reading.Load() > 0
		closed <- err
	}()
	select {
	case <-time.After(grace):
	case wrong := <-early:
		early <- wrong
	}
	close(slow.src.resume)
	<-slow.done
	c.noError(c.prompt("close once the put is done", func() error { return <-closed }), "close")
	if <-early {
		c.failf("Close returned while a Put was reading its source")
	}
	c.settled(slow)
}

func checkCloseGivesUp(c *check) {
	ref := c.put(content{seed: 1, size: 100})
	slow := c.startSlowPut()
	finish := sync.OnceFunc(func() {
		close(slow.src.resume)
		<-slow.done
	})
	defer finish()
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	err := c.prompt("close with a context that has ended", func() error { return c.d.Close(ctx) })
	c.errorIs(err, context.Canceled, "close with a context that has ended, while a put runs")
	c.allClosed(ref)
	finish()
	c.noError(c.d.Close(c.ctx), "close again, once the put is done")
	c.settled(slow)
}

// settled checks, after a reopen, that a Put which Close met is there if it
// was acknowledged, and that all that is listed is whole.
func (c *check) settled(slow *slowPut) {
	c.tb.Helper()
	c.reopen()
	if slow.err == nil {
		c.holds(slow.ref, slow.content)
	}
	for _, b := range c.list("") {
		got, err := read(c.ctx, c.d, b.Ref, 0, -1)
		c.noError(err, "read %q, which is listed", b.Ref)
		if len(got) != 100 { // the size of the other blob
			c.same(got, slow.content.bytes(), "what the put left")
		}
	}
}
