package local

import (
	"fmt"

	"github.com/vaultaire/vaultaire/container"
)

// Options are what [Open] can be told. The zero Options are the defaults.
type Options struct {
	Sync SyncMode
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
)

var syncNames = [...]string{SyncAlways: "always", SyncNone: "none"}

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
		return fmt.Errorf("%w: sync mode %d; accepted are SyncAlways and SyncNone", container.ErrInvalid, o.Sync)
	}
	return nil
}
