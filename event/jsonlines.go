package event

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/vaultaire/vaultaire/container"
)

// A JSONLines is a Sink that writes each event as one line of JSON, in the
// form that [Event.MarshalJSON] documents. A line is one call of Write, and
// calls of Write follow one another. Make one with [OpenJSONLines] or
// [NewJSONLines].
//
// An event that cannot be written is lost, as a sink cannot fail the operation
// that it tells of; [JSONLines.Lost] says how many are.
type JSONLines struct {
	w     io.Writer
	close func() error
	// turn holds a token whenever nobody writes. Taking it guards the fields
	// below; unlike a mutex, it can be waited for until a context ends.
	turn    chan struct{}
	closed  bool
	torn    bool // the last line is there in part
	lost    int64
	lastErr error
}

// NewJSONLines returns a JSONLines that writes to w. Closing it leaves w open.
func NewJSONLines(w io.Writer) *JSONLines {
	s := &JSONLines{
		w:     w,
		close: func() error { return nil },
		turn:  make(chan struct{}, 1),
	}
	s.turn <- struct{}{}
	return s
}

// OpenJSONLines returns a JSONLines that appends to the file at path, which is
// made, for its owner's eyes only, if it does not exist. Lines are given to the
// operating system at once: they survive the end of the process, but the last
// ones may not survive a power cut. The file may be truncated at any time.
//
// ctx governs the opening.
func OpenJSONLines(ctx context.Context, path string) (*JSONLines, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("event: open %q: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	torn, err := endsMidLine(f)
	if err != nil {
		_ = f.Close() // the first error says what is wrong
		return nil, fmt.Errorf("event: %w", err)
	}
	s := NewJSONLines(f)
	s.close = f.Close
	s.torn = torn
	return s, nil
}

// endsMidLine reports whether the last line of f lacks its end, because an
// earlier process died or its disk was full while it wrote it.
func endsMidLine(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return false, nil // a pipe or a terminal has no past
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], info.Size()-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

// Record writes e. After Close, e is lost.
func (s *JSONLines) Record(_ context.Context, e Event) {
	line, err := e.MarshalJSON()
	<-s.turn
	defer func() { s.turn <- struct{}{} }()
	if err == nil {
		err = s.write(append(line, '\n'))
	}
	if err != nil {
		s.lost++
		s.lastErr = err
	}
}

// write writes one line. It is called by the holder of the turn.
func (s *JSONLines) write(line []byte) error {
	if s.closed {
		return fmt.Errorf("event: JSON lines: %w", container.ErrClosed)
	}
	if s.torn {
		// The rest of an earlier line must not spoil this one.
		line = append([]byte{'\n'}, line...)
	}
	n, err := s.w.Write(line)
	if err == nil && n < len(line) {
		err = io.ErrShortWrite
	}
	switch {
	case err == nil:
		s.torn = false
	case n > 0:
		s.torn = true
	}
	return err
}

// Lost returns how many events could not be written, and why the last of them
// could not; nil if none is lost.
func (s *JSONLines) Lost() (n int64, last error) {
	<-s.turn
	defer func() { s.turn <- struct{}{} }()
	return s.lost, s.lastErr
}

// Close waits, until ctx ends, for a line that is being written, and closes the
// file if OpenJSONLines opened it. Closing again is fine and does nothing.
func (s *JSONLines) Close(ctx context.Context) error {
	select {
	case <-s.turn:
	case <-ctx.Done():
		return fmt.Errorf("event: close JSON lines: %w", ctx.Err())
	}
	defer func() { s.turn <- struct{}{} }()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := s.close(); err != nil {
		return fmt.Errorf("event: close JSON lines: %w", err)
	}
	return nil
}
