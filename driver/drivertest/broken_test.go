package drivertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
)

// A hooked is a driver of which each method can be replaced by a broken one.
type hooked struct {
	whole  driver.Driver
	put    func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error)
	open   func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error)
	delete func(ctx context.Context, ref driver.Ref) error
	list   func(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error]
	close  func(ctx context.Context) error
}

func newHooked(whole driver.Driver) *hooked {
	return &hooked{whole: whole, put: whole.Put, open: whole.Open, delete: whole.Delete, list: whole.List, close: whole.Close}
}

func (h *hooked) Put(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
	return h.put(ctx, name, src, opts)
}

func (h *hooked) Open(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
	return h.open(ctx, ref, off, n)
}

func (h *hooked) Delete(ctx context.Context, ref driver.Ref) error { return h.delete(ctx, ref) }

func (h *hooked) List(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
	return h.list(ctx, after)
}

func (h *hooked) Close(ctx context.Context) error { return h.close(ctx) }

// keepingHarness reopens the same memory. wrap is applied at each opening.
func keepingHarness(wrap func(driver.Driver) driver.Driver) Harness {
	whole := memory.New()
	open := func(context.Context) (driver.Driver, error) {
		return wrap(newRevived(whole)), nil
	}
	return Harness{Open: open, Reopen: open, InMemory: true}
}

// newRevived returns a driver that can be closed while whole goes on, so that
// reopening can be got wrong.
func newRevived(whole driver.Driver) *hooked {
	r, gate := newHooked(whole), new(driver.Gate)
	r.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
		if err := gate.Enter(); err != nil {
			return "", err
		}
		defer gate.Leave()
		return whole.Put(ctx, name, src, opts)
	}
	r.open = func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
		if err := gate.Enter(); err != nil {
			return nil, err
		}
		defer gate.Leave()
		return whole.Open(ctx, ref, off, n)
	}
	r.delete = func(ctx context.Context, ref driver.Ref) error {
		if err := gate.Enter(); err != nil {
			return err
		}
		defer gate.Leave()
		return whole.Delete(ctx, ref)
	}
	r.list = func(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
		return func(yield func(driver.Blob, error) bool) {
			if err := gate.Enter(); err != nil {
				yield(driver.Blob{}, err)
				return
			}
			gate.Leave()
			whole.List(ctx, after)(yield)
		}
	}
	r.close = gate.Close
	return r
}

