package local

import (
	"fmt"
	"sync"
)

// A syncer makes folders durable in rounds, one after the other. While one
// round runs, the calls that arrive gather in the next and share its syncs, so
// a round has what came in during the last one and nobody waits for a timer.
//
// Rounds do not overlap because of failures: the kernel reports one only to
// the first sync after it. A second sync of the same folder at the same time
// could succeed, over a name that the disk has lost.
type syncer struct {
	syncDir func(dir string) error

	turn sync.Mutex // held by the round that runs

	mu     sync.Mutex
	next   *round // the one that gathers; nil if none does
	failed error  // the first failure; for ever
}

type round struct {
	dirs map[string]struct{}
	done chan struct{}
	err  error // set before done is closed
}

// sync returns when a sync of dir that began after the call has ended.
func (s *syncer) sync(dir string) error {
	r, first := s.join(dir)
	if first {
		s.run(r)
	}
	<-r.done
	return r.err
}

func (s *syncer) join(dir string) (r *round, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = &round{dirs: make(map[string]struct{}), done: make(chan struct{})}
		first = true
	}
	s.next.dirs[dir] = struct{}{}
	return s.next, first
}

func (s *syncer) run(r *round) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	s.next = nil // from here on nobody joins r
	s.mu.Unlock()
	r.err = s.check()
	for dir := range r.dirs {
		if r.err != nil {
			break
		}
		if err := s.syncDir(dir); err != nil {
			r.err = fmt.Errorf("sync folder: %w", err)
			s.poison(r.err)
		}
	}
	close(r.done)
}

// poison makes every later check and sync fail because of err.
func (s *syncer) poison(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
	}
}

// check returns nil unless a sync has failed.
func (s *syncer) check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return fmt.Errorf("no more writes until the driver is opened again, because an earlier sync failed: %w", s.failed)
	}
	return nil
}
