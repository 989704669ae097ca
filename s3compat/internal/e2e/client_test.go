package e2e

import (
	"bytes"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// largeSize is above what the clients would upload in parts by default.
const largeSize = 24 << 20

// A client is a command line program that speaks S3, in an environment that
// holds nothing but what the test put there.
type client struct {
	program string
	always  []string // arguments of every call
	home    string   // its HOME, and its working directory
	env     []string
}

// findClient returns the client of that name or path. Where it is missing the
// test is skipped, or fails if CI=true.
func findClient(t *testing.T, program string, env ...string) *client {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("CI") == "true" {
			require.Fail(t, "a client is missing", "%s: %v", program, err)
		}
		t.Skipf("%s is not installed: %v", program, err)
	}
	home := t.TempDir()
	return &client{program: path, home: home, env: append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + t.TempDir(),
		"LANG=C.UTF-8", "LC_ALL=C.UTF-8", "TZ=UTC", "NO_PROXY=127.0.0.1",
	}, env...)}
}

// config writes a file below the client's HOME.
func (c *client) config(t *testing.T, name, content string) {
	t.Helper()
	file := filepath.Join(c.home, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
}

// run runs the client, which must succeed, and returns what it printed.
func (c *client) run(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, err := c.try(t, args...)
	require.NoError(t, err, "%s %q\n%s%s", c.program, args, stdout, stderr)
	return stdout
}

// refused runs the client, which must fail, and returns what it said.
func (c *client) refused(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, err := c.try(t, args...)
	require.Error(t, err, "%s %q succeeded:\n%s%s", c.program, args, stdout, stderr)
	return stdout + stderr
}

func (c *client) try(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.program, slices.Concat(c.always, args)...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.home, c.env, &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// A tree is the files of a folder: their bytes by their slash-separated paths.
type tree map[string]string

// oddTree has the names that clients and servers like to get wrong. Its first
// file is empty: clients announce even that with Expect: 100-continue.
func oddTree() tree {
	t := tree{}
	for i, name := range []string{
		"plain.txt", "with space.txt", " leading and trailing ", "plus+plus.txt",
		"per%cent.txt", "per%20cent.txt", "per%2Fcent.txt", "ünï/cödé/日本語.txt", "🙂.txt",
		"semi;colon.txt", "what?.txt", "hash#tag.txt", "amp&ersand=1.txt", "quo'te.txt",
		`double"quote.txt`, "(paren)[bracket]{brace}.txt", "~tilde.txt", "at@colon:comma,.txt",
		"$dollar!.txt", "a/deep/er/file.txt", "a-sibling.txt", "a.dot/file", "-dash", "UPPER/lower",
		"<angle>.txt", "pipe|.txt", "caret^`.txt", "back\\slash.txt",
	} {
		t[name] = strings.Repeat(name+"\n", i)
	}
	return t
}

// sampleFiles are one small, one empty and one large file.
func sampleFiles() tree {
	large := make([]byte, largeSize)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(large)
	return tree{"small.txt": "hello\n", "empty": "", "large.bin": string(large)}
}

func (tr tree) write(t *testing.T, dir string) {
	t.Helper()
	for name, content := range tr {
		file := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
	}
}

func readTree(t *testing.T, dir string) tree {
	t.Helper()
	tr := tree{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		tr[filepath.ToSlash(name)] = string(content)
		return err
	}))
	return tr
}

// names returns the names in tr that begin with prefix, sorted.
func (tr tree) names(prefix string) []string {
	names := slices.Sorted(maps.Keys(tr))
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, prefix) })
}

// assertSameTree compares without printing megabytes.
func assertSameTree(t *testing.T, want, got tree) {
	t.Helper()
	assert.Equal(t, want.names(""), got.names(""))
	for name, content := range want {
		if other, ok := got[name]; ok && other != content {
			assert.Fail(t, "other bytes", "%q: %d bytes wanted, %d there", name, len(content), len(other))
		}
	}
}

func assertSameFile(t *testing.T, want string, file string) {
	t.Helper()
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	if string(got) != want {
		assert.Fail(t, "other bytes", "%s: %d bytes wanted, %d there", file, len(want), len(got))
	}
}
