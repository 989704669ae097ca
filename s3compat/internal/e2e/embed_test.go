package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const embedderModule = `module example.test/embedder

go 1.25.0

require github.com/vaultaire/vaultaire v0.0.0

replace github.com/vaultaire/vaultaire => %DIR%
`

const embedderProgram = `package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/embedded"
	"github.com/vaultaire/vaultaire/metrics"
	"github.com/vaultaire/vaultaire/s3compat"
	"github.com/vaultaire/vaultaire/tenant"
)

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string) (err error) {
	eng, err := embedded.Open(ctx, dir, engine.WithSink(metrics.New()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eng.Close(ctx)) }()
	var handler http.Handler
	handler, err = s3compat.New(eng, s3compat.WithCredentials(s3compat.StaticCredentials(s3compat.Credential{
		AccessKey: "A", SecretKey: "S", Tenant: tenant.Default, Principal: tenant.Principal{ID: "me"}})))
	if err != nil {
		return err
	}
	_ = s3compat.Mount("/s3", handler, http.NewServeMux())
	if _, err := eng.CreateContainer(ctx, "letters", engine.CreateContainerOptions{}); err != nil {
		return err
	}
	if _, err := eng.Put(ctx, "letters", "a/b", strings.NewReader("stored and read"), engine.PutOptions{}); err != nil {
		return err
	}
	r, err := eng.Get(ctx, "letters", "a/b", engine.GetOptions{})
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(os.Stdout, r)
	return err
}
`

// TestOtherModulesCanEmbedUs builds a module outside of the repository that
// imports us, with no help from any go.mod of ours but the root's.
func TestOtherModulesCanEmbedUs(t *testing.T) {
	t.Parallel()
	repository := strings.TrimSpace(goCommand(t, ".", "list", "-m", "-f", "{{.Dir}}", "github.com/vaultaire/vaultaire"))
	// The sums are those that the checksum database would give.
	sums, err := os.ReadFile(filepath.Join(repository, "go.sum"))
	require.NoError(t, err)
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod":  strings.ReplaceAll(embedderModule, "%DIR%", repository),
		"go.sum":  string(sums),
		"main.go": embedderProgram,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	program := filepath.Join(t.TempDir(), "embedder")
	goCommand(t, dir, "build", "-o", program, ".")
	out, err := exec.CommandContext(t.Context(), program, t.TempDir()).CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, "stored and read", string(out))

	linked := goCommand(t, dir, "list", "-deps", ".")
	require.Contains(t, linked, "github.com/vaultaire/vaultaire/s3compat\n")
	for _, unwanted := range []string{"/aws-sdk-go", "/testify", "/go-cmp", "\ntesting\n"} {
		assert.NotContains(t, linked, unwanted, "what only tests need stays away from embedders")
	}
}

// goCommand runs the go command in dir and returns what it printed.
func goCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if dir != "." {
		cmd.Env = append(cmd.Env, "GOFLAGS=-mod=mod")
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%v\n%s%s", cmd, out, stderr.String())
	return string(out)
}
