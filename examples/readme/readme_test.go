// Package readme holds the README to what it says.
package readme

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	return string(b)
}

// blocks returns the code blocks of the README in the given language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	var list []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(readme(t), -1) {
		list = append(list, m[1])
	}
	require.NotEmpty(t, list)
	return list
}

func TestProgramsInTheReadmeRun(t *testing.T) {
	t.Parallel()
	ran := 0
	for _, code := range blocks(t, "go") {
		if !strings.HasPrefix(code, "package main\n") {
			continue
		}
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(code), 0o600))
		build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "program"), filepath.Join(dir, "main.go"))
		build.Dir = root
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s\n%s", out, code)
		if strings.Contains(code, "ListenAndServe") {
			continue // it would serve for ever; the end-to-end tests run servers
		}
		run := exec.CommandContext(t.Context(), filepath.Join(dir, "program"))
		run.Dir = dir
		out, err = run.CombinedOutput()
		require.NoError(t, err, "%s", out)
		for _, m := range regexp.MustCompile(`(?m)// prints: (.*)$`).FindAllStringSubmatch(code, -1) {
			assert.Contains(t, string(out), m[1])
		}
		ran++
	}
	require.Positive(t, ran)
}

// A block that is no program is an excerpt, to the letter, of a file that is
// compiled.
func TestExcerptsInTheReadmeAreReal(t *testing.T) {
	t.Parallel()
	var sources strings.Builder
	require.NoError(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") {
			b, readErr := os.ReadFile(path)
			sources.Write(b)
			return readErr
		}
		return err
	}))
	for _, code := range blocks(t, "go") {
		if !strings.HasPrefix(code, "package main\n") {
			assert.True(t, strings.Contains(sources.String(), code), "stands in no source file:\n%s", code)
		}
	}
}

func TestTheReadmeIsFinished(t *testing.T) {
	t.Parallel()
	for _, placeholder := range []string{"@@", "TODO", "TBD", "FIXME"} {
		assert.NotContains(t, readme(t), placeholder)
	}
}

func TestCommandsInTheReadmeNameWhatThereIs(t *testing.T) {
	t.Parallel()
	for _, script := range blocks(t, "sh") {
		for _, dir := range regexp.MustCompile(`\./[a-z/]+`).FindAllString(script, -1) {
			_, err := os.Stat(filepath.Join(root, strings.TrimSuffix(dir, "/...")))
			assert.NoError(t, err, script)
		}
	}
}
