package sigv4

import (
	"encoding/hex"
	"net/http"
)

// A PayloadMode says what the signature covers of the body, and how the body
// is framed.
type PayloadMode int

// The modes. See the values of x-amz-content-sha256 in "Authenticating
// Requests: Using the Authorization Header (AWS Signature Version 4)".
const (
	UnsignedPayload       PayloadMode = iota // UNSIGNED-PAYLOAD
	HashedPayload                            // the SHA-256 of the body
	SignedChunks                             // STREAMING-AWS4-HMAC-SHA256-PAYLOAD
	SignedChunksTrailer                      // STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER
	UnsignedChunksTrailer                    // STREAMING-UNSIGNED-PAYLOAD-TRAILER
)

// Streaming reports whether the body is framed as aws-chunked.
func (m PayloadMode) Streaming() bool { return m.Signed() || m == UnsignedChunksTrailer }

// Signed reports whether each chunk of the body carries a signature.
func (m PayloadMode) Signed() bool { return m == SignedChunks || m == SignedChunksTrailer }

// Trailer reports whether headers may follow the last chunk.
func (m PayloadMode) Trailer() bool { return m == SignedChunksTrailer || m == UnsignedChunksTrailer }

// A Payload is what x-amz-content-sha256 says of the body.
type Payload struct {
	Mode   PayloadMode
	SHA256 string // hexadecimal; set if Mode is HashedPayload
}

const payloadHeader = "X-Amz-Content-Sha256"

// readPayload reads x-amz-content-sha256.
func readPayload(h http.Header) (Payload, error) {
	values := h.Values(payloadHeader)
	switch len(values) {
	case 0:
		return Payload{}, &Error{
			Kind:    InvalidRequest,
			Message: "Missing required header for this request: x-amz-content-sha256",
		}
	case 1:
		return parsePayload(values[0])
	}
	return Payload{}, invalidPayload(values[0])
}

func parsePayload(value string) (Payload, error) {
	switch value {
	case "UNSIGNED-PAYLOAD":
		return Payload{Mode: UnsignedPayload}, nil
	case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD":
		return Payload{Mode: SignedChunks}, nil
	case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER":
		return Payload{Mode: SignedChunksTrailer}, nil
	case "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
		return Payload{Mode: UnsignedChunksTrailer}, nil
	case "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER":
		return Payload{}, &Error{
			Kind:    NotImplemented,
			Message: "A header you provided implies functionality that is not implemented",
			Header:  "x-amz-content-sha256",
		}
	}
	if _, ok := decodeSum(value); !ok {
		return Payload{}, invalidPayload(value)
	}
	return Payload{Mode: HashedPayload, SHA256: value}, nil
}

func invalidPayload(value string) *Error {
	return invalidArgument("x-amz-content-sha256", value, "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "+
		"STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "+
		"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, "+
		"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.")
}

// decodeSum decodes 64 hexadecimal digits of either case.
func decodeSum(s string) (sum [32]byte, ok bool) {
	if len(s) != hex.EncodedLen(len(sum)) {
		return sum, false
	}
	_, err := hex.Decode(sum[:], []byte(s))
	return sum, err == nil
}