// defects are one each, over a driver that is whole otherwise. caughtBy is the
// case that exists for it.
var defects = []struct {
	name     string
	caughtBy string
	break_   func(h *hooked)
}{
	{
		"remembers where a loop over List was", "an iterator of List can be ranged over again", func(h *hooked) {
			h.list = func(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
				return func(yield func(driver.Blob, error) bool) {
					for b, err := range h.whole.List(ctx, after) {
						if !yield(b, err) {
							return
						}
						after = b.Ref
					}
				}
			}
		},
	}, {
		"loses the last byte of a full block", "a blob of any size reads back as it was put", func(h *hooked) {
			h.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
				b, err := io.ReadAll(src)
				if err != nil {
					return "", err
				}
				if len(b) == 64<<10 {
					b = b[:len(b)-1]
				}
				return h.whole.Put(ctx, name, bytes.NewReader(b), driver.PutOptions{Size: -1})
			}
		},
	}, {
		"refuses an empty blob", "an empty blob is a blob", func(h *hooked) {
			h.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
				if opts.Size == 0 {
					return "", errors.New("nothing to store")
				}
				return h.whole.Put(ctx, name, src, opts)
			}
		},
	}, {
		"takes an empty read for the end", "Put takes every kind of reader", func(h *hooked) {
			h.put = func(ctx context.Context, name string, src io.Reader, _ driver.PutOptions) (driver.Ref, error) {
				stops := readerFunc(func(p []byte) (int, error) {
					n, err := src.Read(p)
					if n == 0 && err == nil {
						err = io.EOF
					}
					return n, err
				})
				return h.whole.Put(ctx, name, stops, driver.PutOptions{Size: -1})
			}
		},
	}, {
		"keeps equal bytes once", "equal bytes are blobs of their own", func(h *hooked) {
			var mu sync.Mutex
			seen := make(map[string]driver.Ref)
			h.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
				b, err := io.ReadAll(src)
				if err != nil {
					return "", err
				}
				mu.Lock()
				defer mu.Unlock()
				if ref, ok := seen[string(b)]; ok {
					return ref, nil
				}
				ref, err := h.whole.Put(ctx, name, bytes.NewReader(b), opts)
				if err == nil {
					seen[string(b)] = ref
				}
				return ref, err
			}
		},
	}, {
		"ignores the size that was promised", "a source that yields fewer bytes than promised fails the Put", ignoreSize,
	}, {
		"ignores the size that was promised", "a source that yields more bytes than promised fails the Put", ignoreSize,
	}, {
		"reads only as much as was promised", "a source that yields more bytes than promised fails the Put", func(h *hooked) {
			h.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
				if opts.Size >= 0 {
					src = io.LimitReader(src, opts.Size)
				}
				return h.whole.Put(ctx, name, src, opts)
			}
		},
	}, {
		"keeps what a failing source had yielded", "a source that fails fails the Put and leaves nothing", func(h *hooked) {
			h.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
				b, err := io.ReadAll(src)
				if err != nil {
					_, _ = h.whole.Put(ctx, name, bytes.NewReader(b), driver.PutOptions{Size: -1})
					return "", err
				}
				return h.whole.Put(ctx, name, bytes.NewReader(b), opts)
			}
		},
	}, {
		"replaces the error of the source", "the source's own error is returned", func(h *hooked) {
			h.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
				ref, err := h.whole.Put(ctx, name, src, opts)
				if errors.Is(err, errSource) {
					err = errors.New("source: " + err.Error())
				}
				return ref, err
			}
		},
	}, {
		"takes the source's io.ErrUnexpectedEOF for its end", "a source's io.ErrUnexpectedEOF is not its end", func(h *hooked) {
			h.put = func(ctx context.Context, name string, src io.Reader, _ driver.PutOptions) (driver.Ref, error) {
				ends := readerFunc(func(p []byte) (int, error) {
					n, err := io.ReadFull(src, p)
					if err == io.ErrUnexpectedEOF {
						err = io.EOF
					}
					return n, err
				})
				return h.whole.Put(ctx, name, ends, driver.PutOptions{Size: -1})
			}
		},
	}, {
		"ignores the context of a Put", "a cancelled Put stops with the context's error and leaves nothing", func(h *hooked) {
			h.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
				return h.whole.Put(context.WithoutCancel(ctx), name, src, opts)
			}
		},
	}, {
		"reads the source from two goroutines", "src is read by one goroutine at a time", func(h *hooked) {
			h.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
				var both sync.WaitGroup
				for range 2 {
					both.Go(func() { _, _ = src.Read(make([]byte, 1000)) })
				}
				both.Wait()
				return h.whole.Put(ctx, name, src, opts)
			}
		},
	}, {
		"returns from Put while the source is read", "src is never read after Put has returned", func(h *hooked) {
			h.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
				type result struct {
					ref driver.Ref
					err error
				}
				done := make(chan result, 1)
				go func() {
					ref, err := h.whole.Put(ctx, name, src, opts)
					done <- result{ref, err}
				}()
				select {
				case r := <-done:
					return r.ref, r.err
				case <-ctx.Done():
					return "", ctx.Err()
				}
			}
		},
	}, {
		"holds a lock while it reads the source", "no lock is held while src blocks", func(h *hooked) {
			var mu sync.Mutex
			h.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
				mu.Lock()
				defer mu.Unlock()
				return h.whole.Put(ctx, name, src, opts)
			}
		},
	}, {
		"ignores the offset behind the first block", "Open reads just the range that is asked for", func(h *hooked) {
			h.open = func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
				if off > 64<<10 && n > 0 {
					off--
				}
				return h.whole.Open(ctx, ref, off, n)
			}
		},
	}, {
		"cuts a range at the end of the blob", "a range beyond the end is ErrRange", func(h *hooked) {
			h.open = func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
				r, err := h.whole.Open(ctx, ref, off, n)
				if errors.Is(err, container.ErrRange) && off >= 0 {
					return h.whole.Open(ctx, ref, off, -1)
				}
				return r, err
			}
		},
	}, {
		"adds offset and length without a thought of overflow", "a range beyond the end is ErrRange", func(h *hooked) {
			h.open = func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
				if off+n < 0 {
					n = 0
				}
				return h.whole.Open(ctx, ref, off, n)
			}
		},
	}, {
		"fails for a ref that it cannot parse", "a ref that was never minted is not found, whatever it looks like", func(h *hooked) {
			h.open = func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
				if !strings.Contains(string(ref), "-") {
					return nil, fmt.Errorf("%w: ref %q", container.ErrInvalid, ref)
				}
				return h.whole.Open(ctx, ref, off, n)
			}
		},
	}, {
		"forgets the context of Open", "the context of Open governs the reader", func(h *hooked) {
			h.open = func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
				return h.whole.Open(context.WithoutCancel(ctx), ref, off, n)
			}
		},
	}, {
		"gives a deleted blob's buffer to the next", "a reader whose blob is deleted goes on or fails", func(h *hooked) {
			var mu sync.Mutex
			deleted := make(map[driver.Ref]bool)
			h.delete = func(ctx context.Context, ref driver.Ref) error {
				mu.Lock()
				defer mu.Unlock()
				deleted[ref] = true
				return h.whole.Delete(ctx, ref)
			}
			h.open = func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
				r, err := h.whole.Open(ctx, ref, off, n)
				if err != nil {
					return nil, err
				}
				return struct {
					io.Reader
					io.Closer
				}{readerFunc(func(p []byte) (int, error) {
					n, err := r.Read(p)
					mu.Lock()
					defer mu.Unlock()
					if deleted[ref] {
						clear(p[:n])
					}
					return n, err
				}), r}, nil
			}
		},
	}, {
		"does not delete", "Delete removes the blob and no other", func(h *hooked) {
			h.delete = func(context.Context, driver.Ref) error { return nil }
		},
	}, {
		"fails to delete what is gone", "deleting a blob again is fine", func(h *hooked) {
			h.delete = func(ctx context.Context, ref driver.Ref) error {
				r, err := h.whole.Open(ctx, ref, 0, 0)
				if err != nil {
					return err
				}
				return errors.Join(r.Close(), h.whole.Delete(ctx, ref))
			}
		},
	}, {
		"deletes by the beginning of a ref", "deleting what was never minted is fine and harms nothing", func(h *hooked) {
			h.delete = func(ctx context.Context, ref driver.Ref) error {
				return h.whole.Delete(ctx, ref[:min(len(ref), 33)])
			}
		},
	}, {
		"tells a wrong size", "List yields every blob once, with its size or -1", func(h *hooked) {
			h.list = mapList(h, func(b driver.Blob) driver.Blob { b.Size += 4; return b })
		},
	}, {
		"starts a List at after, not behind it", "List goes on behind any ref, in the same order", func(h *hooked) {
			h.list = func(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
				return func(yield func(driver.Blob, error) bool) {
					for b, err := range h.whole.List(ctx, "") {
						if b.Ref >= after && !yield(b, err) {
							return
						}
					}
				}
			}
		},
	}, {
		"looks for after among the blobs there are", "List goes on behind a ref that was deleted", func(h *hooked) {
			h.list = func(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
				return func(yield func(driver.Blob, error) bool) {
					found := after == ""
					for b, err := range h.whole.List(ctx, "") {
						if found && !yield(b, err) {
							return
						}
						found = found || b.Ref == after
					}
				}
			}
		},
	}, {
		"finds its place in a List by counting", "List shows what stays while other blobs come and go", func(h *hooked) {
			h.list = func(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
				return func(yield func(driver.Blob, error) bool) {
					for i := 0; ; i++ {
						blobs, err := collect(h.whole.List(ctx, after))
						if err != nil {
							yield(driver.Blob{}, err)
							return
						}
						if i >= len(blobs) || !yield(blobs[i], nil) {
							return
						}
					}
				}
			}
		},
	}, {
		"holds on to a List that was left", "leaving a List early releases it", func(h *hooked) {
			var lists sync.WaitGroup
			h.list = func(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
				return func(yield func(driver.Blob, error) bool) {
					lists.Add(1)
					for b, err := range h.whole.List(ctx, after) {
						if !yield(b, err) {
							return
						}
					}
					lists.Done()
				}
			}
			h.close = func(ctx context.Context) error {
				released := make(chan struct{})
				go func() { lists.Wait(); close(released) }()
				select {
				case <-released:
					return h.whole.Close(ctx)
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		},
	}, {
		"ends a List without its error", "List fails once and stops", func(h *hooked) {
			h.list = func(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
				return func(yield func(driver.Blob, error) bool) {
					for b, err := range h.whole.List(ctx, after) {
						if err != nil || !yield(b, nil) {
							return
						}
					}
				}
			}
		},
	}, {
		"repeats the error of a List", "List fails once and stops", func(h *hooked) {
			h.list = func(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
				return func(yield func(driver.Blob, error) bool) {
					for b, err := range h.whole.List(ctx, after) {
						if !yield(b, err) || err != nil && !yield(b, err) {
							return
						}
					}
				}
			}
		},
	}, {
		"mints refs anew after a delete", "a ref is never minted twice, not after Delete either", func(h *hooked) {
			countRefs(h, new(refCounter))
		},
	}, {
		"mints refs that are too long", "a ref has 1 to its maximum of bytes, whatever the name", func(h *hooked) {
			h.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
				ref, err := h.whole.Put(ctx, name, src, opts)
				return ref + driver.Ref(name) + "/" + driver.Ref(name), err
			}
		},
	}, {
		"takes short names only", "Put takes every name that the contract allows", func(h *hooked) {
			h.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
				if len(name) > 128 {
					return "", errors.New("name is too long")
				}
				return h.whole.Put(ctx, name, src, opts)
			}
		},
	}, {
		"reads after it was closed", "after Close each method returns ErrClosed", func(h *hooked) {
			h.close = func(context.Context) error { return nil }
		},
	}, {
		"does not close twice", "closing again does nothing", func(h *hooked) {
			var mu sync.Mutex
			closed := false
			h.close = func(ctx context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				if closed {
					return container.ErrClosed
				}
				closed = true
				return h.whole.Close(ctx)
			}
		},
	}, {
		"closes under a running Put", "Close waits for a Put that is running", func(h *hooked) {
			h.close = func(ctx context.Context) error {
				go func() { _ = h.whole.Close(context.WithoutCancel(ctx)) }()
				return nil
			}
		},
	}, {
		"waits in Close whatever its context says", "Close waits no longer than its context", func(h *hooked) {
			h.close = func(ctx context.Context) error { return h.whole.Close(context.WithoutCancel(ctx)) }
		},
	}, {
		"swaps blobs that are put at once", "blobs put at once keep their own bytes", func(h *hooked) {
			var mu sync.Mutex
			var last driver.Ref
			puts := 0
			h.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
				ref, err := h.whole.Put(ctx, name, src, opts)
				mu.Lock()
				defer mu.Unlock()
				if puts++; puts%2 == 0 {
					ref, last = last, ref
				} else {
					last = ref
				}
				return ref, err
			}
		},
	},
}

