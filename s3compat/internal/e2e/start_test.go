package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4/sigv4test"
)

// lastLine is what the server prints last of all.
const lastLine = "Stop: Ctrl-C\n"

func TestTheFirstStartMakesKeysThatLaterOnesKeep(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "by the server")
	s := startServerEnv(t, nil, "-dir", dir)
	usage, _ := s.stdout.waitFor(s.exited, lastLine)
	access, secret := printedKeys(t, usage)

	file := filepath.Join(dir, "credentials.json")
	assert.Contains(t, usage, file)
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	var list []map[string]any
	require.NoError(t, json.Unmarshal(kept, &list))
	require.Len(t, list, 1)
	assert.Equal(t, access, list[0]["access_key"])
	assert.Equal(t, secret, list[0]["secret_key"])

	c := newSDK(s.endpoint, withKeys(access, secret))
	mustCreate(t, c, "bucket")
	mustPut(t, c, "bucket", "k", "v")
	s.stop(t, syscall.SIGINT)
	assert.NotContains(t, s.stderr.String(), secret)

	again := startServerEnv(t, nil, "-dir", dir)
	usage, _ = again.stdout.waitFor(again.exited, lastLine)
	access2, secret2 := printedKeys(t, usage)
	assert.Equal(t, []string{access, secret}, []string{access2, secret2})
	assert.Equal(t, "v", mustGet(t, newSDK(again.endpoint, withKeys(access, secret)), "bucket", "k"))
	now, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(kept), string(now))
}

func printedKeys(t *testing.T, usage string) (access, secret string) {
	t.Helper()
	match := regexp.MustCompile(`AWS_ACCESS_KEY_ID=(\S+) AWS_SECRET_ACCESS_KEY=(\S+) AWS_DEFAULT_REGION=us-east-1\n`).FindStringSubmatch(usage)
	require.NotNil(t, match, usage)
	return match[1], match[2]
}

// The lines that the server prints to be pasted work when they are.
func TestPrintedLinesWork(t *testing.T) {
	t.Parallel()
	findClient(t, "aws")
	findClient(t, "rclone")
	s := startServerEnv(t, nil, "-dir", t.TempDir())
	usage, _ := s.stdout.waitFor(s.exited, lastLine)
	var pasted strings.Builder
	for line := range strings.Lines(usage) {
		if strings.HasPrefix(line, "  ") {
			pasted.WriteString(line)
		}
	}
	shell := findClient(t, "sh", "AWS_EC2_METADATA_DISABLED=true")
	shell.config(t, "README.md", "# Read me\n")
	out := shell.run(t, "-e", "-c", pasted.String())
	assert.Contains(t, out, "make_bucket: demo")
	assert.Contains(t, out, "10 README.md\n", "rclone ls shows size and name")
}

// A secret that the user brought is not shown.
func TestGivenSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	usage, _ := s.stdout.waitFor(s.exited, lastLine)
	s.stop(t, syscall.SIGTERM)
	assert.Contains(t, usage, accessKey)
	assert.NotContains(t, usage+s.stderr.String(), secretKey)
}

