package s3compat

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/vaultaire/vaultaire/event"
)

// An operation is what a request turns out to ask for.
type operation struct {
	name  string // Amazon's
	op    event.Op
	serve func(context.Context, *exchange) error // nil: known to S3, not implemented here
}

// A route says by what an operation is known. Sub-resources are the query
// parameters that choose one; all other parameters choose nothing.
type route struct {
	method string
	level  level
	sub    string // the one sub-resource in the query; "" for none
	also   string // a sub-resource that goes with sub and must be there too
	header string // a header that must be there too
	operation
}

// The router is this one table. The first row that fits counts; a request that
// no row fits is refused by noRoute. Rows without a serve function are
// operations of S3 that are not implemented: they are here so that none of them
// is ever taken for the plain operation on the same resource, which would make
// PUT ?tagging overwrite the object.
var routes = []route{
	{"GET", serviceLevel, "", "", "", operation{"ListBuckets", event.ListContainers, listBuckets}},

	{"GET", bucketLevel, "", "", "", operation{"ListObjects", event.ListArtifacts, listObjects}},
	{"GET", bucketLevel, "list-type", "", "", operation{"ListObjectsV2", event.ListArtifacts, listObjectsV2}},
	{"PUT", bucketLevel, "", "", "", operation{"CreateBucket", event.CreateContainer, createBucket}},
	{"HEAD", bucketLevel, "", "", "", operation{"HeadBucket", event.StatContainer, headBucket}},
	{"DELETE", bucketLevel, "", "", "", operation{"DeleteBucket", event.DeleteContainer, deleteBucket}},
	{"POST", bucketLevel, "delete", "", "", operation{"DeleteObjects", event.DeleteArtifact, deleteObjects}},
	{"GET", bucketLevel, "location", "", "", operation{"GetBucketLocation", event.StatContainer, getBucketLocation}},
	{"GET", bucketLevel, "acl", "", "", operation{"GetBucketAcl", event.StatContainer, getBucketACL}},
	{"GET", bucketLevel, "accelerate", "", "", operation{"GetBucketAccelerateConfiguration", event.StatContainer, getEmpty("AccelerateConfiguration")}},
	{"GET", bucketLevel, "logging", "", "", operation{"GetBucketLogging", event.StatContainer, getEmpty("BucketLoggingStatus")}},
	{"GET", bucketLevel, "notification", "", "", operation{"GetBucketNotificationConfiguration", event.StatContainer, getEmpty("NotificationConfiguration")}},
	{"GET", bucketLevel, "policyStatus", "", "", operation{"GetBucketPolicyStatus", event.StatContainer, getEmpty("PolicyStatus", "IsPublic", "false")}},
	{"GET", bucketLevel, "requestPayment", "", "", operation{"GetBucketRequestPayment", event.StatContainer, getEmpty("RequestPaymentConfiguration", "Payer", "BucketOwner")}},
	{"GET", bucketLevel, "versioning", "", "", operation{"GetBucketVersioning", event.StatContainer, getEmpty("VersioningConfiguration")}},

	{"PUT", objectLevel, "", "", "X-Amz-Copy-Source", operation{"CopyObject", event.Unknown, nil}},
	{"PUT", objectLevel, "", "", "", operation{"PutObject", event.PutArtifact, putObject}},
	{"GET", objectLevel, "", "", "", operation{"GetObject", event.GetArtifact, getObject}},
	{"HEAD", objectLevel, "", "", "", operation{"HeadObject", event.StatArtifact, headObject}},
	{"DELETE", objectLevel, "", "", "", operation{"DeleteObject", event.DeleteArtifact, deleteObject}},
	{"GET", objectLevel, "acl", "", "", operation{"GetObjectAcl", event.StatArtifact, getObjectACL}},

	unimplemented("POST", bucketLevel, "", "PostObject"),
	unimplemented("OPTIONS", bucketLevel, "", "PreflightRequest"),
	unimplemented("OPTIONS", objectLevel, "", "PreflightRequest"),
	unimplemented("GET", bucketLevel, "abac", "GetBucketAbac"),
	unimplemented("PUT", bucketLevel, "abac", "PutBucketAbac"),
	unimplemented("PUT", bucketLevel, "accelerate", "PutBucketAccelerateConfiguration"),
	unimplemented("PUT", bucketLevel, "acl", "PutBucketAcl"),
	unimplemented("GET", bucketLevel, "analytics", "GetBucketAnalyticsConfiguration"),
	unimplemented("PUT", bucketLevel, "analytics", "PutBucketAnalyticsConfiguration"),
	unimplemented("DELETE", bucketLevel, "analytics", "DeleteBucketAnalyticsConfiguration"),
	unimplemented("GET", bucketLevel, "cors", "GetBucketCors"),
	unimplemented("PUT", bucketLevel, "cors", "PutBucketCors"),
	unimplemented("DELETE", bucketLevel, "cors", "DeleteBucketCors"),
	unimplemented("GET", bucketLevel, "encryption", "GetBucketEncryption"),
	unimplemented("PUT", bucketLevel, "encryption", "PutBucketEncryption"),
	unimplemented("DELETE", bucketLevel, "encryption", "DeleteBucketEncryption"),
	unimplemented("GET", bucketLevel, "intelligent-tiering", "GetBucketIntelligentTieringConfiguration"),
	unimplemented("PUT", bucketLevel, "intelligent-tiering", "PutBucketIntelligentTieringConfiguration"),
	unimplemented("DELETE", bucketLevel, "intelligent-tiering", "DeleteBucketIntelligentTieringConfiguration"),
	unimplemented("GET", bucketLevel, "inventory", "GetBucketInventoryConfiguration"),
	unimplemented("PUT", bucketLevel, "inventory", "PutBucketInventoryConfiguration"),
	unimplemented("DELETE", bucketLevel, "inventory", "DeleteBucketInventoryConfiguration"),
	unimplemented("GET", bucketLevel, "lifecycle", "GetBucketLifecycleConfiguration"),
	unimplemented("PUT", bucketLevel, "lifecycle", "PutBucketLifecycleConfiguration"),
	unimplemented("DELETE", bucketLevel, "lifecycle", "DeleteBucketLifecycle"),
	unimplemented("PUT", bucketLevel, "logging", "PutBucketLogging"),
	unimplemented("GET", bucketLevel, "metadataConfiguration", "GetBucketMetadataConfiguration"),
	unimplemented("POST", bucketLevel, "metadataConfiguration", "CreateBucketMetadataConfiguration"),
	unimplemented("DELETE", bucketLevel, "metadataConfiguration", "DeleteBucketMetadataConfiguration"),
	unimplemented("PUT", bucketLevel, "metadataAnnotationTable", "UpdateBucketMetadataAnnotationTableConfiguration"),
	unimplemented("PUT", bucketLevel, "metadataInventoryTable", "UpdateBucketMetadataInventoryTableConfiguration"),
	unimplemented("PUT", bucketLevel, "metadataJournalTable", "UpdateBucketMetadataJournalTableConfiguration"),
	unimplemented("GET", bucketLevel, "metadataTable", "GetBucketMetadataTableConfiguration"),
	unimplemented("POST", bucketLevel, "metadataTable", "CreateBucketMetadataTableConfiguration"),
	unimplemented("DELETE", bucketLevel, "metadataTable", "DeleteBucketMetadataTableConfiguration"),
	unimplemented("GET", bucketLevel, "metrics", "GetBucketMetricsConfiguration"),
	unimplemented("PUT", bucketLevel, "metrics", "PutBucketMetricsConfiguration"),
	unimplemented("DELETE", bucketLevel, "metrics", "DeleteBucketMetricsConfiguration"),
	unimplemented("PUT", bucketLevel, "notification", "PutBucketNotificationConfiguration"),
	unimplemented("GET", bucketLevel, "object-lock", "GetObjectLockConfiguration"),
	unimplemented("PUT", bucketLevel, "object-lock", "PutObjectLockConfiguration"),
	unimplemented("GET", bucketLevel, "ownershipControls", "GetBucketOwnershipControls"),
	unimplemented("PUT", bucketLevel, "ownershipControls", "PutBucketOwnershipControls"),
	unimplemented("DELETE", bucketLevel, "ownershipControls", "DeleteBucketOwnershipControls"),
	unimplemented("GET", bucketLevel, "policy", "GetBucketPolicy"),
	unimplemented("PUT", bucketLevel, "policy", "PutBucketPolicy"),
	unimplemented("DELETE", bucketLevel, "policy", "DeleteBucketPolicy"),
	unimplemented("GET", bucketLevel, "publicAccessBlock", "GetPublicAccessBlock"),
	unimplemented("PUT", bucketLevel, "publicAccessBlock", "PutPublicAccessBlock"),
	unimplemented("DELETE", bucketLevel, "publicAccessBlock", "DeletePublicAccessBlock"),
	unimplemented("GET", bucketLevel, "replication", "GetBucketReplication"),
	unimplemented("PUT", bucketLevel, "replication", "PutBucketReplication"),
	unimplemented("DELETE", bucketLevel, "replication", "DeleteBucketReplication"),
	unimplemented("PUT", bucketLevel, "requestPayment", "PutBucketRequestPayment"),
	unimplemented("GET", bucketLevel, "session", "CreateSession"),
	unimplemented("GET", bucketLevel, "tagging", "GetBucketTagging"),
	unimplemented("PUT", bucketLevel, "tagging", "PutBucketTagging"),
	unimplemented("DELETE", bucketLevel, "tagging", "DeleteBucketTagging"),
	unimplemented("GET", bucketLevel, "uploads", "ListMultipartUploads"),
	unimplemented("PUT", bucketLevel, "versioning", "PutBucketVersioning"),
	unimplemented("GET", bucketLevel, "versions", "ListObjectVersions"),
	unimplemented("GET", bucketLevel, "website", "GetBucketWebsite"),
	unimplemented("PUT", bucketLevel, "website", "PutBucketWebsite"),
	unimplemented("DELETE", bucketLevel, "website", "DeleteBucketWebsite"),

	{"PUT", objectLevel, "uploadId", "partNumber", "X-Amz-Copy-Source", operation{"UploadPartCopy", event.Unknown, nil}},
	{"PUT", objectLevel, "uploadId", "partNumber", "", operation{"UploadPart", event.Unknown, nil}},
	unimplemented("POST", objectLevel, "uploads", "CreateMultipartUpload"),
	unimplemented("POST", objectLevel, "uploadId", "CompleteMultipartUpload"),
	unimplemented("DELETE", objectLevel, "uploadId", "AbortMultipartUpload"),
	unimplemented("GET", objectLevel, "uploadId", "ListParts"),
	unimplemented("GET", objectLevel, "partNumber", "GetObject"),
	unimplemented("HEAD", objectLevel, "partNumber", "HeadObject"),
	unimplemented("GET", objectLevel, "versionId", "GetObject"),
	unimplemented("HEAD", objectLevel, "versionId", "HeadObject"),
	unimplemented("DELETE", objectLevel, "versionId", "DeleteObject"),
	unimplemented("PUT", objectLevel, "acl", "PutObjectAcl"),
	unimplemented("GET", objectLevel, "annotation", "GetObjectAnnotation"), // and ListObjectAnnotations
	unimplemented("PUT", objectLevel, "annotation", "PutObjectAnnotation"),
	unimplemented("DELETE", objectLevel, "annotation", "DeleteObjectAnnotation"),
	unimplemented("PUT", objectLevel, "append", "AppendObject"),
	unimplemented("POST", objectLevel, "append", "AppendObject"),
	unimplemented("GET", objectLevel, "attributes", "GetObjectAttributes"),
	unimplemented("PUT", objectLevel, "encryption", "UpdateObjectEncryption"),
	unimplemented("GET", objectLevel, "legal-hold", "GetObjectLegalHold"),
	unimplemented("PUT", objectLevel, "legal-hold", "PutObjectLegalHold"),
	unimplemented("PUT", objectLevel, "renameObject", "RenameObject"),
	unimplemented("POST", objectLevel, "restore", "RestoreObject"),
	unimplemented("GET", objectLevel, "retention", "GetObjectRetention"),
	unimplemented("PUT", objectLevel, "retention", "PutObjectRetention"),
	unimplemented("POST", objectLevel, "select", "SelectObjectContent"),
	unimplemented("GET", objectLevel, "tagging", "GetObjectTagging"),
	unimplemented("PUT", objectLevel, "tagging", "PutObjectTagging"),
	unimplemented("DELETE", objectLevel, "tagging", "DeleteObjectTagging"),
	unimplemented("GET", objectLevel, "torrent", "GetObjectTorrent"),
}

