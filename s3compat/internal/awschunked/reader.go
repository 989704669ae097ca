package awschunked

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"net/http"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4"
)

const (
	// minChunk is the least size of a chunk that is not the last with data.
	// S3 holds unsigned chunks to it as well as signed ones.
	minChunk = 8192

	// bufferSize is enough for the line that begins a chunk. Reads of more than
	// this go from the source to the caller's memory directly.
	bufferSize = 4 << 10
)

// A Reader decodes one aws-chunked body. It serves one goroutine.
type Reader struct {
	src      *bufio.Reader
	chain    *sigv4.Chain // nil: the chunks carry no signatures
	trailer  bool         // the body may end in a trailer
	checksum checksum

	length  int64     // of the data
	missing int64     // bytes of the data that did not arrive yet
	sha     hash.Hash // of the current chunk; nil without signatures
	sum     [sha256.Size]byte
	chunk   int // number of the current chunk, from 1; 0 before the first
	header  chunkHeader
	left    int64 // bytes of the current chunk that were not read yet
	err     error // the end, or what went wrong
}

// NewReader returns a Reader over body, the body of a request with the given
// headers and mode. chain is that of the request's [sigv4.Seed] if the mode is
// signed, and nil otherwise. The error is an [*Error], for what the headers
// already tell.
//
// Read returns an [*Error], an [*sigv4.Error] of kind
// [sigv4.SignatureDoesNotMatch], or an error of body as it is. It does not
// close body.
func NewReader(body io.Reader, h http.Header, mode sigv4.PayloadMode, chain *sigv4.Chain) (*Reader, error) {
	if !mode.Streaming() || mode.Signed() != (chain != nil) {
		return nil, errors.New("awschunked: mode and chain do not belong together")
	}
	length, err := decodedLength(h)
	if err != nil {
		return nil, err
	}
	checksum, err := newChecksum(h)
	if err != nil {
		return nil, err
	}
	if checksum.announced() && !mode.Trailer() {
		return nil, errTrailer()
	}
	r := &Reader{
		src:      bufio.NewReaderSize(body, bufferSize),
		chain:    chain,
		trailer:  mode.Trailer(),
		checksum: checksum,
		length:   length,
		missing:  length,
	}
	if chain != nil {
		r.sha = sha256.New()
	}
	return r, nil
}

// Size returns the announced length of the data, in bytes. No more and no less
// is read before [io.EOF].
func (r *Reader) Size() int64 { return r.length }

// Announced returns the algorithm of the checksum that the trailer will bring,
// or "" if it will bring none.
func (r *Reader) Announced() container.Algorithm { return r.checksum.algorithm }

// Read implements [io.Reader].
func (r *Reader) Read(p []byte) (int, error) {
	if r.err == nil && r.left == 0 {
		r.err = r.next()
	}
	if r.err != nil {
		return 0, r.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.src.Read(p[:min(int64(len(p)), r.left)])
	r.took(p[:n])
	switch {
	case r.missing == 0: // and so the chunk is read: it was not longer than that
		r.err = r.next()
		if !errors.Is(r.err, io.EOF) {
			// The last bytes are withheld from a consumer that only counts.
			return 0, r.err
		}
	case err != nil:
		r.err = framing(err)
		return n, r.err
	}
	return n, nil
}

// took accounts for data that was read.
func (r *Reader) took(data []byte) {
	if r.sha != nil {
		r.sha.Write(data)
	}
	if r.checksum.announced() {
		r.checksum.hash.Write(data)
	}
	r.left -= int64(len(data))
	r.missing -= int64(len(data))
}

// next ends the current chunk and begins the next one. It returns [io.EOF] if
// that ends the body, and everything in it is right.
func (r *Reader) next() error {
	if err := r.endChunk(); err != nil {
		return err
	}
	previous := r.header.size
	header, err := readChunkHeader(r.src, r.chain != nil)
	if err != nil {
		return err
	}
	r.header = header
	r.chunk++
	switch {
	case header.size == 0:
		return r.endBody()
	case r.chunk > 1 && previous < minChunk:
		return &Error{
			Kind:         InvalidChunkSizeError,
			Message:      "Only the last chunk is allowed to have a size less than 8192 bytes",
			Chunk:        r.chunk,
			BadChunkSize: previous,
		}
	case header.size > r.missing:
		return errLength()
	}
	r.left = header.size
	return nil
}

// endChunk reads the end of the current chunk and verifies its signature.
func (r *Reader) endChunk() error {
	if r.chunk == 0 {
		return nil
	}
	if err := readCRLF(r.src); err != nil {
		return err
	}
	return r.verifyChunk()
}

func (r *Reader) verifyChunk() error {
	if r.chain == nil {
		return nil
	}
	r.sha.Sum(r.sum[:0])
	r.sha.Reset()
	return r.chain.Chunk(r.sum, &r.header.signature)
}

// endBody verifies what the chunk without data brings, and all that follows.
func (r *Reader) endBody() error {
	if err := r.verifyChunk(); err != nil {
		return err
	}
	if err := r.endMessage(); err != nil {
		return err
	}
	if r.missing > 0 {
		return errLength()
	}
	return io.EOF
}

// endMessage reads to the end of the source, and verifies the trailer.
func (r *Reader) endMessage() error {
	if !r.trailer {
		if err := readCRLF(r.src); err != nil {
			return err
		}
		switch _, err := r.src.ReadByte(); {
		case err == nil:
			return errFraming()
		case !errors.Is(err, io.EOF):
			return framing(err)
		}
		return nil
	}
	t, err := readTrailer(r.src)
	if err != nil {
		return err
	}
	return r.verifyTrailer(t)
}
