package awschunked

import (
	"bytes"
	"encoding/base64"
	"hash"
	"net/http"
	"slices"
	"strings"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
)

const checksumPrefix = "x-amz-checksum-"

// trailing are the algorithms whose sums may come in a trailer.
var trailing = []container.Algorithm{
	container.CRC32, container.CRC32C, container.CRC64NVME, container.SHA1, container.SHA256,
}

// A checksum is computed over the data while it is read. The zero checksum
// computes nothing.
type checksum struct {
	header    string // x-amz-checksum-crc32
	algorithm container.Algorithm
	hash      hash.Hash
}

// newChecksum returns the checksum that x-amz-trailer announces, or the zero
// checksum if it announces none.
func newChecksum(h http.Header) (checksum, error) {
	values := h.Values("X-Amz-Trailer")
	if len(values) == 0 {
		return checksum{}, nil
	}
	name := strings.ToLower(strings.Join(values, ","))
	suffix, ok := strings.CutPrefix(name, checksumPrefix)
	algorithm := container.Algorithm(strings.ToUpper(suffix))
	if !ok || !slices.Contains(trailing, algorithm) {
		return checksum{}, &Error{
			Kind:    InvalidRequest,
			Message: "The value specified in the x-amz-trailer header is not supported",
		}
	}
	hash, err := engine.NewHash(algorithm)
	return checksum{header: name, algorithm: algorithm, hash: hash}, err
}

// announced reports whether there is a checksum to come.
func (c checksum) announced() bool { return c.hash != nil }

// verify compares what was computed with the base64 value of the trailer.
func (c checksum) verify(value string) error {
	want, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil || len(want) != c.hash.Size() {
		return &Error{Kind: InvalidRequest, Message: "Value for " + c.header + " trailing header is invalid."}
	}
	if !bytes.Equal(want, c.hash.Sum(nil)) {
		return &Error{
			Kind:    BadDigest,
			Message: "The " + string(c.algorithm) + " you specified did not match the calculated checksum.",
		}
	}
	return nil
}