func TestServersThatCannotStartSayWhy(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	const one = `{"access_key":"A","secret_key":"s3cr3t","tenant":"t","principal":"p"}`
	for _, test := range []struct {
		name string
		args []string
		says string
	}{
		{"access key alone", []string{"-access-key", "A"}, "-secret-key"},
		{"secret key alone", []string{"-secret-key", "s3cr3t"}, "-access-key"},
		{"keys twice", []string{"-access-key", "A", "-secret-key", "s3cr3t", "-credentials", file("ok.json", "["+one+"]")}, "-credentials"},
		{"an argument", []string{"data"}, `"data"`},
		{"an unknown flag", []string{"-prot", "1"}, "-prot"},
		{"no region", []string{"-region", ""}, "region"},
		{"a domain with a slash", []string{"-domain", "http://s3.example.test"}, "domain"},
		{"no such credentials", []string{"-credentials", filepath.Join(folder, "none.json")}, "none.json"},
		{"credentials that are no JSON", []string{"-credentials", file("bad.json", "hello")}, "bad.json"},
		{"no credentials", []string{"-credentials", file("empty.json", "[]")}, "empty"},
		{"something after the credentials", []string{"-credentials", file("two.json", "["+one+"] ["+one+"]")}, "two.json"},
		{"a misspelled field", []string{"-credentials", file("typo.json", `[{"acess_key":"A"}]`)}, "acess_key"},
		{"a key given twice", []string{"-credentials", file("twice.json", "["+one+","+one+"]")}, "twice"},
		{"a credential without a tenant", []string{"-credentials", file("tenant.json", `[{"access_key":"A","secret_key":"s3cr3t","principal":"p"}]`)}, "tenant"},
		{"a directory that is a file", []string{"-dir", file("file", "")}, "file"},
		{"a catalog that is not ours", []string{"-dir", filepath.Dir(filepath.Dir(file("foreign/catalog/photo.jpg", "x")))}, "catalog"},
		{"blobs that are not ours", []string{"-dir", filepath.Dir(filepath.Dir(file("foreign2/blobs/photo.jpg", "x")))}, "blobs"},
		{"an address that is none", []string{"-addr", "127.0.0.1:port"}, "port"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-addr", "127.0.0.1:0", "-dir", t.TempDir()}, test.args...)
			said := launch(t, nil, args...).fails(t)
			assert.Contains(t, said, test.says)
			assert.NotContains(t, said, "s3cr3t")
			assert.NotContains(t, said, "goroutine ", "no stack traces")
		})
	}
}

func TestOneServerAtATimeHasADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startServer(t, "-dir", dir)
	said := launch(t, nil, "-addr", "127.0.0.1:0", "-dir", dir).fails(t)
	assert.Contains(t, said, dir)
	assert.Regexp(t, `locked|in use|open`, said)
	c := newSDK(s.endpoint)
	mustCreate(t, c, "bucket") // the first one is none the worse
	s.stop(t, syscall.SIGTERM)
	c = newSDK(startServer(t, "-dir", dir).endpoint)
	mustPut(t, c, "bucket", "k", "v")
}

func TestAnAddressInUseIsRefused(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	address := strings.TrimPrefix(s.endpoint, "http://")
	said := launch(t, nil, "-addr", address, "-dir", t.TempDir()).fails(t)
	assert.Contains(t, said, address)
}

// A server that is told to stop ends the uploads that run.
func TestStoppingWaitsForUploads(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		dir := t.TempDir()
		s := startServer(t, "-dir", dir)
		rawClient{s.endpoint}.do(t, "PUT", "/bucket", "").want(t, 200)
		body, more := io.Pipe()
		request, err := http.NewRequestWithContext(t.Context(), "PUT", s.endpoint+"/bucket/k", body)
		require.NoError(t, err)
		request.ContentLength = 10
		// The server asks for the body once it has admitted the request.
		request.Header.Set("Expect", "100-continue")
		signer().Sign(request, sigv4test.Unsigned)
		done := make(chan error, 1)
		go func() {
			response, err := (&http.Transport{ExpectContinueTimeout: 1 << 40}).RoundTrip(request)
			if err == nil && response.StatusCode != 200 {
				err = fmt.Errorf("status %s", response.Status)
			}
			done <- err
		}()
		_, err = io.WriteString(more, "01234")
		require.NoError(t, err)
		require.NoError(t, s.cmd.Process.Signal(sig))
		_, ok := s.stderr.waitFor(s.exited, "stopping")
		require.True(t, ok, s.stderr)
		_, err = io.WriteString(more, "56789")
		require.NoError(t, err)
		more.Close()
		require.NoError(t, <-done)
		<-s.exited
		require.NoError(t, s.err, s.stderr)
		s = startServer(t, "-dir", dir)
		assert.Equal(t, "0123456789", rawClient{s.endpoint}.do(t, "GET", "/bucket/k", "").want(t, 200).body)
	}
}

