package awschunked

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
)

// maxLine bounds the line that begins a chunk, its end included.
const maxLine = 1 << 10

// A chunkHeader is the line that begins a chunk.
type chunkHeader struct {
	size      int64
	signature [64]byte // hexadecimal, unchecked; zero in an unsigned body
}

// readChunkHeader reads the next line. Anything but the exact form of the
// documentation is an error: a chunk extension that is not understood could
// mean something.
func readChunkHeader(src *bufio.Reader, signed bool) (chunkHeader, error) {
	line, err := src.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		return chunkHeader{}, framing(err)
	}
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok || len(line)+2 > maxLine {
		return chunkHeader{}, errFraming()
	}
	size, extension, extended := bytes.Cut(line, []byte(";"))
	var h chunkHeader
	if h.size, ok = parseSize(size); !ok || extended != signed {
		return chunkHeader{}, errFraming()
	}
	if signed {
		signature, ok := bytes.CutPrefix(extension, []byte("chunk-signature="))
		if !ok || len(signature) != len(h.signature) {
			return chunkHeader{}, errFraming()
		}
		copy(h.signature[:], signature)
	}
	return h, nil
}

// parseSize parses a hexadecimal number without sign that fits an int64.
func parseSize(digits []byte) (int64, bool) {
	if len(digits) == 0 {
		return 0, false
	}
	var n int64
	for _, c := range digits {
		var d byte
		switch {
		case '0' <= c && c <= '9':
			d = c - '0'
		case 'a' <= c && c <= 'f':
			d = c - 'a' + 10
		case 'A' <= c && c <= 'F':
			d = c - 'A' + 10
		default:
			return 0, false
		}
		if n > (math.MaxInt64-int64(d))/16 {
			return 0, false
		}
		n = n*16 + int64(d)
	}
	return n, true
}

// readCRLF reads the end of a chunk's data.
func readCRLF(src *bufio.Reader) error {
	for _, want := range []byte("\r\n") {
		c, err := src.ReadByte()
		if err != nil {
			return framing(err)
		}
		if c != want {
			return errFraming()
		}
	}
	return nil
}

// framing turns the end of the source into what it means inside a body.
func framing(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errFraming()
	}
	return err
}

// decodedLength returns the length of the data, in bytes, that
// x-amz-decoded-content-length announces. The error is an [*Error].
func decodedLength(h http.Header) (int64, error) {
	const name = "x-amz-decoded-content-length"
	values := h.Values(name)
	if len(values) == 0 || values[0] == "" {
		return 0, &Error{
			Kind:    MissingContentLength,
			Message: "You must provide the Content-Length HTTP header.",
		}
	}
	n, err := strconv.ParseUint(values[0], 10, 63)
	if err != nil || len(values) > 1 {
		return 0, &Error{
			Kind:          InvalidArgument,
			Message:       "The value of " + name + " must be one non-negative integer.",
			ArgumentName:  name,
			ArgumentValue: values[0],
		}
	}
	return int64(n), nil
}
