package e2e

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSDK runs every operation over plain HTTP, where the SDK signs the hash of
// a body, and over TLS, where it sends the body aws-chunked with the checksum
// in a trailer.
func TestSDK(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	sent := &recorder{modes: map[string]bool{}}
	defer func() {
		assert.True(t, sent.modes["STREAMING-UNSIGNED-PAYLOAD-TRAILER"], "uploads over TLS were of %v", sent.modes)
	}()
	for name, c := range map[string]*s3.Client{
		"http": newSDK(s.endpoint),
		"tls": newSDK(startTLS(t, s), trusting, func(o *s3.Options) {
			sent.RoundTripper = o.HTTPClient.(*http.Client).Transport
			o.HTTPClient = &http.Client{Transport: sent}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			prefix := name + "-"
			t.Run("buckets", func(t *testing.T) { testBuckets(t, c, prefix+"buckets") })
			t.Run("objects", func(t *testing.T) { testObjects(t, c, prefix+"objects") })
			t.Run("ranges", func(t *testing.T) { testRanges(t, c, prefix+"ranges") })
			t.Run("conditions", func(t *testing.T) { testConditions(t, c, prefix+"conditions") })
			t.Run("checksums", func(t *testing.T) { testChecksums(t, c, prefix+"checksums") })
			t.Run("large", func(t *testing.T) { testLarge(t, c, prefix+"large") })
			t.Run("lists", func(t *testing.T) { testLists(t, c, prefix+"lists") })
			t.Run("bulk delete", func(t *testing.T) { testDeleteObjects(t, c, prefix+"bulk") })
			t.Run("errors", func(t *testing.T) { testErrors(t, c, prefix+"errors") })
		})
	}
}

func testBuckets(t *testing.T, c *s3.Client, bucket string) {
	mustCreate(t, c, bucket)
	_, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket})
	assertCode(t, err, "BucketAlreadyOwnedByYou", 409)
	head, err := c.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &bucket})
	require.NoError(t, err)
	assert.Equal(t, region, aws.ToString(head.BucketRegion))
	location, err := c.GetBucketLocation(t.Context(), &s3.GetBucketLocationInput{Bucket: &bucket})
	require.NoError(t, err)
	assert.Empty(t, location.LocationConstraint, "us-east-1 is spelled so")

	second := bucket + "2"
	mustCreate(t, c, second)
	var names []string
	pages := s3.NewListBucketsPaginator(c, &s3.ListBucketsInput{Prefix: &bucket, MaxBuckets: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Buckets), 1)
		for _, b := range page.Buckets {
			names = append(names, *b.Name)
			assert.WithinDuration(t, time.Now(), *b.CreationDate, time.Hour)
		}
	}
	assert.Equal(t, []string{bucket, second}, names)

	for _, b := range names {
		_, err = c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &b})
		require.NoError(t, err)
	}
	_, err = c.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &bucket})
	assertStatus(t, err, 404)
}

func testObjects(t *testing.T, c *s3.Client, bucket string) {
	mustCreate(t, c, bucket)
	for name, body := range map[string]string{"empty": "", "one": "x", "text": strings.Repeat("text ", 20_000)} {
		put := mustPut(t, c, bucket, name, body)
		assert.Equal(t, etag(body), *put.ETag, name)
		assert.Equal(t, body, mustGet(t, c, bucket, name))
	}
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: &bucket, Key: aws.String("k"), Body: strings.NewReader("body"),
		ContentType: aws.String("text/plain; charset=utf-8"), ContentEncoding: aws.String("x-odd"),
		ContentLanguage: aws.String("de"), CacheControl: aws.String("no-cache"),
		ContentDisposition: aws.String(`attachment; filename="a b.txt"`),
		Metadata:           map[string]string{"Color": "blue", "empty": ""},
	})
	require.NoError(t, err)
	head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: aws.String("k")})
	require.NoError(t, err)
	assert.Equal(t, int64(4), *head.ContentLength)
	assert.Equal(t, etag("body"), *head.ETag)
	assert.Equal(t, "text/plain; charset=utf-8", *head.ContentType)
	assert.Equal(t, "x-odd", aws.ToString(head.ContentEncoding), "aws-chunked is not stored")
	assert.Equal(t, "de", aws.ToString(head.ContentLanguage))
	assert.Equal(t, "no-cache", aws.ToString(head.CacheControl))
	assert.Equal(t, `attachment; filename="a b.txt"`, aws.ToString(head.ContentDisposition))
	assert.Equal(t, map[string]string{"color": "blue", "empty": ""}, head.Metadata)
	assert.WithinDuration(t, time.Now(), *head.LastModified, time.Hour)

	mustPut(t, c, bucket, "k", "other")
	assert.Equal(t, "other", mustGet(t, c, bucket, "k"))
	for range 2 { // the second one finds nothing, and that is fine
		_, err = c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: aws.String("k")})
		require.NoError(t, err)
	}
	_, err = c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: aws.String("k")})
	assertStatus(t, err, 404)
}

