package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// A Seed is what a verified request leaves for the signatures of its chunks.
type Seed struct {
	accessKey string
	key       [sha256.Size]byte
	scope     string
	iso       string
	signature string // lower case
	canonical string
}

func newSeed(req *Request, key [sha256.Size]byte) *Seed {
	sum := mac(key[:], req.stringToSign)
	return &Seed{
		accessKey: req.AccessKey,
		key:       key,
		scope:     req.credential.scope(),
		iso:       req.timestamp.iso(),
		signature: hex.EncodeToString(sum[:]),
		canonical: req.canonical,
	}
}

// Chain returns the chain of signatures that begins with that of the request.
func (s *Seed) Chain() *Chain {
	c := &Chain{seed: s, mac: hmac.New(sha256.New, s.key[:])}
	copy(c.last[:], s.signature)
	return c
}

// A Chain verifies the signatures of the chunks of a body, each of which
// covers the one before; see "Defining the Chunk Body" of "Signature
// Calculations for the Authorization Header: Transferring Payload in Multiple
// Chunks (Chunked Upload) (AWS Signature Version 4)". It serves one body, and
// one goroutine.
type Chain struct {
	seed *Seed
	mac  hash.Hash
	text []byte                // the string to sign; reused
	want [sha256.Size]byte     // its signature; a field so that no chunk allocates it
	last [2 * sha256.Size]byte // the signature before; hexadecimal
}

// Chunk verifies the signature of the next chunk, given the SHA-256 of its
// data. The error is an [*Error], and ends the chain.
func (c *Chain) Chunk(sum [sha256.Size]byte, signature *[2 * sha256.Size]byte) error {
	// SHA-256 of nothing: the place of headers that a chunk might have, and has not.
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
	c.begin("AWS4-HMAC-SHA256-PAYLOAD\n")
	c.text = append(c.text, empty...)
	c.text = hex.AppendEncode(c.text, sum[:])
	got, ok := decodeHex(signature)
	if !c.finish(got) || !ok {
		return c.mismatch(string(signature[:]))
	}
	return nil
}

// Trailer verifies the signature of the trailer, given the SHA-256 of its
// canonical form: a line "name:value\n" for each header, sorted by name in
// lower case. See "Signature calculations for trailing headers (chunked
// uploads) (AWS Signature Version 4)". The error is an [*Error].
func (c *Chain) Trailer(sum [sha256.Size]byte, signature string) error {
	c.begin("AWS4-HMAC-SHA256-TRAILER\n")
	c.text = hex.AppendEncode(c.text, sum[:])
	got, ok := decodeSum(signature)
	if !c.finish(got) || !ok {
		return c.mismatch(signature)
	}
	return nil
}

// begin writes what all strings to sign of the chain begin with.
func (c *Chain) begin(algorithm string) {
	c.text = append(c.text[:0], algorithm...)
	c.text = append(c.text, c.seed.iso...)
	c.text = append(c.text, '\n')
	c.text = append(c.text, c.seed.scope...)
	c.text = append(c.text, '\n')
	c.text = append(c.text, c.last[:]...)
	c.text = append(c.text, '\n')
}

// finish signs the text, compares, and makes the signature the last one.
func (c *Chain) finish(got [sha256.Size]byte) bool {
	c.mac.Reset()
	c.mac.Write(c.text)
	c.mac.Sum(c.want[:0])
	hex.Encode(c.last[:], c.want[:])
	return hmac.Equal(c.want[:], got[:])
}

func (c *Chain) mismatch(signature string) *Error {
	return mismatch(c.seed.accessKey, string(c.text), signature, c.seed.canonical)
}

// decodeHex is decodeSum without an allocation.
func decodeHex(s *[2 * sha256.Size]byte) (sum [sha256.Size]byte, ok bool) {
	_, err := hex.Decode(sum[:], s[:])
	return sum, err == nil
}
