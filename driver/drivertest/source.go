package drivertest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vaultaire/vaultaire/driver"
)

const (
	sentenceSource  = "Drivers return the context's error when they stop because of it, and an error of a source reader as it is or wrapped."
	sentenceSrcRead = "src is read once, in order, by one goroutine at a time, and never after Put has returned."
	sentenceNoLock  = "It may block for long, so no lock is held meanwhile."
)

func sourceCases() []testCase {
	return []testCase{
		{"a source that fails fails the Put and leaves nothing", sentenceOnError, func(c *check) {
			for _, n := range []int64{0, 1, 1000, 64 << 10, 200_000} {
				p := content{seed: 1, size: n}
				for _, size := range []int64{-1, n, n + 1000} {
					_ = c.failsWithoutTrace(c.ctx, failingReader(p.bytes(), errSource), driver.PutOptions{Size: size},
						fmt.Sprintf("a source that fails after %d bytes, promised as %d", n, size))
				}
			}
		}},
		{"the source's own error is returned", sentenceSource, func(c *check) {
			// ErrUnexpectedEOF is what io.ReadFull returns at a harmless end.
			for _, want := range []error{errSource, io.ErrUnexpectedEOF, io.ErrClosedPipe} {
				err := c.failsWithoutTrace(c.ctx, failingReader(make([]byte, 1000), want), driver.PutOptions{Size: -1},
					fmt.Sprintf("a source that fails with %q", want))
				c.errorIs(err, want, "put")
				if !strings.Contains(err.Error(), want.Error()) {
					c.failf("put: the text %q lacks that of the source's error, %q", err, want)
				}
			}
		}},
		{"a source's io.ErrUnexpectedEOF is not its end", sentenceOnError, func(c *check) {
			for _, n := range []int{0, 1, 64 << 10, 64<<10 + 1} {
				err := c.failsWithoutTrace(c.ctx, failingReader(make([]byte, n), io.ErrUnexpectedEOF), driver.PutOptions{Size: -1},
					fmt.Sprintf("a source that fails after %d bytes", n))
				c.errorIs(err, io.ErrUnexpectedEOF, "put")
			}
		}},
		{"a cancelled Put stops with the context's error and leaves nothing", sentenceSource, func(c *check) {
			ctx, cancel := context.WithCancel(c.ctx)
			defer cancel()
			calls := 0
			src := io.MultiReader(content{seed: 1, size: 100_000}.reader(), readerFunc(func(p []byte) (int, error) {
				cancel()
				if calls++; calls > 10_000 {
					return 0, io.EOF // the driver does not look at ctx
				}
				return len(p), nil
			}))
			err := c.failsWithoutTrace(ctx, src, driver.PutOptions{Size: -1}, "a source that goes on when its context has ended")
			c.errorIs(err, context.Canceled, "put")
		}},
		{"src is read by one goroutine at a time", sentenceSrcRead, func(c *check) {
			p := content{seed: 1, size: 300_000}
			src := &soloReader{src: p.reader()}
			ref, err := c.putFrom(src, driver.PutOptions{Size: -1})
			if src.crowded.Load() {
				c.failf("%v", errCrowded)
			}
			c.noError(err, "put")
			c.holds(ref, p)
		}},
		{"src is never read after Put has returned", sentenceSrcRead, checkNoLateRead},
		{"no lock is held while src blocks", sentenceNoLock, checkNoLock},
	}
}

// checkNoLateRead cancels a Put whose source blocks. The Put must wait for
// the Read, since nobody can take it back.
func checkNoLateRead(c *check) {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	src := newPausedReader(content{seed: 1, size: 1000}.reader())
	returned := make(chan struct{})
	late := make(chan bool, 1) // whether a Read ran when Put returned
	go func() {
		defer close(returned)
		_, _ = c.d.Put(ctx, c.names.next(), src, driver.PutOptions{Size: -1})
		late <- src.reading.Load() > 0
	}()
	<-src.entered
	cancel()
	select {
	case <-returned:
	case <-time.After(grace):
	}
	close(src.resume)
	if <-late {
		c.failf("Put returned while a Read of src was running")
	}
	calls := src.calls.Load()
	time.Sleep(grace)
	if src.calls.Load() != calls {
		c.failf("src was read after Put had returned")
	}
}

// checkNoLock uses the driver from within a source.
func checkNoLock(c *check) {
	kept, deleted := c.put(content{seed: 1, size: 100}), c.put(content{seed: 2, size: 100})
	blocked := newPausedReader(content{seed: 3, size: 1000}.reader())
	result := make(chan error, 1)
	go func() {
		_, err := c.putFrom(blocked, driver.PutOptions{Size: -1})
		result <- err
	}()
	<-blocked.entered
	defer func() {
		close(blocked.resume)
		<-result
	}()
	c.noError(c.prompt("use the driver while a source blocks", func() error {
		if _, err := c.putFrom(bytes.NewReader(make([]byte, 100)), driver.PutOptions{Size: -1}); err != nil {
			return fmt.Errorf("put: %w", err)
		}
		if _, err := read(c.ctx, c.d, kept, 0, -1); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if err := c.d.Delete(c.ctx, deleted); err != nil {
			return fmt.Errorf("delete: %w", err)
		}
		for _, err := range c.d.List(c.ctx, "") {
			if err != nil {
				return fmt.Errorf("list: %w", err)
			}
		}
		return nil
	}), "use the driver while a source blocks")
}
