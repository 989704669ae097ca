package local

import (
	"cmp"
	"fmt"
	"time"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local/vfs"
)

// Options are what [Open] can be told. The zero Options are the defaults.
type Options struct {
	// Sync says when what was put or deleted survives a power cut.
	Sync SyncMode

	// Interval is how long SyncAsync puts syncs off; 0 means a second. It goes
	// with no other mode.
	Interval time.Duration

	// SmallBlob is the size in bytes, what the engine appends included, of the
	// largest blob that goes to a segment, together with others; larger ones
	// have a file each. 0 means [DefaultSmallBlob], less than 0 that every blob
	// has a file, and the most is 1 MiB. It may change from one Open to the next.
	SmallBlob int64

	// SkipVerify returns bytes without comparing them with their checksums, for
	// places where somebody else does.
	SkipVerify bool

	// FS is where the folder is; nil means the disk.
	FS vfs.FS

	segmentSize int64 // bytes in a segment; 0: defaultSegmentSize
	step        int64 // bytes of zeros that a segment is made with; 0: firstStep
	logs        int   // deletion logs that are not merged; 0: maxLogs
	logReserve  int64 // bytes of zeros that a log has at least; 0: minLogReserve
}

// DefaultSmallBlob is up to what size blobs are kept together if nothing else
// is said: 128 KiB. From there on a file each costs hardly more.
const DefaultSmallBlob = 128 << 10

const (
	defaultSegmentSize = 256 << 20
	defaultInterval    = time.Second
)

// smallBlob returns the most bytes of a blob in a segment, -1 for none.
func (o Options) smallBlob() int64 {
	return max(cmp.Or(o.SmallBlob, DefaultSmallBlob), -1)
}

// disk returns the file system that the options name.
func (o Options) disk() vfs.FS {
	if o.FS == nil {
		return vfs.OS{}
	}
	return o.FS
}

// A SyncMode says what a driver has done when a Put or Delete returns nil. In
// every mode the bytes are with the operating system by then, so that a
// process which is killed loses nothing.
type SyncMode int

const (
	// SyncAlways: they are on the disk, and survive a power cut.
	SyncAlways SyncMode = iota
	// SyncNone: the operating system writes them when it likes. For tests, and
	// for bytes that can be made again.
	SyncNone
	// SyncAsync: they are on the disk after Options.Interval, or after the next
	// Flush. A power cut may undo what was put and deleted since, in any
	// combination; a blob is whole or not there all the same.
	SyncAsync
)

var syncNames = [...]string{SyncAlways: "always", SyncNone: "none", SyncAsync: "async"}

// String returns the name that a configuration uses.
func (m SyncMode) String() string {
	if m < 0 || int(m) >= len(syncNames) {
		return fmt.Sprintf("SyncMode(%d)", int(m))
	}
	return syncNames[m]
}

// UnmarshalText sets m to the mode that a configuration names.
func (m *SyncMode) UnmarshalText(text []byte) error {
	for mode, name := range syncNames {
		if string(text) == name {
			*m = SyncMode(mode)
			return nil
		}
	}
	return fmt.Errorf("unknown sync mode %q; accepted are %q", text, syncNames)
}

func (o Options) validate() error {
	if o.Sync < 0 || int(o.Sync) >= len(syncNames) {
		return fmt.Errorf("%w: sync mode %d; accepted are SyncAlways, SyncAsync and SyncNone", container.ErrInvalid, o.Sync)
	}
	if o.Interval < 0 || o.Interval > 0 && o.Sync != SyncAsync {
		return fmt.Errorf("%w: interval %v with sync mode %v; accepted is more than 0, with %v", container.ErrInvalid, o.Interval, o.Sync, SyncAsync)
	}
	if o.SmallBlob > maxSmallBlob {
		return fmt.Errorf("%w: small blobs of up to %d bytes; accepted is at most %d", container.ErrInvalid, o.SmallBlob, maxSmallBlob)
	}
	return nil
}