func TestCredentialsFilesSeparateTenants(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	require.NoError(t, os.WriteFile(file, []byte(`[
		{"access_key":"ALICE","secret_key":"sa","tenant":"acme","principal":"alice","display_name":"Alice"},
		{"access_key":"BOB","secret_key":"sb","tenant":"acme","principal":"bob"},
		{"access_key":"ROOT","secret_key":"sr","tenant":"acme","principal":"root","admin":true},
		{"access_key":"CAROL","secret_key":"sc","tenant":"other","principal":"carol"}]`), 0o600))
	s := startServerEnv(t, nil, "-dir", t.TempDir(), "-credentials", file)
	as := func(access, secret string) *s3.Client { return newSDK(s.endpoint, withKeys(access, secret)) }
	alice, bob, root, carol := as("ALICE", "sa"), as("BOB", "sb"), as("ROOT", "sr"), as("CAROL", "sc")
	mustCreate(t, alice, "bucket")
	mustPut(t, alice, "bucket", "k", "alice's")
	get := &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("k")}
	_, err := bob.GetObject(t.Context(), get)
	assertCode(t, err, "AccessDenied", 403)
	_, err = bob.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("bucket")})
	assertCode(t, err, "BucketAlreadyExists", 409)
	assert.Equal(t, "alice's", mustGet(t, root, "bucket", "k"))
	_, err = carol.GetObject(t.Context(), get)
	assertCode(t, err, "NoSuchBucket", 404)
	mustCreate(t, carol, "bucket") // a name of another tenant is free
	mustPut(t, carol, "bucket", "k", "carol's")
	assert.Equal(t, "alice's", mustGet(t, alice, "bucket", "k"))
	for who, c := range map[string]*s3.Client{"alice": alice, "carol": carol} {
		list, err := c.ListBuckets(t.Context(), &s3.ListBucketsInput{})
		require.NoError(t, err)
		assert.Len(t, list.Buckets, 1)
		assert.Equal(t, who, *list.Owner.ID)
	}
	list, err := bob.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	require.NoError(t, err)
	assert.Empty(t, list.Buckets)
}

func TestEventsMetricsAndHealth(t *testing.T) {
	t.Parallel()
	events := filepath.Join(t.TempDir(), "events.jsonl")
	s := startServer(t, "-events", events)
	c := newSDK(s.endpoint)
	mustCreate(t, c, "bucket")
	mustPut(t, c, "bucket", "k", "v")
	_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("none")})
	require.Error(t, err)
	assert.Equal(t, "ok\n", fetch(t, s.endpoint+"/-/healthz"))
	metrics := fetch(t, s.endpoint+"/-/metrics")
	assert.Regexp(t, `(?m)^vaultaire_requests_total\{method="put_artifact",status="ok",tenant="default"\} 1$`, metrics)
	assert.Regexp(t, `(?m)^vaultaire_requests_total\{method="get_artifact",status="not_found",tenant="default"\} 1$`, metrics)
	s.stop(t, syscall.SIGTERM)

	file, err := os.Open(events)
	require.NoError(t, err)
	defer file.Close()
	var lines []string
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		require.True(t, json.Valid(scanner.Bytes()), scanner.Text())
		lines = append(lines, scanner.Text())
	}
	for _, op := range []string{"create_container", "put_artifact", "get_artifact"} {
		assert.Equal(t, 1, strings.Count(strings.Join(lines, "\n"), `"`+op+`"`), op)
	}
	assert.NotContains(t, strings.Join(lines, "\n"), secretKey)
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, 200, response.StatusCode, string(body))
	return string(body)
}

func TestIdempotentCreate(t *testing.T) {
	t.Parallel()
	c := newSDK(startServer(t, "-idempotent-create").endpoint)
	mustCreate(t, c, "bucket")
	mustCreate(t, c, "bucket")
}
