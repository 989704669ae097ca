// Package s3compat serves an engine to S3 clients: it is an [http.Handler] that
// speaks Amazon S3's REST protocol, with signatures of version 4 in the
// Authorization header. A container is a bucket, an artifact an object.
//
//	h, err := s3compat.New(eng, s3compat.WithCredentials(s3compat.StaticCredentials(
//		s3compat.Credential{
//			AccessKey: "AKEXAMPLE", SecretKey: secret,
//			Tenant: "default", Principal: tenant.Principal{ID: "alice"},
//		})))
//	...
//	err = http.ListenAndServe("127.0.0.1:9000", h)
//
// It may also serve below a path of an application; see [Mount].
//
// # Operations
//
//	ListBuckets         CreateBucket       GetBucketLocation
//	ListObjects         HeadBucket         GetBucketVersioning, -Logging, -Acl,
//	ListObjectsV2       DeleteBucket         -RequestPayment, -Notification,
//	PutObject           DeleteObject         -Accelerate, -PolicyStatus
//	GetObject           DeleteObjects      GetObjectAcl
//	HeadObject
//
// Every other operation that S3 has is answered with 501 NotImplemented, and so
// is every header that changes what an operation means and is not honored, such
// as x-amz-server-side-encryption: nothing is ever done in part. Query
// parameters that S3 does not know are ignored, but signed.
//
// # Who may do what
//
// The tenant and the principal of a request are those of the credential that
// signed it, never what a header says. A bucket belongs to the principal that
// created it, and is open to it and to administrators of the tenant. The ID of
// an Owner is the principal's ID, verbatim.
//
// # Names
//
// Keys are any UTF-8 of up to 1024 bytes, except those that climb out by "..",
// which Amazon refuses too. Buckets are created under names that follow S3's
// rules; containers that the application made under other names can be used as
// buckets nevertheless.
//
// # Checksums
//
// Content-MD5, one x-amz-checksum-* header or trailer, and x-amz-content-sha256
// are verified before anything is stored. An object keeps its MD5, as its ETag,
// the checksum that its upload named, and always CRC64NVME.
//
// # Events
//
// Each request leaves the events of the engine's operations that it runs; one
// that is refused before leaves one event of the operation that it asked for.
package s3compat
