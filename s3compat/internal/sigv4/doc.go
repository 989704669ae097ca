// Package sigv4 verifies AWS Signature Version 4 as S3 clients use it: in the
// Authorization header, over the request itself, and over the chunks of an
// aws-chunked body that follows it. It is a library without an HTTP handler:
// it reads a request, never its body, and answers with typed errors.
//
//	v, err := sigv4.NewVerifier(sigv4.Config{Region: "us-east-1"})
//	target, err := sigv4.ParseTarget(r)          // what to act on
//	req, err := v.Parse(r, target)               // everything but the signature
//	secret, ok := lookUp(req.AccessKey)
//	seed, err := v.Verify(req, secret, ok)       // the signature and the time
//	body := awschunked.NewReader(r.Body, ...)    // if req.Payload.Mode.Streaming()
//
// The authority is the "Amazon Simple Storage Service API Reference", chapter
// "Authenticating Requests (AWS Signature Version 4)", with its pages "Using
// the Authorization Header", "Signature Calculations for the Authorization
// Header: Transferring Payload in a Single Chunk", "... in Multiple Chunks
// (Chunked Upload)" and "Signature calculations for trailing headers (chunked
// uploads)"; tests hold the package to the examples of these pages. Where the
// pages are silent, the package is strict in what a signature covers, so that
// no two readings of one request exist:
//
//   - The path is that of the request line, before any routing: percent
//     decoded once and encoded again. Dot segments and empty segments stay.
//     "+" is a plus.
//   - The query is split at "&", and only there. "+" stands for a space, as
//     every SDK that parses an address before signing it reads it (and as
//     [net/url] gives it to the handler); a client that means a plus sends
//     %2B. A parameter without "=" has the empty value.
//   - Every x-amz-* header that is present must be signed.
//
// Query-string authentication (presigned addresses) and Signature Version 2
// are recognized and refused with errors of their own.
package sigv4