// TestEachDefectIsCaughtByTheCaseThatIsThereForIt also shows that the failure
// quotes the contract.
func TestEachDefectIsCaughtByTheCaseThatIsThereForIt(t *testing.T) {
	t.Parallel()
	for _, defect := range defects {
		t.Run(defect.name+" is caught by "+defect.caughtBy, func(t *testing.T) {
			t.Parallel()
			tc := caseNamed(t, defect.caughtBy)
			h := memoryHarness()
			h.Open = func(context.Context) (driver.Driver, error) {
				broken := newHooked(memory.New())
				defect.break_(broken)
				return broken, nil
			}
			failure := record(t, tc, h)
			require.NotEmpty(t, failure, "the case passed")
			assert.Contains(t, failure, "contract: "+tc.contract)
		})
	}
}

// A driver that yields damaged bytes is caught if the harness can damage them,
// and one that yields a wrong byte before its error is, too.
func TestDamageThatADriverDoesNotNoticeIsCaught(t *testing.T) {
	t.Parallel()
	for name, yields := range map[string]func(r io.ReadCloser) io.ReadCloser{
		"notices nothing": func(r io.ReadCloser) io.ReadCloser {
			return readCloser{flipping{r}, r}
		},
		"notices at the end": func(r io.ReadCloser) io.ReadCloser {
			return readCloser{io.MultiReader(flipping{r}, iotest.ErrReader(container.ErrCorrupt)), r}
		},
	} {
		damaged := false
		h := memoryHarness()
		h.Damage = func(context.Context, driver.Ref) error { damaged = true; return nil }
		h.Open = func(context.Context) (driver.Driver, error) {
			broken := newHooked(memory.New())
			broken.open = func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
				r, err := broken.whole.Open(ctx, ref, off, n)
				if err != nil || !damaged {
					return r, err
				}
				return yields(r), nil
			}
			return broken, nil
		}
		require.NotEmpty(t, record(t, caseNamed(t, "bytes that are not those that were put are ErrCorrupt"), h), name)
	}
}