func testRanges(t *testing.T, c *s3.Client, bucket string) {
	mustCreate(t, c, bucket)
	mustPut(t, c, bucket, "k", "0123456789")
	for _, test := range []struct{ header, body, contentRange string }{
		{"bytes=0-0", "0", "bytes 0-0/10"},
		{"bytes=2-4", "234", "bytes 2-4/10"},
		{"bytes=7-", "789", "bytes 7-9/10"},
		{"bytes=7-100", "789", "bytes 7-9/10"},
		{"bytes=-3", "789", "bytes 7-9/10"},
		{"bytes=-100", "0123456789", "bytes 0-9/10"},
	} {
		out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("k"), Range: &test.header})
		require.NoError(t, err, test.header)
		body, err := io.ReadAll(out.Body)
		require.NoError(t, err, test.header)
		out.Body.Close()
		assert.Equal(t, test.body, string(body), test.header)
		assert.Equal(t, test.contentRange, aws.ToString(out.ContentRange), test.header)
		assert.Equal(t, int64(len(test.body)), *out.ContentLength, test.header)
	}
	for _, header := range []string{"bytes=10-", "bytes=11-12", "bytes=-0"} {
		_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("k"), Range: &header})
		assertCode(t, err, "InvalidRange", 416)
	}
}

func testConditions(t *testing.T, c *s3.Client, bucket string) {
	mustCreate(t, c, bucket)
	key, tag, other := aws.String("k"), etag("v1"), etag("else")
	past := time.Now().Add(-time.Hour)
	put := func(ifMatch, ifNoneMatch *string) error {
		_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: &bucket, Key: key, Body: strings.NewReader("v1"), IfMatch: ifMatch, IfNoneMatch: ifNoneMatch})
		return err
	}
	assertCode(t, put(&tag, nil), "NoSuchKey", 404)
	require.NoError(t, put(nil, aws.String("*")))
	assertCode(t, put(nil, aws.String("*")), "PreconditionFailed", 412)
	assertCode(t, put(&other, nil), "PreconditionFailed", 412)
	require.NoError(t, put(&tag, nil))

	get := func(in s3.GetObjectInput) error {
		in.Bucket, in.Key = &bucket, key
		out, err := c.GetObject(t.Context(), &in)
		if err == nil {
			out.Body.Close()
		}
		return err
	}
	assert.NoError(t, get(s3.GetObjectInput{IfMatch: &tag}))
	assert.NoError(t, get(s3.GetObjectInput{IfNoneMatch: &other}))
	assert.NoError(t, get(s3.GetObjectInput{IfModifiedSince: &past}))
	assertCode(t, get(s3.GetObjectInput{IfMatch: &other}), "PreconditionFailed", 412)
	assertCode(t, get(s3.GetObjectInput{IfUnmodifiedSince: &past}), "PreconditionFailed", 412)
	assertStatus(t, get(s3.GetObjectInput{IfNoneMatch: &tag}), 304)
	_, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: key, IfNoneMatch: &tag})
	assertStatus(t, err, 304)
	_, err = c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: key, IfMatch: &other})
	assertStatus(t, err, 412)
}

