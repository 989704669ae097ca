package container

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
)

// An Algorithm names a digest over an artifact's bytes.
type Algorithm string

// The algorithms that the engine computes.
const (
	CRC32     Algorithm = "CRC32"     // IEEE 802.3; 4 bytes, big endian
	CRC32C    Algorithm = "CRC32C"    // Castagnoli, RFC 3720; 4 bytes, big endian
	CRC64NVME Algorithm = "CRC64NVME" // NVM Express command set; 8 bytes, big endian
	MD5       Algorithm = "MD5"       // RFC 1321; 16 bytes
	SHA1      Algorithm = "SHA1"      // FIPS 180-4; 20 bytes
	SHA256    Algorithm = "SHA256"    // FIPS 180-4; 32 bytes
)

// A Digest is the sum of some bytes under an algorithm.
type Digest struct {
	Algorithm Algorithm
	Sum       string // the raw bytes of the sum, not their hexadecimal form
}

// Hex returns the sum in lower-case hexadecimal.
func (d Digest) Hex() string { return hex.EncodeToString([]byte(d.Sum)) }

// Base64 returns the sum in standard base64.
func (d Digest) Base64() string { return base64.StdEncoding.EncodeToString([]byte(d.Sum)) }

// Digests is a set of digests of the same bytes, one for each algorithm.
type Digests []Digest

// Get returns the digest under a, and whether there is one.
func (ds Digests) Get(a Algorithm) (Digest, bool) {
	i := slices.IndexFunc(ds, func(d Digest) bool { return d.Algorithm == a })
	if i < 0 {
		return Digest{}, false
	}
	return ds[i], true
}
