package sigv4

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"io"
)

// A HashReader reads a body whose SHA-256 was promised in x-amz-content-sha256
// and does not let a wrong one end: [io.EOF] is returned only if the sum is
// right, and otherwise an [*Error] of kind [XAmzContentSHA256Mismatch].
type HashReader struct {
	body     io.Reader
	promised string
	want     [sha256.Size]byte
	hash     hash.Hash
	left     int64 // bytes until the announced size; negative if unknown or past
	err      error
}

// NewHashReader returns a HashReader over body. promised is a [Payload]'s
// SHA256. If size, the length of body, is not negative, the last bytes are held
// back until the sum is known, so that even a consumer which counts bytes and
// never asks for the end learns of a wrong one.
func NewHashReader(body io.Reader, promised string, size int64) *HashReader {
	want, ok := decodeSum(promised)
	r := &HashReader{body: body, promised: promised, want: want, hash: sha256.New(), left: size}
	if !ok {
		r.err = invalidPayload(promised)
	}
	return r
}

// Read implements [io.Reader].
func (r *HashReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.body.Read(p)
	r.hash.Write(p[:n])
	if r.left -= int64(n); r.left == 0 && n > 0 || errors.Is(err, io.EOF) {
		if mismatch := r.check(); mismatch != nil {
			n, err = 0, mismatch
		}
	}
	r.err = err
	return n, err
}

func (r *HashReader) check() error {
	got := r.hash.Sum(nil)
	if subtle.ConstantTimeCompare(got, r.want[:]) == 1 {
		return nil
	}
	return &Error{
		Kind:           XAmzContentSHA256Mismatch,
		Message:        "The provided 'x-amz-content-sha256' header does not match what was computed.",
		ClientSHA256:   r.promised,
		ComputedSHA256: hex.EncodeToString(got),
	}
}