func testChecksums(t *testing.T, c *s3.Client, bucket string) {
	mustCreate(t, c, bucket)
	for _, algorithm := range []types.ChecksumAlgorithm{
		"", types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme,
		types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256,
	} {
		key := "k" + string(algorithm)
		put, err := c.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: &bucket, Key: &key, Body: strings.NewReader("checked"), ChecksumAlgorithm: algorithm})
		require.NoError(t, err, algorithm)
		get, err := c.GetObject(t.Context(), &s3.GetObjectInput{
			Bucket: &bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
		require.NoError(t, err, algorithm)
		body, err := io.ReadAll(get.Body) // the SDK validates here
		require.NoError(t, err, algorithm)
		get.Body.Close()
		assert.Equal(t, "checked", string(body))
		validated, _ := s3.GetChecksumValidationMetadata(get.ResultMetadata)
		assert.NotEmpty(t, validated.AlgorithmsUsed, "%s: the SDK had nothing to validate", algorithm)
		assert.Equal(t, putChecksums(put), getChecksums(get), algorithm)
		assert.Equal(t, types.ChecksumTypeFullObject, get.ChecksumType, algorithm)
	}
	wrong := "AAAAAA=="
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: &bucket, Key: aws.String("wrong"), Body: strings.NewReader("checked"), ChecksumCRC32: &wrong})
	assertCode(t, err, "BadDigest", 400)
	_, err = c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: aws.String("wrong")})
	assertStatus(t, err, 404)
}

func putChecksums(o *s3.PutObjectOutput) []string {
	return given(o.ChecksumCRC32, o.ChecksumCRC32C, o.ChecksumCRC64NVME, o.ChecksumSHA1, o.ChecksumSHA256)
}

func getChecksums(o *s3.GetObjectOutput) []string {
	return given(o.ChecksumCRC32, o.ChecksumCRC32C, o.ChecksumCRC64NVME, o.ChecksumSHA1, o.ChecksumSHA256)
}

func given(sums ...*string) []string {
	text := make([]string, len(sums))
	for i, sum := range sums {
		text[i] = aws.ToString(sum)
	}
	return text
}

func testLarge(t *testing.T, c *s3.Client, bucket string) {
	mustCreate(t, c, bucket)
	body := sampleFiles()["large.bin"]
	put := mustPut(t, c, bucket, "k", body)
	assert.Equal(t, etag(body), *put.ETag)
	if mustGet(t, c, bucket, "k") != body {
		assert.Fail(t, "other bytes")
	}
}

func testDeleteObjects(t *testing.T, c *s3.Client, bucket string) {
	mustCreate(t, c, bucket)
	keys := []string{"a", "a/b", "a+b", "a b", "ä&<>\"'", "none"}
	var ids []types.ObjectIdentifier
	for _, key := range keys {
		if key != "none" {
			mustPut(t, c, bucket, key, "x")
		}
		ids = append(ids, types.ObjectIdentifier{Key: &key})
	}
	mustPut(t, c, bucket, "stays", "x")
	out, err := c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &types.Delete{Objects: ids}})
	require.NoError(t, err)
	assert.Empty(t, out.Errors)
	var deleted []string
	for _, d := range out.Deleted {
		deleted = append(deleted, *d.Key)
	}
	assert.ElementsMatch(t, keys, deleted)
	list, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	require.NoError(t, err)
	require.Len(t, list.Contents, 1)
	assert.Equal(t, "stays", *list.Contents[0].Key)
	out, err = c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: aws.String("stays")}}, Quiet: aws.Bool(true)}})
	require.NoError(t, err)
	assert.Empty(t, out.Deleted)
	_, err = c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &bucket})
	require.NoError(t, err)
}

