package awschunked

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"net/http"
	"strings"

	"github.com/minio/crc64nvme"

	"github.com/vaultaire/vaultaire/container"
)

const checksumPrefix = "x-amz-checksum-"

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
	c := checksum{header: name}
	switch strings.TrimPrefix(name, checksumPrefix) {
	case "crc32":
		c.algorithm, c.hash = container.CRC32, crc32.NewIEEE()
	case "crc32c":
		c.algorithm, c.hash = container.CRC32C, crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "crc64nvme":
		c.algorithm, c.hash = container.CRC64NVME, crc64nvme.New()
	case "sha1":
		c.algorithm, c.hash = container.SHA1, sha1.New()
	case "sha256":
		c.algorithm, c.hash = container.SHA256, sha256.New()
	}
	if c.hash == nil || !strings.HasPrefix(name, checksumPrefix) {
		return checksum{}, &Error{
			Kind:    InvalidRequest,
			Message: "The value specified in the x-amz-trailer header is not supported",
		}
	}
	return c, nil
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
