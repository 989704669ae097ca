// Package s3xml writes and reads the small XML documents of the S3 protocol.
//
// It exists because encoding/xml cannot carry every key. XML 1.0 has no place
// for most control characters, yet a key may hold them; Amazon writes them as
// numeric references and accepts them so. encoding/xml replaces them by U+FFFD
// when it writes and refuses them when it reads.
//
// The reader accepts no document type, so no entities but the five of XML and
// numeric references, and it bounds bytes, depth and the number of elements.
package s3xml
