package driver

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/vaultaire/vaultaire/container"
)

// A Source is the src of a Put with the promises of the contract checked: it
// stops with the context's error when ctx ends, and with ErrLength when src
// yields more or fewer bytes than were promised. Any error of src is passed on
// as it is. It belongs to one goroutine at a time.
type Source struct {
	ctx  context.Context
	src  io.Reader
	size int64 // -1 if unknown
	read int64
	err  error // the first, for ever
}

// maxEmptyReads is how often in a row a reader may yield neither a byte nor an
// error; the same number that package bufio forgives.
const maxEmptyReads = 100

// NewSource wraps the src of a Put under its ctx; size is PutOptions.Size.
// The caller must read to io.EOF, for only there a length is known to be right.
func NewSource(ctx context.Context, src io.Reader, size int64) *Source {
	return &Source{ctx: ctx, src: src, size: size}
}

// Read reads from src.
func (s *Source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if err := s.ctx.Err(); err != nil {
		s.err = err
		return 0, err
	}
	n, err := s.src.Read(p)
	if n < 0 || n > len(p) {
		n, err = 0, errors.New("source claims to have read more than there is room for")
	}
	s.read += int64(n)
	switch {
	case s.size >= 0 && s.read > s.size:
		n, err = 0, fmt.Errorf("%w: source yields more than the %d bytes promised", container.ErrLength, s.size)
	case err == io.EOF && s.size >= 0 && s.read < s.size:
		err = fmt.Errorf("%w: source yields %d bytes, %d were promised", container.ErrLength, s.read, s.size)
	}
	s.err = err
	return n, err
}

// Fill reads until p is full. It returns fewer bytes only with an error, and
// io.EOF with the last of them. Unlike [io.ReadFull] it never turns the end
// into io.ErrUnexpectedEOF, which could then not be told from a src that
// reports its own failure so.
func (s *Source) Fill(p []byte) (int, error) {
	n, empty := 0, 0
	for n < len(p) {
		m, err := s.Read(p[n:])
		n += m
		if err != nil {
			return n, err
		}
		if m > 0 {
			empty = 0
		} else if empty++; empty == maxEmptyReads {
			s.err = io.ErrNoProgress
			return n, s.err
		}
	}
	return n, nil
}