// flipping yields every byte wrong.
type flipping struct{ io.Reader }

func (f flipping) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	for i := range p[:n] {
		p[i] ^= 1
	}
	return n, err
}

type readCloser struct {
	io.Reader
	io.Closer
}

// reopenDefects show only in a driver that is opened again.
var reopenDefects = []struct {
	name     string
	caughtBy string
	harness  func() Harness
}{
	{"keeps nothing", "what was put is there after a reopen", func() Harness {
		h := memoryHarness()
		h.Reopen = h.Open
		return h
	}},
	{"brings back what was deleted", "what was deleted stays gone after a reopen", func() Harness {
		return keepingHarness(func(d driver.Driver) driver.Driver {
			// Hides what is deleted, and forgets with the next opening.
			h := newHooked(d)
			var mu sync.Mutex
			hidden := make(map[driver.Ref]bool)
			h.delete = func(_ context.Context, ref driver.Ref) error {
				mu.Lock()
				defer mu.Unlock()
				hidden[ref] = true
				return nil
			}
			h.open = func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
				mu.Lock()
				defer mu.Unlock()
				if hidden[ref] {
					return nil, container.ErrNotFound
				}
				return d.Open(ctx, ref, off, n)
			}
			return h
		})
	}},
	{"numbers from the highest blob there is", "a ref is never minted twice, not after a reopen either", func() Harness {
		counter := new(refCounter)
		return keepingHarness(func(d driver.Driver) driver.Driver {
			h := newHooked(d)
			counter.restart()
			countRefs(h, counter)
			h.delete = func(ctx context.Context, ref driver.Ref) error { return d.Delete(ctx, counter.drop(ref)) }
			return h
		})
	}},
	{"lists in another order each time", "the order is the same after a reopen", func() Harness {
		opened := 0
		return keepingHarness(func(d driver.Driver) driver.Driver {
			h := newHooked(d)
			if opened++; opened == 1 {
				return h
			}
			h.list = func(ctx context.Context, _ driver.Ref) iter.Seq2[driver.Blob, error] {
				return func(yield func(driver.Blob, error) bool) {
					blobs, _ := collect(d.List(ctx, ""))
					for _, b := range slices.Backward(blobs) {
						if !yield(b, nil) {
							return
						}
					}
				}
			}
			return h
		})
	}},
}

