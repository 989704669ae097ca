// Package awschunked reads bodies that S3 clients frame as aws-chunked inside
// the HTTP message: chunks with or without signatures, and with or without a
// trailer that carries a checksum of the data.
//
//	body    = *( chunk data CRLF ) last-chunk ( CRLF / trailer )
//	chunk   = hex-size [ ";chunk-signature=" 64-hex ] CRLF
//	trailer = *( name ":" value CRLF ) [ "x-amz-trailer-signature:" 64-hex CRLF ] CRLF
//
// The authority is the "Amazon Simple Storage Service API Reference", pages
// "Signature Calculations for the Authorization Header: Transferring Payload
// in Multiple Chunks (Chunked Upload) (AWS Signature Version 4)" and "Signature
// calculations for trailing headers (chunked uploads) (AWS Signature Version
// 4)", and the "Amazon S3 User Guide", page "Checking object integrity for data
// uploads in Amazon S3".
//
// A [Reader] works in constant memory. It hands data on before the signature of
// its chunk is known, because a chunk may be gigabytes long, but it keeps the
// end back: neither [io.EOF] nor the last bytes of the announced length are
// returned before every signature, the length and the checksum are verified. A
// consumer that keeps nothing until then is safe.
//
// In the trailer, what clients in use disagree on is let pass: lines may end in
// a bare line feed, and empty lines may stand anywhere or be absent. Everything
// that carries meaning is held to the documentation.
package awschunked