func unimplemented(method string, l level, sub, name string) route {
	return route{method, l, sub, "", "", operation{name, event.Unknown, nil}}
}

// A router finds rows of the table.
type router struct {
	subs map[string][]route // by sub-resource
}

func newRouter() *router {
	r := &router{subs: make(map[string][]route)}
	for _, row := range routes {
		r.subs[row.sub] = append(r.subs[row.sub], row)
	}
	return r
}

// A request as far as routing looks at it.
type routable struct {
	method string
	level  level
	query  url.Values
	header http.Header
}

// route returns the operation that q asks for, or the error that says why it
// asks for none. In either case the operation says as much as is known.
func (r *router) route(q routable) (operation, error) {
	unknown := operation{op: event.Unknown}
	sub, err := r.subResource(q)
	if err != nil {
		return unknown, err
	}
	for _, row := range r.subs[sub] {
		if row.method != q.method || row.level != q.level ||
			row.also != "" && !q.query.Has(row.also) || row.header != "" && q.header.Get(row.header) == "" {
			continue
		}
		if row.serve == nil {
			return row.operation, newError(codeNotImplemented, r.reason(row)...)
		}
		if err := r.checkQuery(q); err != nil {
			return row.operation, err
		}
		return row.operation, checkHeaders(row.operation, q)
	}
	return unknown, r.noRoute(q, sub)
}