func TestEachDefectOfReopeningIsCaught(t *testing.T) {
	t.Parallel()
	for _, defect := range reopenDefects {
		t.Run(defect.name, func(t *testing.T) {
			t.Parallel()
			assert.NotEmpty(t, record(t, caseNamed(t, defect.caughtBy), defect.harness()), "the case passed")
		})
	}
}

// TestADriverThatHoldsAWholeBlobIsCaught measures what the process allocates,
// so it is not parallel.
func TestADriverThatHoldsAWholeBlobIsCaught(t *testing.T) {
	h := memoryHarness()
	h.InMemory = false
	assert.Contains(t, record(t, caseNamed(t, "a large blob passes in bounded memory"), h), "allocated")
}

func caseNamed(t *testing.T, name string) testCase {
	t.Helper()
	cases := allCases()
	i := slices.IndexFunc(cases, func(tc testCase) bool { return tc.name == name })
	require.GreaterOrEqual(t, i, 0, "no case is named %q", name)
	return cases[i]
}

func ignoreSize(h *hooked) {
	h.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
		opts.Size = -1
		return h.whole.Put(ctx, name, src, opts)
	}
}

func mapList(h *hooked, change func(driver.Blob) driver.Blob) func(context.Context, driver.Ref) iter.Seq2[driver.Blob, error] {
	return func(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
		return func(yield func(driver.Blob, error) bool) {
			for b, err := range h.whole.List(ctx, after) {
				if !yield(change(b), err) {
					return
				}
			}
		}
	}
}

