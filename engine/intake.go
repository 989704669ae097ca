package engine

import (
	"context"
	"fmt"
	"io"

	"github.com/vaultaire/vaultaire/container"
)

// An intake is the stream that a driver stores: the caller's bytes, and behind
// them the trailer. It computes digests on the way, and finds everything that
// is wrong with the bytes before the driver sees the end of them, so that what
// is wrong is never stored.
type intake struct {
	ctx      context.Context
	src      io.Reader
	promised int64 // bytes that src is to yield; -1 if unknown
	expected container.Digests
	reserve  reserve
	digester *digester
	// makeTrailer is called once, when all bytes have arrived and are right.
	makeTrailer func(size int64, sums container.Digests) ([]byte, error)

	size    int64  // bytes that src has yielded
	asked   int64  // size when the reserve was last asked
	trailer []byte // what of it is still to be read; nil before the end of src
	err     error  // what further reads return
}

// reserveStep is after how many bytes the reserve is asked again. Streams at the
// same time may take so much of it each.
const reserveStep = 1 << 20

// Read is called by a driver, on whatever goroutine.
func (in *intake) Read(p []byte) (int, error) {
	if len(p) == 0 || in.err != nil {
		return 0, in.err
	}
	if in.trailer != nil {
		n := copy(p, in.trailer)
		in.trailer = in.trailer[n:]
		if len(in.trailer) == 0 {
			in.err = io.EOF
		}
		return n, nil
	}
	n, err := in.readSource(p)
	in.err = err
	return n, err
}

// readSource reads from src and prepares the trailer at its end.
func (in *intake) readSource(p []byte) (int, error) {
	if err := in.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := guardedRead(in.src, "source", p)
	in.size += int64(n)
	if in.promised >= 0 && in.size > in.promised {
		return 0, fmt.Errorf("%w: source yields more than the %d bytes that were promised", container.ErrLength, in.promised)
	}
	if in.size > container.MaxSize {
		return 0, fmt.Errorf("%w: source yields more than %d bytes", container.ErrTooLarge, int64(container.MaxSize))
	}
	if in.size-in.asked >= reserveStep {
		in.asked = in.size
		if err := in.reserve.admit(in.ctx, 0); err != nil {
			return 0, err
		}
	}
	in.digester.write(p[:n])
	switch {
	case err == io.EOF:
		return n, in.finish()
	case err != nil:
		return n, fmt.Errorf("%w: %w", container.ErrSource, err)
	}
	return n, nil
}

// finish checks what has arrived and makes the trailer.
func (in *intake) finish() error {
	if in.promised >= 0 && in.size < in.promised {
		return fmt.Errorf("%w: source ended after %d of %d bytes", container.ErrLength, in.size, in.promised)
	}
	sums := in.digester.sums()
	if err := checkDigests(in.expected, sums); err != nil {
		return err
	}
	return guard(func() (err error) { // it runs code of the caller's, on whatever goroutine
		in.trailer, err = in.makeTrailer(in.size, sums)
		return err
	})
}

// failure returns why the stream ended early, if it did.
func (in *intake) failure() error {
	if in.err == io.EOF {
		return nil
	}
	return in.err
}

// complete reports whether everything was read, to the end of the trailer.
func (in *intake) complete() bool { return in.err == io.EOF }
