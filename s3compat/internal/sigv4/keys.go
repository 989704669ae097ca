package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"sync"
)

const (
	service  = "s3"
	terminal = "aws4_request"
)

// maxKeys bounds a keyCache: one key for each access key and day in use.
const maxKeys = 1024

func mac(key []byte, data string) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	h.Sum(sum[:0])
	return sum
}

// deriveKey returns the signing key; see "Task 3: Calculate Signature" of
// "Signature Calculations for the Authorization Header: Transferring Payload
// in a Single Chunk (AWS Signature Version 4)".
func deriveKey(secret, date, region string) [sha256.Size]byte {
	key := mac([]byte("AWS4"+secret), date)
	key = mac(key[:], region)
	key = mac(key[:], service)
	return mac(key[:], terminal)
}

// A keyID names a signing key. It holds a digest of the secret, so that a key
// derived from a secret that was changed since is never found.
type keyID struct {
	accessKey, date, region string
	secret                  [sha256.Size]byte
}

func newKeyID(c credential, secret string) keyID {
	return keyID{c.accessKey, c.date, c.region, sha256.Sum256([]byte(secret))}
}

// A keyCache remembers signing keys, whose derivation costs more than the
// signature itself. Only keys that verified a signature enter it: nobody
// without a secret can fill it or learn from it.
type keyCache struct {
	mu   sync.Mutex
	keys map[keyID][sha256.Size]byte
}

func (c *keyCache) get(id keyID) ([sha256.Size]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key, ok := c.keys[id]
	return key, ok
}

func (c *keyCache) put(id keyID, key [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.keys) >= maxKeys {
		// Yesterday's keys and those of former secrets go; those in use are back
		// after one derivation each.
		clear(c.keys)
	}
	if c.keys == nil {
		c.keys = make(map[keyID][sha256.Size]byte)
	}
	c.keys[id] = key
}
