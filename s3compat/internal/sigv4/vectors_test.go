package sigv4

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const exampleAuthorization = "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"

// The examples of "Signature Calculations for the Authorization Header:
// Transferring Payload in a Single Chunk" and of the two pages on chunked
// uploads.
func TestTheSignaturesInTheDocumentationVerify(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]string{
		"GET Object": `GET /test.txt HTTP/1.1
Host: examplebucket.s3.amazonaws.com
` + exampleAuthorization + `SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41
Range: bytes=0-9
x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
x-amz-date: 20130524T000000Z

`,
		"PUT Object": `PUT /test$file.text HTTP/1.1
Host: examplebucket.s3.amazonaws.com
Date: Fri, 24 May 2013 00:00:00 GMT
` + exampleAuthorization + `SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd
x-amz-date: 20130524T000000Z
x-amz-storage-class: REDUCED_REDUNDANCY
x-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072

`,
		"GET Bucket Lifecycle": `GET /?lifecycle HTTP/1.1
Host: examplebucket.s3.amazonaws.com
` + exampleAuthorization + `SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543
x-amz-date: 20130524T000000Z
x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855

`,
		"Get Bucket (List Objects)": `GET /?max-keys=2&prefix=J HTTP/1.1
Host: examplebucket.s3.amazonaws.com
` + exampleAuthorization + `SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7
x-amz-date: 20130524T000000Z
x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855

`,
		"PUT Object, chunked": exampleChunked,
		"PUT Object, trailer": exampleTrailer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := verify(newVerifier(t, Config{}), readRequest(t, request))
			require.NoError(t, err)
		})
	}
}

const (
	exampleChunked = `PUT /examplebucket/chunkObject.txt HTTP/1.1
Host: s3.amazonaws.com
x-amz-date: 20130524T000000Z
x-amz-storage-class: REDUCED_REDUNDANCY
` + exampleAuthorization + `SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9
x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD
Content-Encoding: aws-chunked
x-amz-decoded-content-length: 66560
Content-Length: 66824

`
	exampleTrailer = `PUT /examplebucket/chunkObject.txt HTTP/1.1
Host: s3.amazonaws.com
x-amz-date: 20130524T000000Z
x-amz-storage-class: REDUCED_REDUNDANCY
` + exampleAuthorization + `SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer,Signature=106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e
x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER
Content-Encoding: aws-chunked
x-amz-decoded-content-length: 66560
x-amz-trailer: x-amz-checksum-crc32c
Content-Length: 66824

`
)

func TestTheChunkSignaturesInTheDocumentationVerify(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		request string
		chunks  [3]string
		trailer string
	}{
		"chunked": {
			request: exampleChunked,
			chunks: [3]string{
				"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
				"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
				"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
			},
		},
		"trailer": {
			request: exampleTrailer,
			chunks: [3]string{
				"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
				"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
				"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
			},
			trailer: "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed, err := verify(newVerifier(t, Config{}), readRequest(t, tc.request))
			require.NoError(t, err)
			chain := seed.Chain()
			for i, size := range []int{65536, 1024, 0} {
				signature := [64]byte([]byte(tc.chunks[i]))
				require.NoError(t, chain.Chunk(sha256.Sum256([]byte(strings.Repeat("a", size))), &signature))
			}
			if tc.trailer != "" {
				sum := sha256.Sum256([]byte("x-amz-checksum-crc32c:sOO8/Q==\n"))
				require.NoError(t, chain.Trailer(sum, tc.trailer))
			}
		})
	}
}

func TestAWrongChunkSignatureIsExplained(t *testing.T) {
	t.Parallel()
	seed, err := verify(newVerifier(t, Config{}), readRequest(t, exampleChunked))
	require.NoError(t, err)
	wrong := [64]byte([]byte(strings.Repeat("0", 64)))
	e := requireError(t, seed.Chain().Chunk(sha256.Sum256(nil), &wrong), SignatureDoesNotMatch)
	require.Equal(t, exampleKey, e.AccessKey)
	require.Equal(t, "AWS4-HMAC-SHA256-PAYLOAD\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n"+
		"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9\n"+
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"+
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", e.StringToSign)
	require.True(t, strings.HasPrefix(e.CanonicalRequest, "PUT\n/examplebucket/chunkObject.txt\n"))

	e = requireError(t, seed.Chain().Trailer(sha256.Sum256(nil), "short"), SignatureDoesNotMatch)
	require.True(t, strings.HasPrefix(e.StringToSign, "AWS4-HMAC-SHA256-TRAILER\n"))
}
