// Package driver is the contract between an engine and the places where it
// keeps bytes.
//
// A [Driver] holds blobs: immutable strings of bytes, from none to terabytes.
// It knows nothing of tenants, containers, keys, versions or conditions; the
// engine's catalog does, and remembers by which [Ref] the driver will find a
// blob again. A driver never overwrites anything, so it has no races to
// resolve, and whatever can keep and return bytes qualifies.
//
// Who writes a driver writes the five methods of [Driver], proves them with
// [github.com/vaultaire/vaultaire/driver/drivertest], and has containers,
// conditions, tenants, events and an S3 endpoint over it. Who wants the driver
// to be opened by name from a configuration also writes an [OpenFunc] and
// registers it with a [Registry].
//
// # Errors
//
// Drivers report with the sentinels of package container, wrapped as they
// like: ErrNotFound, ErrRange, ErrCorrupt, ErrNoSpace, ErrClosed. An error
// that matches none of them is a failure that may pass. Drivers return the
// context's error when they stop because of it, and an error of a source
// reader as it is or wrapped.
package driver

import (
	"context"
	"io"
	"iter"
	"time"
)

// A Driver keeps blobs. Every method may be called concurrently with every
// other. After Close each returns container.ErrClosed.
type Driver interface {
	// Put stores all that src yields and returns the ref to read it by. A nil
	// error means that the blob is durable, to the degree that the driver was
	// opened with, and readable now, by every later Open.
	//
	// On any error, one of src or of a cancelled ctx included, nothing readable
	// is left behind, or what is left behind is whole and shown by List.
	//
	// src is read once, in order, by one goroutine at a time, and never after
	// Put has returned. It may block for long, so no lock is held meanwhile.
	// It yields an error other than io.EOF if the blob must not be kept.
	//
	// name is unique for ever: no two calls have the same, not even after a
	// failure. It has at most [MaxNameLength] bytes of [A-Za-z0-9._/-] and no
	// empty, "." or ".." segments, so it is safe as a path or a remote key; a
	// driver that keeps blobs by name returns Ref(name).
	Put(ctx context.Context, name string, src io.Reader, opts PutOptions) (Ref, error)

	// Open reads n bytes of the blob from offset off; n < 0 means to the end.
	// It returns, or the reader does, ErrNotFound if there is no blob with the
	// ref, ErrRange if off < 0 or off+n lies beyond the end (reading 0 bytes at
	// the end is fine), and ErrCorrupt if the bytes are not those that were
	// put; no wrong byte is ever returned before it.
	//
	// The caller closes the reader. A reader that is open when its blob is
	// deleted or the driver is closed either goes on or fails; it never yields
	// wrong bytes. ctx governs the reader until it is closed.
	Open(ctx context.Context, ref Ref, off, n int64) (io.ReadCloser, error)

	// Delete removes the blob. A nil error means that it is gone for good, to
	// the degree that the driver was opened with, or that it never was there.
	Delete(ctx context.Context, ref Ref) error

	// List yields the driver's blobs in a stable order of the driver's own,
	// starting behind after; "" starts at the first. after is any ref that
	// List ever yielded, that of a blob deleted since included. A blob that is
	// present throughout is yielded at least once; one that comes or goes
	// meanwhile, perhaps. On failure List yields (Blob{}, err) once and stops.
	List(ctx context.Context, after Ref) iter.Seq2[Blob, error]

	// Close releases what the driver holds and waits, until ctx ends, for calls
	// that are running. Closing again is fine and does nothing.
	Close(ctx context.Context) error
}

// A Ref is a driver's own name for a blob, opaque to everyone else. It has 1
// to [MaxRefLength] bytes; a driver made of other drivers may need up to
// [MaxWrappedRefLength]. A driver never mints a ref twice: not after the blob
// was deleted, not after a crash, and not after its files were restored from a
// copy.
type Ref string

// Limits on the strings that pass between an engine and a driver.
const (
	MaxNameLength       = 200
	MaxRefLength        = 256
	MaxWrappedRefLength = 1024
)

// A Blob is what List tells of one blob.
type Blob struct {
	Ref     Ref
	Size    int64     // bytes; -1 if unknown
	Created time.Time // zero if unknown
}

// PutOptions are what the engine knows of a blob beforehand.
type PutOptions struct {
	// Size is the number of bytes that src will yield; -1 if unknown. If src
	// yields another number without an error of its own, the Put fails.
	Size int64
	// KeyScope is an opaque label that chooses an encryption key in drivers
	// that encrypt. Other drivers ignore it.
	KeyScope string
}