// parameters are those of S3 that choose no operation. Those that S3 does not
// know are an application's own, and ignored.
var parameters = []string{
	"bucket-region", "continuation-token", "delimiter", "encoding-type", "fetch-owner", "marker",
	"max-buckets", "max-keys", "prefix", "start-after",
	"response-cache-control", "response-content-disposition", "response-content-encoding",
	"response-content-language", "response-content-type", "response-expires",
}

// checkQuery refuses what may mean something else than what it is taken for.
func (r *router) checkQuery(q routable) error {
	for _, name := range slices.Sorted(maps.Keys(q.query)) {
		values := q.query[name]
		known := r.subs[name] != nil || slices.Contains(parameters, name)
		switch {
		case isDemand(http.CanonicalHeaderKey(name), values), strings.EqualFold(name, "x-amz-acl"):
			// Whoever presigns an address moves headers here.
			return notImplemented(name)
		case known && len(values) > 1:
			// The signature does not cover which of them comes first.
			return invalidArgument(name, values[1], "The parameter is given more than once.")
		}
	}
	return nil
}

func (r *router) reason(row route) []string {
	switch {
	case row.header != "":
		return []string{"Header", strings.ToLower(row.header)}
	case row.sub != "":
		return []string{"ResourceType", strings.ToUpper(row.sub)}
	}
	return nil
}

