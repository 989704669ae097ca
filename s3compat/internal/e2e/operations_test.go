package e2e

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// implemented are the operations that may succeed. ListDirectoryBuckets has the
// request of ListBuckets, at another host.
var implemented = []string{
	"CreateBucket", "DeleteBucket", "DeleteObject", "DeleteObjects", "GetBucketAccelerateConfiguration",
	"GetBucketAcl", "GetBucketLocation", "GetBucketLogging", "GetBucketNotificationConfiguration",
	"GetBucketPolicyStatus", "GetBucketRequestPayment", "GetBucketVersioning", "GetObject", "GetObjectAcl",
	"HeadBucket", "HeadObject", "ListBuckets", "ListDirectoryBuckets", "ListObjects", "ListObjectsV2", "PutObject",
}

// An sdkOperation is how the SDK sends an operation with all that it requires,
// about bucket and k.
type sdkOperation struct {
	name, method, path string
	query              url.Values
	header             http.Header
}

// What S3 knows and we do not must fail as such, and be taken for no other
// operation. What S3 knows is read from the source of the SDK.
func TestOperationsThatAreNotImplementedDoNothing(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := newSDK(s.endpoint)
	mustCreate(t, c, "bucket")
	mustPut(t, c, "bucket", "k", "v")
	mustPut(t, c, "bucket", "source", "v")
	operations := sdkOperations(t)
	require.Greater(t, len(operations), 100)
	for _, op := range operations {
		if slices.Contains(implemented, op.name) {
			continue
		}
		status, body := op.send(t, s.endpoint)
		assert.Equal(t, http.StatusNotImplemented, status, "%s: %s", op.name, body)
		assert.Contains(t, body, "<Code>NotImplemented</Code>", op.name)
		require.Equal(t, "v", mustGet(t, c, "bucket", "k"), op.name)
		list, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("bucket")})
		require.NoError(t, err)
		require.Equal(t, []string{"k", "source"}, keysOf(list.Contents), op.name)
	}
}

// send sends the operation, signed by the SDK.
func (op sdkOperation) send(t *testing.T, endpoint string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), op.method, endpoint+op.path+"?"+op.query.Encode(), strings.NewReader("new"))
	require.NoError(t, err)
	r.Header = op.header.Clone()
	const unsigned = "UNSIGNED-PAYLOAD"
	r.Header.Set("X-Amz-Content-Sha256", unsigned)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	keys := aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}
	require.NoError(t, signer.SignHTTP(t.Context(), keys, r, unsigned, "s3", region, time.Now()))
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(answer)
}

var (
	serializer = regexp.MustCompile(`(?s)func \(m \*awsRestxml_serializeOp(\w+)\) HandleSerialize\(.*?\n}\n`)
	splitURI   = regexp.MustCompile(`SplitURI\("([^"]+)"\)`)
	setMethod  = regexp.MustCompile(`request\.Method = "(\w+)"`)
	// A required member of an input, and where the bindings put a member.
	required = regexp.MustCompile(`// This member is required\.\n\t(\w+) `)
	member   = regexp.MustCompile(`^.*?v\.(\w+)`)
	inQuery  = regexp.MustCompile(`encoder\.SetQuery\("([^"]+)"\)`)
	inHeader = regexp.MustCompile(`locationName := "([^"]+)"`)
)

// sdkOperations reads the SDK's serializers.
func sdkOperations(t *testing.T) (operations []sdkOperation) {
	t.Helper()
	dir := strings.TrimSpace(goCommand(t, ".", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/s3"))
	source, err := os.ReadFile(filepath.Join(dir, "serializers.go"))
	require.NoError(t, err)
	for _, match := range serializer.FindAllStringSubmatch(string(source), -1) {
		uri, err := url.Parse(splitURI.FindStringSubmatch(match[0])[1])
		require.NoError(t, err)
		op := sdkOperation{
			name: match[1], method: setMethod.FindStringSubmatch(match[0])[1],
			path: uri.Path, query: uri.Query(), header: http.Header{},
		}
		input, err := os.ReadFile(filepath.Join(dir, "api_op_"+op.name+".go"))
		require.NoError(t, err)
		op.require(string(source), string(input))
		operations = append(operations, op)
	}
	return operations
}

// require sets path, query parameters and headers of the required members. The
// headers' values are all the same; some are those of a copy.
func (op *sdkOperation) require(source, input string) {
	_, bindings, _ := strings.Cut(source, "func awsRestxml_serializeOpHttpBindings"+op.name+"Input(")
	bindings, _, _ = strings.Cut(bindings, "\n}\n")
	_, input, _ = strings.Cut(input, "type "+op.name+"Input struct {")
	input, _, _ = strings.Cut(input, "\n}\n")
	names := make(map[string]bool)
	for _, m := range required.FindAllStringSubmatch(input, -1) {
		names[m[1]] = true
	}
	if names["Bucket"] {
		op.path = "/bucket" + op.path
	}
	op.path = strings.ReplaceAll(op.path, "{Key+}", "k")
	for block := range strings.SplitSeq(bindings, "\n\tif ") {
		if m := member.FindStringSubmatch(block); m == nil || !names[m[1]] {
			continue
		}
		if q := inQuery.FindStringSubmatch(block); q != nil {
			op.query.Set(q[1], "1")
		}
		if h := inHeader.FindStringSubmatch(block); h != nil {
			op.header.Set(h[1], "/bucket/source")
		}
	}
}

func TestTheSourceOfTheSDKIsUnderstood(t *testing.T) {
	t.Parallel()
	operations := sdkOperations(t)
	for _, want := range []sdkOperation{
		{"UploadPart", "PUT", "/bucket/k", url.Values{"x-id": {"UploadPart"}, "uploadId": {"1"}, "partNumber": {"1"}}, http.Header{}},
		{"CopyObject", "PUT", "/bucket/k", url.Values{"x-id": {"CopyObject"}}, http.Header{"X-Amz-Copy-Source": {"/bucket/source"}}},
		{"RenameObject", "PUT", "/bucket/k", url.Values{"renameObject": {""}}, http.Header{"X-Amz-Rename-Source": {"/bucket/source"}}},
		{"GetObjectAttributes", "GET", "/bucket/k", url.Values{"attributes": {""}}, http.Header{"X-Amz-Object-Attributes": {"/bucket/source"}}},
		{"PutBucketTagging", "PUT", "/bucket/", url.Values{"tagging": {""}}, http.Header{}},
	} {
		assert.Contains(t, operations, want)
	}
}
