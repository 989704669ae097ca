package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"syscall"

	"github.com/vaultaire/vaultaire/container"
)

// ErrFailed: a write to the disk failed earlier, so the store has stopped. What
// it acknowledged is safe. Close it, mend the cause and open it again.
var ErrFailed = errors.New("pebblestore: stopped after a failed write")

// A poison remembers the first failure after which the disk cannot be trusted.
type poison struct {
	failure atomic.Pointer[error]
	log     *slog.Logger
}

// set poisons the store; only the first cause counts.
func (p *poison) set(cause error) {
	if errors.Is(cause, syscall.ENOSPC) {
		cause = fmt.Errorf("%w: %w", container.ErrNoSpace, cause)
	}
	err := fmt.Errorf("%w: %w", ErrFailed, cause)
	if p.failure.CompareAndSwap(nil, &err) {
		p.log.Error("catalog store stopped", "error", err)
	}
}

func (p *poison) isSet() bool { return p.failure.Load() != nil }

// err returns nil, or an ErrFailed with the first cause.
func (p *poison) err() error {
	if failure := p.failure.Load(); failure != nil {
		return *failure
	}
	return nil
}

// A pebbleLogger receives what Pebble logs. Pebble expects Fatalf to end the
// process; here it poisons the store and returns.
type pebbleLogger struct {
	log    *slog.Logger
	poison *poison
}

func (l *pebbleLogger) Infof(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("pebble: " + fmt.Sprintf(format, args...))
	}
}

func (l *pebbleLogger) Errorf(format string, args ...any) {
	l.log.Error("pebble: " + fmt.Sprintf(format, args...))
}

func (l *pebbleLogger) Fatalf(format string, args ...any) {
	l.poison.set(fmt.Errorf("pebble: "+format, args...))
}
