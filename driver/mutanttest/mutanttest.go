// Package mutanttest tests crash tests: it takes one step of a protocol out of
// the source, or does it in the wrong order, and a crash test that does not fail
// of that is too weak.
//
//	suite := mutanttest.Suite{Package: "./driver/local", Test: "TestAPowerCut", Env: []string{"LOCAL_CRASH_STATES=20000"}}
//	suite.Run(t, []mutanttest.Mutant{{"no sync", []mutanttest.Edit{{"driver/local/put.go", "f.Sync()", "nil"}}}})
//
// The source stays as it is: the compiler is given other files in place of some.
package mutanttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A Mutant is a source with a fault.
type Mutant struct {
	Name  string
	Edits []Edit
}

// An Edit replaces a piece of text that is in a file once. File is named from
// the folder of the module.
type Edit struct {
	File, Old, New string
}

// A Suite is a test that must fail with each of some mutants. It logs "crash
// states: N, violations: V" before it ends.
type Suite struct {
	Package string   // path of the package from the folder of the module
	Test    string   // as go test -run takes it
	Env     []string // for the test, besides what there is
}

// Run runs the test once with each mutant, one after the other, and fails t for
// each that makes no violation. It logs "mutant NAME: caught after N states" for
// the others.
func (s Suite) Run(t *testing.T, mutants []Mutant) {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		var states int
		caught := t.Run(m.Name, func(t *testing.T) {
			if states, err = s.run(t, root, m); err != nil {
				t.Error(err)
			}
		})
		if caught && states > 0 {
			t.Logf("mutant %s: caught after %d states", m.Name, states)
		}
	}
}

// moduleRoot returns the folder that has go.mod, above that of the test.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no folder above has a go.mod")
		}
		dir = parent
	}
}

// run builds the test with a mutant and runs it. It returns how many states the
// test has looked at when it found a violation.
func (s Suite) run(t *testing.T, root string, m Mutant) (states int, err error) {
	dir := t.TempDir()
	overlay, err := m.overlay(root, dir)
	if err != nil {
		return 0, err
	}
	binary := filepath.Join(dir, "mutant.test")
	// Without what debuggers need, which takes as long as all else.
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", overlay, "-ldflags", "-s -w", "-o", binary, s.Package)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("it cannot be built: %w\n%s", err, out)
	}
	test := exec.CommandContext(t.Context(), binary, "-test.run", s.Test, "-test.v", "-test.timeout", "120s")
	test.Dir = filepath.Join(root, s.Package)
	test.Env = append(os.Environ(), s.Env...)
	out, failed := test.CombinedOutput()
	states, violations, err := statesIn(string(out))
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w\n%s", err, out)
	case failed == nil || violations == 0:
		return 0, fmt.Errorf("it survives %d states\n%s", states, out)
	}
	return states, nil
}

var result = regexp.MustCompile(`crash states: (\d+), violations: (\d+)`)

func statesIn(out string) (states, violations int, err error) {
	found := result.FindStringSubmatch(out)
	if found == nil {
		return 0, 0, errors.New("the test does not say how many states it has looked at")
	}
	states, err = strconv.Atoi(found[1])
	if err != nil {
		return 0, 0, err
	}
	violations, err = strconv.Atoi(found[2])
	return states, violations, err
}

// overlay writes the files of a mutant to dir, and returns a file that tells the
// compiler of them.
func (m Mutant) overlay(root, dir string) (string, error) {
	changed := make(map[string]string)
	for _, e := range m.Edits {
		path := filepath.Join(root, e.File)
		text, known := changed[path]
		if !known {
			b, err := os.ReadFile(path)
			if err != nil {
				return "", err
			}
			text = string(b)
		}
		if n := strings.Count(text, e.Old); n != 1 {
			return "", fmt.Errorf("%s has this %d times, and should have it once: %s", e.File, n, e.Old)
		}
		changed[path] = strings.Replace(text, e.Old, e.New, 1)
	}
	replace := make(map[string]string)
	for path, text := range changed {
		replace[path] = filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		if err := os.WriteFile(replace[path], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, list, 0o600)
}
