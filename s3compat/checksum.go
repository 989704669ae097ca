package s3compat

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
)

// An algorithm is one of the checksums that S3 knows.
type algorithm struct {
	container.Algorithm
	size int // bytes of a sum
}

// algorithms are those that are implemented, in the order in which an object's
// one checksum is looked for: CRC64NVME is last because every object has it.
var algorithms = []algorithm{
	{container.CRC32, crc32.Size},
	{container.CRC32C, crc32.Size},
	{container.SHA1, sha1.Size},
	{container.SHA256, sha256.Size},
	{container.CRC64NVME, 8},
}

// laterAlgorithms are known to S3 and not implemented.
var laterAlgorithms = []string{"md5", "sha512", "xxhash3", "xxhash64", "xxhash128"}

const checksumPrefix = "X-Amz-Checksum-"

// notSums are the headers that begin like a checksum and are none.
var notSums = []string{"algorithm", "mode", "type"}

// header is the header that carries the checksum of the algorithm.
func (a algorithm) header() string {
	return "x-amz-checksum-" + strings.ToLower(string(a.Algorithm))
}

// promises are what the headers of an upload say of its bytes.
type promises struct {
	expect   container.Digests   // must match
	checksum container.Algorithm // the one asked for; "" if none
}

// readPromises reads Content-MD5 and the checksum headers. announced is the
// algorithm of the trailer, if there will be one.
func readPromises(h http.Header, announced container.Algorithm) (promises, error) {
	p := promises{checksum: announced}
	if values, ok := h["Content-Md5"]; ok {
		sum, err := base64.StdEncoding.Strict().DecodeString(values[0])
		if err != nil || len(sum) != md5.Size || len(values) > 1 {
			return p, newError(codeInvalidDigest, "Content-MD5", values[0])
		}
		p.expect = append(p.expect, container.Digest{Algorithm: container.MD5, Sum: string(sum)})
	}
	if err := p.readSum(h); err != nil {
		return p, err
	}
	return p, p.checkAlgorithm(h)
}

// readSum reads the one checksum that the headers may hold.
func (p *promises) readSum(h http.Header) error {
	names := sumNames(h)
	if len(names) > 1 || len(names) == 1 && p.checksum != "" {
		return invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
	}
	if len(names) == 0 {
		return nil
	}
	a, ok := algorithmNamed(names[0])
	switch {
	case slices.Contains(laterAlgorithms, names[0]):
		return notImplemented(checksumPrefix + names[0])
	case !ok:
		return invalidRequest("The algorithm type you specified in x-amz-checksum- header is invalid.")
	}
	values := h.Values(a.header())
	sum, err := base64.StdEncoding.Strict().DecodeString(values[0])
	if err != nil || len(sum) != a.size || len(values) > 1 {
		return invalidRequest("Value for %s header is invalid.", a.header())
	}
	p.expect = append(p.expect, container.Digest{Algorithm: a.Algorithm, Sum: string(sum)})
	p.checksum = a.Algorithm
	return nil
}

// sumNames returns the algorithms that h has checksums of, in lower case.
func sumNames(h http.Header) []string {
	var names []string
	for name := range h {
		if name, ok := strings.CutPrefix(name, checksumPrefix); ok {
			if name = strings.ToLower(name); !slices.Contains(notSums, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func algorithmNamed(name string) (algorithm, bool) {
	i := slices.IndexFunc(algorithms, func(a algorithm) bool { return strings.EqualFold(string(a.Algorithm), name) })
	if i < 0 {
		return algorithm{}, false
	}
	return algorithms[i], true
}

// checkAlgorithm holds the headers that speak of a checksum to the checksum.
func (p *promises) checkAlgorithm(h http.Header) error {
	if name := h.Get("X-Amz-Sdk-Checksum-Algorithm"); name != "" {
		a, ok := algorithmNamed(name)
		switch {
		case ok && p.checksum == "":
			return invalidRequest("x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.")
		case !ok || a.Algorithm != p.checksum:
			return invalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.")
		}
	}
	switch h.Get("X-Amz-Checksum-Type") {
	case "":
		return nil
	case fullObject:
		if p.checksum != "" {
			return nil
		}
		return invalidRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
	}
	return invalidRequest("Value for x-amz-checksum-type header is invalid.")
}

const fullObject = "FULL_OBJECT"

// storedChecksum returns the checksum that answers show: the one that was asked
// for when the object was put, else CRC64NVME.
func storedChecksum(ds container.Digests) (algorithm, container.Digest, bool) {
	for _, a := range algorithms {
		if d, ok := ds.Get(a.Algorithm); ok {
			return a, d, true
		}
	}
	return algorithm{}, container.Digest{}, false
}

// setChecksum shows an object's checksum in the headers of an answer.
func (x *exchange) setChecksum(ds container.Digests) {
	if a, d, ok := storedChecksum(ds); ok {
		x.set(a.header(), d.Base64())
		x.set("x-amz-checksum-type", fullObject)
	}
}

// badDigest is the error of bytes that are not what was promised.
func badDigest(expected, computed container.Digest, expectedText string) *apiError {
	if expected.Algorithm == container.MD5 {
		return newError(codeBadDigest, "CalculatedDigest", computed.Base64(), "ExpectedDigest", expectedText)
	}
	return newError(codeBadDigest).saying("The %s you specified did not match the calculated checksum.", expected.Algorithm)
}

// putDigest turns the engine's error of a wrong digest into S3's.
func putDigest(e *engine.DigestError) *apiError {
	return badDigest(e.Expected, e.Computed, e.Expected.Hex()).because(e)
}

// A digestCheck computes digests of what is written to it.
type digestCheck struct {
	io.Writer
	expect container.Digests
	hashes []hash.Hash
}

func newDigestCheck(expect container.Digests) (*digestCheck, error) {
	c := &digestCheck{expect: expect}
	writers := make([]io.Writer, len(expect))
	for i, d := range expect {
		h, err := engine.NewHash(d.Algorithm)
		if err != nil {
			return nil, err
		}
		c.hashes = append(c.hashes, h)
		writers[i] = h
	}
	c.Writer = io.MultiWriter(writers...)
	return c, nil
}

// verify returns a BadDigest unless every digest is as expected.
func (c *digestCheck) verify() error {
	for i, want := range c.expect {
		got := container.Digest{Algorithm: want.Algorithm, Sum: string(c.hashes[i].Sum(nil))}
		if got != want {
			return badDigest(want, got, want.Base64())
		}
	}
	return nil
}
