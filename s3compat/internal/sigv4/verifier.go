package sigv4

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/vaultaire/vaultaire/container"
)

// MaxSkew is how far the time of a request may lie from the server's.
const MaxSkew = 15 * time.Minute

// A Config says what a [Verifier] accepts.
type Config struct {
	// Region is the one that credentials must name. Required.
	Region string
	// BasePath is what a proxy removed from the front of the path that the
	// client signed, unescaped, such as "/storage"; "" if nothing was.
	BasePath string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// A Verifier verifies the signatures of requests. Its methods may be called
// concurrently.
type Verifier struct {
	region   string
	basePath string
	now      func() time.Time
	keys     keyCache
	// decoy takes the place of what an unknown access key does not have. It is
	// random, so that nothing can be signed with it.
	decoy [sha256.Size]byte
}

// NewVerifier returns a Verifier. The error of a wrong config matches
// [container.ErrInvalid].
func NewVerifier(cfg Config) (*Verifier, error) {
	if cfg.Region == "" || strings.Contains(cfg.Region, "/") {
		return nil, fmt.Errorf("%w: region is %q, wanted a name without slashes", container.ErrInvalid, cfg.Region)
	}
	v := &Verifier{region: cfg.Region, basePath: cfg.BasePath, now: cfg.Now}
	if v.now == nil {
		v.now = time.Now
	}
	if _, err := rand.Read(v.decoy[:]); err != nil {
		return nil, fmt.Errorf("random bytes: %w", err)
	}
	return v, nil
}

// A Request is a request whose authentication is well formed, and not yet
// known to be true.
type Request struct {
	AccessKey string
	Time      time.Time // when it was signed; UTC
	Payload   Payload

	credential   credential
	timestamp    timestamp
	signature    string // as the client wrote it
	canonical    string
	stringToSign string
}

// Parse checks everything about the authentication of r, whose [ParseTarget] is
// target, that needs no secret, except its time. It reads neither the body nor
// r.URL, but the target, r.Method, r.Host and the headers; a caller that trusts
// a proxy's X-Forwarded-Host passes a copy of r with that Host. The error is an
// [*Error].
func (v *Verifier) Parse(r *http.Request, target Target) (*Request, error) {
	if err := checkMechanism(r, target.Query); err != nil {
		return nil, err
	}
	auth, err := parseAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		return nil, err
	}
	if err := auth.credential.checkScope(v.region); err != nil {
		return nil, err
	}
	ts, err := parseTimestamp(r.Header)
	if err != nil {
		return nil, err
	}
	if ts.date() != auth.credential.date {
		return nil, malformedHeader(`Invalid credential date "` + auth.credential.date +
			`". This date is not the same as X-Amz-Date: "` + ts.date() + `".`)
	}
	payload, err := readPayload(r.Header)
	if err != nil {
		return nil, err
	}
	if missing := headersNotSigned(r, auth.signed); len(missing) > 0 {
		return nil, &Error{
			Kind:             AccessDenied,
			Message:          "There were headers present in the request which were not signed",
			HeadersNotSigned: missing,
		}
	}
	req := &Request{
		AccessKey:  auth.credential.accessKey,
		Time:       ts.time,
		Payload:    payload,
		credential: auth.credential,
		timestamp:  ts,
		signature:  auth.signature,
	}
	req.canonical = canonicalRequest(r, target.canonicalPath(v.basePath), target.canonicalQuery(), auth.signed, r.Header.Get(payloadHeader))
	req.stringToSign = stringToSign(ts.iso(), auth.credential.scope(), req.canonical)
	return req, nil
}

// Verify checks that req was signed with secret, and recently. known reports
// whether the access key of req exists; if not, secret is ignored, and Verify
// refuses after the same work as for a wrong secret. The error is an [*Error].
func (v *Verifier) Verify(req *Request, secret string, known bool) (*Seed, error) {
	if !known {
		secret = string(v.decoy[:])
	}
	key, ok := v.match(req, secret)
	switch {
	case !known:
		return nil, &Error{
			Kind:      InvalidAccessKeyID,
			Message:   "The AWS Access Key Id you provided does not exist in our records.",
			AccessKey: req.AccessKey,
		}
	case !ok:
		return nil, mismatch(req.AccessKey, req.stringToSign, req.signature, req.canonical)
	}
	if now := v.now(); now.Sub(req.Time).Abs() > MaxSkew {
		return nil, &Error{
			Kind:        RequestTimeTooSkewed,
			Message:     "The difference between the request time and the current time is too large.",
			RequestTime: req.timestamp.sent,
			ServerTime:  now.UTC(),
			MaxSkew:     MaxSkew,
		}
	}
	return newSeed(req, key), nil
}

// match returns the signing key and whether it makes the signature of req.
//
// Whoever fails has cost one signature with a cached or decoy key and one with
// a key derived anew, whether the access key exists, was used lately, or not.
func (v *Verifier) match(req *Request, secret string) ([sha256.Size]byte, bool) {
	id := newKeyID(req.credential, secret)
	key, cached := v.keys.get(id)
	if !cached {
		key = v.decoy
	}
	if req.signedWith(key) && cached {
		return key, true
	}
	key = deriveKey(secret, req.credential.date, req.credential.region)
	if !req.signedWith(key) {
		return key, false
	}
	v.keys.put(id, key)
	return key, true
}

func (req *Request) signedWith(key [sha256.Size]byte) bool {
	return equalSignature(mac(key[:], req.stringToSign), req.signature)
}

// equalSignature compares in constant time. A signature that is not 64
// hexadecimal digits equals none.
func equalSignature(want [sha256.Size]byte, got string) bool {
	sum, ok := decodeSum(got)
	return subtle.ConstantTimeCompare(want[:], sum[:]) == 1 && ok
}

// stringToSign is "Task 2: Create a String to Sign" of "Signature Calculations
// for the Authorization Header: Transferring Payload in a Single Chunk (AWS
// Signature Version 4)".
func stringToSign(iso, scope, canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	return algorithm + "\n" + iso + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
}

func mismatch(accessKey, stringToSign, signature, canonical string) *Error {
	return &Error{
		Kind: SignatureDoesNotMatch,
		Message: "The request signature we calculated does not match the signature you provided. " +
			"Check your key and signing method.",
		AccessKey:         accessKey,
		StringToSign:      stringToSign,
		SignatureProvided: signature,
		CanonicalRequest:  canonical,
	}
}
