package driver

import (
	"context"
	"errors"
	"time"
)

// A Flusher is a [Driver] that may return from Put and Delete before what they
// did would survive a power cut. It is optional; callers use [FlushInterval]
// and [Flush].
type Flusher interface {
	// FlushInterval returns for how long at most what Put and Delete did may
	// stay volatile. 0 means that there is nothing to flush: they return when it
	// is durable, or nothing ever is, to the degree that the driver was opened
	// with.
	FlushInterval() time.Duration
	// Flush makes durable all that Puts and Deletes did which had returned
	// before Flush was called, those of a process that was killed included: what
	// a driver shows when it is opened is durable, or becomes so with its first
	// Flush. That concerns a place that was asynchronous before also if it is
	// opened in another way. A driver whose Flush failed, also one that it called
	// itself, accepts no more Puts and Deletes until it is opened again, unless ctx
	// had ended before it began.
	Flush(ctx context.Context) error
}

// FlushInterval returns the interval of d if it is a Flusher, else 0.
func FlushInterval(d Driver) time.Duration {
	if f, ok := d.(Flusher); ok {
		return f.FlushInterval()
	}
	return 0
}

// Flush flushes d if it is a Flusher; else there is nothing to do.
func Flush(ctx context.Context, d Driver) error {
	if f, ok := d.(Flusher); ok {
		return f.Flush(ctx)
	}
	return nil
}

// ErrStay is what the caller of Compact returns, perhaps wrapped, for a blob that
// has to stay where it is for as long as nothing is deleted around it.
var ErrStay = errors.New("blob is to stay where it is")

// A Compactor is a [Driver] that keeps several blobs together, so that deleting
// one gives no space back until the others are moved away. It is optional;
// callers use [Compact].
type Compactor interface {
	// Compact moves blobs until deleted ones hold at most the share dead, from 0
	// to 1, of each place where blobs are kept together. For each blob it stores
	// a durable copy and then calls moved, holding no lock; it may call moved
	// several times at once, since each call waits for a disk. from stays readable,
	// and List may show both, until the caller deletes it, which it does some
	// time after moved has returned nil. If moved returns an error, the copy is
	// deleted, the blob stays where it is, and Compact goes on with the next;
	// it returns the errors joined. The next Compact tries again, unless all that is
	// left in a place is an ErrStay: then not before more is deleted there, lest
	// the same bytes are copied for nothing time and again. A blob that is damaged
	// stays, too, and is an ErrCorrupt. Compact stops when ctx ends. A blob that was told as moved is
	// not moved again while the caller takes its time to delete it.
	//
	// Puts, Deletes and readers go on meanwhile. One Compact runs at a time.
	Compact(ctx context.Context, dead float64, moved func(ctx context.Context, from, to Ref) error) error
}

// Compact compacts d if it is a Compactor; else there is nothing to do.
func Compact(ctx context.Context, d Driver, dead float64, moved func(ctx context.Context, from, to Ref) error) error {
	if c, ok := d.(Compactor); ok {
		return c.Compact(ctx, dead, moved)
	}
	return nil
}

// A Snapshotter is a [Driver] that can copy itself while it is in use. It is
// optional; without it, blobs are copied one by one by whoever wants a copy.
type Snapshotter interface {
	// Snapshot makes dir, which must not exist or be empty, a place that the
	// same kind of driver can open, with the same identity. It holds every blob
	// whose Put had returned before the call and that is not deleted until
	// Snapshot returns; when nil, they are durable there. Puts, Deletes and
	// readers go on meanwhile. On failure dir holds what no driver opens as a
	// place of its own, for the caller to remove.
	Snapshot(ctx context.Context, dir string) error
}
