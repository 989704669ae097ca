package s3compat

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
)

// tokenVersion is the first byte of a token, so that its form may change.
const tokenVersion = 1

// newToken returns the continuation token of a listing that goes on behind a
// name. It is opaque to clients, and gives its bearer nothing that start-after
// would not: the checksum in it only tells a mistake from a token.
func newToken(after string) string {
	b := append([]byte{tokenVersion}, 0, 0, 0, 0)
	binary.BigEndian.PutUint32(b[1:], crc32.ChecksumIEEE([]byte(after)))
	return base64.RawURLEncoding.EncodeToString(append(b, after...))
}

func parseToken(token string) (after string, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < 6 || b[0] != tokenVersion {
		return "", false
	}
	after = string(b[5:])
	return after, binary.BigEndian.Uint32(b[1:]) == crc32.ChecksumIEEE(b[5:])
}