func collect(list iter.Seq2[driver.Blob, error]) ([]driver.Blob, error) {
	var blobs []driver.Blob
	for b, err := range list {
		if err != nil {
			return nil, err
		}
		blobs = append(blobs, b)
	}
	return blobs, nil
}

// A refCounter names blobs by the lowest number that is free, which is what a
// driver must not do.
type refCounter struct {
	mu    sync.Mutex
	inner map[driver.Ref]driver.Ref
	next  int
}

func (r *refCounter) add(inner driver.Ref) driver.Ref {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inner == nil {
		r.inner = make(map[driver.Ref]driver.Ref)
	}
	r.next++
	ref := driver.Ref(fmt.Sprintf("blob-%06d", r.next))
	r.inner[ref] = inner
	return ref
}

func (r *refCounter) get(ref driver.Ref) driver.Ref {
	r.mu.Lock()
	defer r.mu.Unlock()
	if inner, ok := r.inner[ref]; ok {
		return inner
	}
	return "none"
}

func (r *refCounter) drop(ref driver.Ref) driver.Ref {
	inner := r.get(ref)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.inner, ref)
	return inner
}

// restart goes back to the highest blob that is left.
func (r *refCounter) restart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = 0
	for ref := range r.inner {
		var n int
		_, _ = fmt.Sscanf(string(ref), "blob-%d", &n)
		r.next = max(r.next, n)
	}
}

// countRefs makes h name its blobs by counter, which goes back on Delete.
func countRefs(h *hooked, counter *refCounter) {
	whole := h.whole
	h.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
		ref, err := whole.Put(ctx, name, src, opts)
		if err != nil {
			return "", err
		}
		return counter.add(ref), nil
	}
	h.open = func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
		return whole.Open(ctx, counter.get(ref), off, n)
	}
	h.delete = func(ctx context.Context, ref driver.Ref) error {
		err := whole.Delete(ctx, counter.drop(ref))
		counter.restart()
		return err
	}
}