// modifiers are sub-resources that also qualify others: a version of an ACL, a
// part of an upload.
var modifiers = []string{"partNumber", "versionId"}

// subResource returns the sub-resource that the query names, "" if none.
func (r *router) subResource(q routable) (string, error) {
	var chosen, qualified []string
	for name := range q.query {
		switch {
		case name == "" || r.subs[name] == nil:
		case slices.Contains(modifiers, name):
			qualified = append(qualified, name)
		default:
			chosen = append(chosen, name)
		}
	}
	slices.Sort(chosen)
	slices.Sort(qualified)
	switch {
	case len(chosen) > 1:
		return "", newError(codeInvalidArgument, "ArgumentName", "ResourceType", "ArgumentValue", chosen[0]).
			saying("Conflicting query string parameters: %s", strings.Join(chosen, ", "))
	case len(chosen) == 1 && chosen[0] != "uploadId" && len(qualified) > 0:
		return "", newError(codeNotImplemented, "ResourceType", strings.ToUpper(qualified[0]))
	case len(chosen) == 1:
		return chosen[0], nil
	case len(qualified) > 0:
		return qualified[0], nil
	}
	return "", nil
}

// noRoute says why no row of the table fits.
func (r *router) noRoute(q routable, sub string) error {
	switch {
	case q.level == objectLevel && q.method == "PUT" && sub == "partNumber":
		return invalidArgument("partNumber", q.query.Get("partNumber"), "This operation does not accept a query-string.")
	case q.level == objectLevel && q.method == "PUT" && sub == "versionId":
		return invalidArgument("versionId", q.query.Get("versionId"), "This operation does not accept a version-id.")
	case q.level == objectLevel && q.method == "GET" && sub == "uploads":
		return invalidRequest("Key is not expected for the GET method ?uploads subresource")
	case q.level == objectLevel && q.method != "POST" && !r.knows(q.level, sub):
		return invalidRequest("There is no such thing as the ?%s sub-resource for a key", sub)
	case q.level == bucketLevel && !r.knows(q.level, sub):
		return invalidRequest("A key must be specified")
	case q.level == serviceLevel && !r.knows(q.level, sub):
		return invalidRequest("A bucket must be specified")
	}
	kind := [...]string{"SERVICE", "BUCKET", "OBJECT"}[q.level]
	switch {
	case !r.knows(q.level, sub): // POST of a key
		sub = ""
	case sub != "":
		kind = strings.ToUpper(sub)
	}
	return newError(codeMethodNotAllowed, "Method", q.method, "ResourceType", kind).
		with("Allow", strings.Join(r.methods(q.level, sub), ", "))
}

// knows reports whether sub exists at the level for any method.
func (r *router) knows(l level, sub string) bool { return len(r.methods(l, sub)) > 0 }

func (r *router) methods(l level, sub string) []string {
	var methods []string
	for _, row := range r.subs[sub] {
		if row.level == l {
			methods = append(methods, row.method)
		}
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}
