package engine

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"hash"
	"hash/crc32"
	"slices"

	"github.com/minio/crc64nvme"

	"github.com/vaultaire/vaultaire/container"
)

// NewHash returns a hash that computes digests of the algorithm, or an
// ErrInvalid if it is not one of container's.
func NewHash(a container.Algorithm) (hash.Hash, error) {
	switch a {
	case container.CRC32:
		return crc32.NewIEEE(), nil
	case container.CRC32C:
		return crc32.New(crc32.MakeTable(crc32.Castagnoli)), nil
	case container.CRC64NVME:
		return crc64nvme.New(), nil
	case container.MD5:
		return md5.New(), nil
	case container.SHA1:
		return sha1.New(), nil
	case container.SHA256:
		return sha256.New(), nil
	}
	return nil, fmt.Errorf("%w: unknown digest algorithm %q", container.ErrInvalid, a)
}

// A digester computes several digests of one stream.
type digester struct {
	algorithms []container.Algorithm
	hashes     []hash.Hash
}

// newDigester returns a digester for CRC64NVME, which is kept of every
// artifact, and the algorithms of wanted and expected.
func newDigester(wanted []container.Algorithm, expected container.Digests) (*digester, error) {
	d := &digester{algorithms: []container.Algorithm{container.CRC64NVME}}
	d.algorithms = append(d.algorithms, wanted...)
	for _, e := range expected {
		d.algorithms = append(d.algorithms, e.Algorithm)
	}
	slices.Sort(d.algorithms)
	d.algorithms = slices.Compact(d.algorithms)
	for _, a := range d.algorithms {
		h, err := NewHash(a)
		if err != nil {
			return nil, err
		}
		d.hashes = append(d.hashes, h)
	}
	return d, nil
}

func (d *digester) write(p []byte) {
	for _, h := range d.hashes {
		h.Write(p) // never fails: hash.Hash
	}
}

// sums returns the digests of all that was written.
func (d *digester) sums() container.Digests {
	sums := make(container.Digests, len(d.hashes))
	for i, h := range d.hashes {
		sums[i] = container.Digest{Algorithm: d.algorithms[i], Sum: string(h.Sum(nil))}
	}
	return sums
}

// checkDigests returns an ErrDigest unless got has every digest of expected.
func checkDigests(expected, got container.Digests) error {
	for _, want := range expected {
		if d, _ := got.Get(want.Algorithm); d.Sum != want.Sum {
			return &DigestError{Expected: want, Computed: d}
		}
	}
	return nil
}

// A DigestError says that the bytes that arrived do not have the digest that
// was expected of them. It matches container.ErrDigest.
type DigestError struct {
	Expected container.Digest
	Computed container.Digest
}

// Error names both digests.
func (e *DigestError) Error() string {
	return fmt.Sprintf("%v: %s is %s, expected %s", container.ErrDigest, e.Expected.Algorithm, e.Computed.Hex(), e.Expected.Hex())
}

// Unwrap returns container.ErrDigest.
func (e *DigestError) Unwrap() error { return container.ErrDigest }