func testLists(t *testing.T, c *s3.Client, bucket string) {
	mustCreate(t, c, bucket)
	keys := []string{"a", "a-b", "a/1", "a/2", "a/b/3", "b/1", "b/2", "c", "d//e", "d/e", "ü", "🙂"}
	for _, key := range keys {
		mustPut(t, c, bucket, key, key)
	}
	for _, test := range []struct {
		prefix, delimiter, after string
		keys, prefixes           []string
	}{
		{keys: keys},
		{prefix: "a/", keys: []string{"a/1", "a/2", "a/b/3"}},
		{delimiter: "/", keys: []string{"a", "a-b", "c", "ü", "🙂"}, prefixes: []string{"a/", "b/", "d/"}},
		{prefix: "a/", delimiter: "/", keys: []string{"a/1", "a/2"}, prefixes: []string{"a/b/"}},
		{prefix: "d/", delimiter: "/", keys: []string{"d/e"}, prefixes: []string{"d//"}},
		{after: "b/1", keys: []string{"b/2", "c", "d//e", "d/e", "ü", "🙂"}},
		{prefix: "none"},
	} {
		for size := int32(1); size <= 4; size++ {
			name := fmt.Sprintf("%+v in pages of %d", test, size)
			var got, prefixes []string
			pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{
				Bucket: &bucket, Prefix: &test.prefix, Delimiter: &test.delimiter, StartAfter: &test.after, MaxKeys: &size})
			for pages.HasMorePages() {
				page, err := pages.NextPage(t.Context())
				require.NoError(t, err, name)
				require.LessOrEqual(t, int32(len(page.Contents)+len(page.CommonPrefixes)), size, name)
				got, prefixes = append(got, keysOf(page.Contents)...), append(prefixes, prefixesOf(page.CommonPrefixes)...)
			}
			assert.Equal(t, test.keys, got, name)
			assert.Equal(t, test.prefixes, prefixes, name)

			got, prefixes = listV1(t, c, &s3.ListObjectsInput{
				Bucket: &bucket, Prefix: &test.prefix, Delimiter: &test.delimiter, Marker: &test.after, MaxKeys: &size})
			assert.Equal(t, test.keys, got, "V1 "+name)
			assert.Equal(t, test.prefixes, prefixes, "V1 "+name)
		}
	}
}

// listV1 reads all pages of the first version, which has no paginator.
func listV1(t *testing.T, c *s3.Client, in *s3.ListObjectsInput) (keys, prefixes []string) {
	t.Helper()
	for {
		page, err := c.ListObjects(t.Context(), in)
		require.NoError(t, err)
		keys, prefixes = append(keys, keysOf(page.Contents)...), append(prefixes, prefixesOf(page.CommonPrefixes)...)
		if !*page.IsTruncated {
			return keys, prefixes
		}
		in.Marker = page.NextMarker
		if in.Marker == nil { // S3 gives it with a delimiter only
			in.Marker = &keys[len(keys)-1]
		}
	}
}

func keysOf(objects []types.Object) (keys []string) {
	for _, o := range objects {
		keys = append(keys, *o.Key)
	}
	return keys
}

func prefixesOf(list []types.CommonPrefix) (prefixes []string) {
	for _, p := range list {
		prefixes = append(prefixes, *p.Prefix)
	}
	return prefixes
}

func testErrors(t *testing.T, c *s3.Client, bucket string) {
	mustCreate(t, c, bucket)
	mustPut(t, c, bucket, "k", "v")
	none := aws.String("no-such-bucket")
	_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("none")})
	assertCode(t, err, "NoSuchKey", 404)
	var noSuchKey *types.NoSuchKey
	assert.ErrorAs(t, err, &noSuchKey)
	_, err = c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: none, Key: aws.String("k")})
	assertCode(t, err, "NoSuchBucket", 404)
	_, err = c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: none, Key: aws.String("k"), Body: strings.NewReader("v")})
	assertCode(t, err, "NoSuchBucket", 404)
	_, err = c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: none})
	assertCode(t, err, "NoSuchBucket", 404)
	_, err = c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: none})
	assertCode(t, err, "NoSuchBucket", 404)
	_, err = c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &bucket})
	assertCode(t, err, "BucketNotEmpty", 409)
	_, err = c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("Not_A_Name")})
	assertCode(t, err, "InvalidBucketName", 400)
	_, err = c.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{Bucket: &bucket, Key: aws.String("k"),
		Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}})
	assertCode(t, err, "NotImplemented", 501)
	_, err = c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: aws.String("k")})
	assertCode(t, err, "NotImplemented", 501)
	assert.Equal(t, "v", mustGet(t, c, bucket, "k"), "what was refused changed nothing")
}

func etag(body string) string {
	sum := md5.Sum([]byte(body))
	return `"` + hex.EncodeToString(sum[:]) + `"`
}
