package vaultaire_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"log"
	"maps"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/embedded"
)

// This file holds the project to the rules of its design that a program can
// check. Each rule is a function that returns what breaks it; the first test of
// a rule applies it to the project, the second to small sources that break it.

// ---- Top level --------------------------------------------------------------

var topLevel = []string{
	"engine", "driver", "container", "event", "tenant", "metrics", "s3compat", "examples",
	"doc.go", "README.md", "LICENSE", "go.mod", "go.sum", "layout_test.go",
}

// checkTopLevel checks the names in the project's folder. Dot-files are free,
// and so is what matches one of ignored, the patterns of .gitignore.
func checkTopLevel(names, ignored []string) (broken []string) {
	isIgnored := func(name string) bool {
		return strings.HasPrefix(name, ".") || slices.ContainsFunc(ignored, func(pattern string) bool {
			ok, err := path.Match(strings.Trim(pattern, "/"), name)
			return ok && err == nil
		})
	}
	for _, name := range names {
		if !slices.Contains(topLevel, name) && !isIgnored(name) {
			broken = append(broken, name+": not one of the top-level names; put it below the package that needs it")
		}
	}
	for _, name := range topLevel {
		if !slices.Contains(names, name) {
			broken = append(broken, name+": missing at the top level")
		}
	}
	return broken
}

func TestTheTopLevelIsFixed(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	ignored, err := os.ReadFile(".gitignore")
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
	}
	report(t, checkTopLevel(names, strings.Fields(string(ignored))))
}

func TestCheckTopLevelFindsWhatBreaksIt(t *testing.T) {
	t.Parallel()
	ignored := []string{"/data/", "*.prof"}
	assert.Empty(t, checkTopLevel(append([]string{".git", "data", "cpu.prof"}, topLevel...), ignored))
	assert.Len(t, checkTopLevel(append([]string{"pkg"}, topLevel...), ignored), 1)
	assert.Len(t, checkTopLevel(topLevel[1:], ignored), 1)
}

// ---- Import directions ------------------------------------------------------

// A listed package is one of ours, as go list tells of it.
type listed struct {
	name    string   // its path below the module, such as "engine/catalog"; "." is the root
	imports []string // what it imports
	deps    []string // what it links, directly or not
}

// An importRule says what the packages that match a pattern may link; the first
// rule that matches a package counts. In patterns, "a/..." matches a and all
// below it, and "a/*test" suites for testing below a.
type importRule struct {
	packages string
	ours     []string // patterns of our packages
	foreign  bool     // packages of other modules
	http     bool     // net/http
	heavy    []string // modules that most embedders should not have to link
}

func importRules() []importRule {
	const pebble, prometheus = "github.com/cockroachdb/pebble", "github.com/prometheus"
	var (
		words   = []string{"container", "tenant", "event"}
		drivers = []string{"container", "driver/..."}
		engine  = []string{"container", "tenant", "event", "driver/...", "engine/..."}
		heavy   = []string{pebble, prometheus} // Pebble links Prometheus
	)
	return []importRule{
		{packages: "."},
		{packages: "container/...", ours: []string{"container/..."}},
		{packages: "tenant"},
		{packages: "tenant/tenanthttp", ours: []string{"tenant"}, http: true},
		{packages: "event/*test", ours: words, foreign: true, http: true},
		{packages: "event/webhook", ours: words, http: true},
		{packages: "event/...", ours: append(words, "event/...")},
		{packages: "driver", ours: []string{"container", "driver/internal/..."}},
		{packages: "driver/*test", ours: drivers, foreign: true, http: true},
		{packages: "driver/...", ours: drivers, foreign: true},
		{packages: "engine/catalog/pebblestore/...", ours: engine, foreign: true, http: true, heavy: heavy},
		{packages: "engine/embedded", ours: engine, foreign: true, http: true, heavy: heavy},
		{packages: "engine/*test", ours: engine, foreign: true, http: true},
		{packages: "engine/...", ours: engine, foreign: true},
		{packages: "metrics/...", ours: append(words, "metrics/..."), foreign: true, http: true, heavy: []string{prometheus}},
		{packages: "s3compat/...", ours: append(engine, "s3compat/..."), foreign: true, http: true},
		{packages: "examples/...", ours: []string{"..."}, foreign: true, http: true, heavy: heavy},
	}
}

func matchesPackage(pattern, name string) bool {
	if below, ok := strings.CutSuffix(pattern, "..."); ok {
		return strings.HasPrefix(name+"/", below)
	}
	if below, ok := strings.CutSuffix(pattern, "*test"); ok {
		return strings.HasPrefix(name, below) && strings.HasSuffix(name, "test")
	}
	return pattern == name
}

// checkImports checks what our packages link. module is the path of ours.
func checkImports(module string, packages []listed) (broken []string) {
	rules := importRules()
	for _, p := range packages {
		i := slices.IndexFunc(rules, func(r importRule) bool { return matchesPackage(r.packages, p.name) })
		if i < 0 {
			broken = append(broken, p.name+": no rule for it; add one to importRules")
			continue
		}
		for _, dep := range p.deps {
			if why := rules[i].refuse(module, dep); why != "" {
				broken = append(broken, fmt.Sprintf("%s: links %s, %s; see with go mod why or go list -deps", p.name, dep, why))
			}
		}
		for _, imported := range p.imports {
			if strings.HasPrefix(imported, "github.com/cockroachdb/pebble") && !matchesPackage("engine/catalog/pebblestore/...", p.name) {
				broken = append(broken, p.name+": imports "+imported+"; only what is below engine/catalog/pebblestore may")
			}
		}
	}
	return broken
}

// refuse says why the rule forbids to link dep; "" if it does not.
func (r importRule) refuse(module, dep string) string {
	first, _, _ := strings.Cut(dep, "/")
	name, ours := strings.CutPrefix(dep, module+"/")
	switch {
	case ours:
		if !slices.ContainsFunc(r.ours, func(pattern string) bool { return matchesPackage(pattern, name) }) {
			return "which is not below it"
		}
	case dep == "net/http":
		if !r.http {
			return "which embedders should not have to"
		}
	case !strings.Contains(first, "."): // the standard library
	case !r.foreign:
		return "but may link the standard library only"
	case strings.HasPrefix(dep, "github.com/cockroachdb/pebble"), strings.HasPrefix(dep, "github.com/prometheus"):
		if !slices.ContainsFunc(r.heavy, func(m string) bool { return strings.HasPrefix(dep, m) }) {
			return "which embedders should not have to"
		}
	}
	return ""
}

func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	module := modulePath(t)
	list := exec.CommandContext(t.Context(), "go", "list",
		"-f", `{{.ImportPath}}|{{join .Imports " "}}|{{join .Deps " "}}`, "./...")
	var stderr strings.Builder
	list.Stderr = &stderr
	out, err := list.Output()
	require.NoError(t, err, stderr.String())
	var packages []listed
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(line, "|")
		name := strings.TrimPrefix(strings.TrimPrefix(fields[0], module), "/")
		packages = append(packages, listed{cmp.Or(name, "."), strings.Fields(fields[1]), strings.Fields(fields[2])})
	}
	report(t, checkImports(module, packages))
}

// modulePath returns the path that go.mod gives the module.
func modulePath(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	for line := range strings.Lines(string(content)) {
		if module, ok := strings.CutPrefix(line, "module "); ok {
			return strings.TrimSpace(module)
		}
	}
	t.Fatal("go.mod names no module")
	return ""
}

func TestCheckImportsFindsWhatBreaksIt(t *testing.T) {
	t.Parallel()
	const pebble, prometheus = "github.com/cockroachdb/pebble/v2", "github.com/prometheus/client_golang/prometheus"
	for name, good := range map[string][]string{
		"container":                  {"errors", "vendor/golang.org/x/net"},
		"event":                      {"m.org/m/container", "m.org/m/tenant"},
		"event/eventtest":            {"m.org/m/event", "testing"},
		"tenant/tenanthttp":          {"m.org/m/tenant", "net/http"},
		"driver/local":               {"m.org/m/driver", "m.org/m/container", "golang.org/x/sys/unix"},
		"engine":                     {"m.org/m/driver", "m.org/m/event", "m.org/m/engine/catalog", "golang.org/x/sync"},
		"engine/catalog/pebblestore": {pebble, prometheus, "net/http", "m.org/m/engine/catalog"},
		"metrics":                    {"m.org/m/event", prometheus},
		"s3compat":                   {"m.org/m/engine", "net/http", "m.org/m/s3compat/internal/sigv4"},
		"examples/server":            {"m.org/m/s3compat", "m.org/m/metrics", pebble},
	} {
		assert.Empty(t, checkImports("m.org/m", []listed{{name: name, deps: good}}), name)
	}
	for _, bad := range [][2]string{
		{".", "m.org/m/engine"}, {"container", "m.org/m/tenant"}, {"tenant", "m.org/m/container"},
		{"container", "golang.org/x/sync"}, {"event", "m.org/m/engine"}, {"event", "m.org/m/driver"},
		{"tenant", "net/http"}, {"event", "net/http"}, {"driver", "m.org/m/driver/local"}, {"driver", "golang.org/x/sys"},
		{"driver/local", "m.org/m/event"}, {"driver/local", "net/http"}, {"driver/drivertest", "m.org/m/engine"},
		{"engine", "m.org/m/s3compat"}, {"engine", "net/http"}, {"engine", pebble}, {"engine/catalog", prometheus},
		{"engine", "m.org/m/metrics"}, {"metrics", "m.org/m/engine"}, {"metrics", pebble}, {"s3compat", pebble},
		{"s3compat", "m.org/m/examples/server"}, {"elsewhere", "errors"},
	} {
		assert.Len(t, checkImports("m.org/m", []listed{{name: bad[0], deps: []string{bad[1]}}}), 1, "%v", bad)
	}
	assert.Len(t, checkImports("m.org/m", []listed{{name: "engine/embedded", imports: []string{pebble}}}), 1)
}

// ---- Sources ----------------------------------------------------------------

// A source is a parsed file of the project.
type source struct {
	name string // slash-separated, from the top level
	file *ast.File
}

func (s source) dir() string  { return path.Dir(s.name) }
func (s source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

// isLibrary reports whether users import the file's package.
func (s source) isLibrary() bool { return !s.isTest() && s.file.Name.Name != "main" }

type sources struct {
	fset  *token.FileSet
	files []source
}

// parse parses files, given by name, in the order of their names.
func parse(t *testing.T, files map[string]string) *sources {
	t.Helper()
	all := &sources{fset: token.NewFileSet()}
	for name, text := range files {
		file, err := parser.ParseFile(all.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		all.files = append(all.files, source{name, file})
	}
	slices.SortFunc(all.files, func(a, b source) int { return strings.Compare(a.name, b.name) })
	return all
}

// project parses every Go file of the project, those of nested modules too.
func project(t *testing.T) *sources {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if base := path.Base(name); name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || name == "data") {
				return fs.SkipDir
			}
		case strings.HasSuffix(name, ".go"):
			text, err := os.ReadFile(name)
			files[name] = string(text)
			return err
		}
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return parse(t, files)
}

// at returns a complaint about what is at pos.
func (all *sources) at(pos token.Pos, format string, args ...any) string {
	p := all.fset.Position(pos)
	return fmt.Sprintf("%s:%d: %s", p.Filename, p.Line, fmt.Sprintf(format, args...))
}

func report(t *testing.T, broken []string) {
	t.Helper()
	for _, complaint := range broken {
		t.Error(complaint)
	}
}

// A sourceRule is checked on the sources alone.
type sourceRule func(all *sources) (broken []string)

func TestSourcesFollowTheRules(t *testing.T) {
	t.Parallel()
	all := project(t)
	for name, check := range map[string]sourceRule{
		"vocabulary":             checkVocabulary,
		"context first":          checkContextFirst,
		"no bytes in signatures": checkBytes,
		"no globals that change": checkGlobals,
		"decoders are fuzzed":    checkDecoders,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report(t, check(all))
		})
	}
}

// A ruleCase is a small project and the lines of it that break a rule.
type ruleCase struct {
	name, text string
	want       []int
}

func testRule(t *testing.T, check sourceRule, cases []ruleCase) {
	t.Helper()
	for _, c := range cases {
		var want []string
		for _, line := range c.want {
			want = append(want, fmt.Sprintf("%s:%d", c.name, line))
		}
		var got []string
		for _, complaint := range check(parse(t, map[string]string{c.name: c.text})) {
			place, _, _ := strings.Cut(complaint, ": ")
			got = append(got, place)
		}
		assert.Equal(t, want, got, c.text)
	}
}

// ---- Vocabulary -------------------------------------------------------------

// A forbidden word is one that we say another word for. A name is split into
// words before it is compared, so "subject" and "objective" are fine.
type forbidden struct {
	word    *regexp.Regexp // of a word in lower case
	instead string
	where   []string // folders in which the word is right
}

func vocabulary() []forbidden {
	s3 := []string{"s3compat/...", "driver/s3/..."}
	return []forbidden{
		{regexp.MustCompile(`bucket`), "container", s3},
		{regexp.MustCompile(`^objects?$`), "artifact", s3},
		{regexp.MustCompile(`backend`), "driver", nil},
	}
}

// checkVocabulary checks the names of files, the identifiers that they declare,
// and their comments.
func checkVocabulary(all *sources) (broken []string) {
	words := vocabulary()
	for _, s := range all.files {
		complain := func(pos token.Pos, what, text string) {
			for _, word := range splitWords(text) {
				for _, f := range words {
					right := slices.ContainsFunc(f.where, func(w string) bool { return matchesPackage(w, s.dir()) })
					if !right && f.word.MatchString(word) {
						broken = append(broken, all.at(pos, "%s says %q; say %q", what, word, f.instead))
					}
				}
			}
		}
		complain(s.file.Package, "name of the file", s.name)
		for _, id := range declared(s.file) {
			complain(id.Pos(), "identifier "+id.Name, id.Name)
		}
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				pos := c.Pos()
				for line := range strings.Lines(c.Text) {
					complain(pos, "comment", quoted.ReplaceAllString(line, ""))
					pos += token.Pos(len(line))
				}
			}
		}
	}
	return broken
}

// quoted matches what a comment quotes: names of other packages, which have a
// dot in them, and text between quotation marks.
var quoted = regexp.MustCompile(`"[^"]*"|\w+(\.\w+)+`)

// splitWords splits text into words in lower case: at whatever is not a letter
// and where mixedCaps and HTTPNames begin a new one.
func splitWords(text string) []string {
	runes := []rune(text)
	var b strings.Builder
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r):
			r = ' '
		case unicode.IsUpper(r) && i > 0 &&
			(unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])):
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.Fields(b.String())
}

// declared returns the identifiers that a file declares.
func declared(file *ast.File) []*ast.Ident {
	ids := []*ast.Ident{file.Name}
	add := func(exprs ...ast.Expr) {
		for _, e := range exprs {
			if id, ok := e.(*ast.Ident); ok {
				ids = append(ids, id)
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			if n.Name != nil {
				add(n.Name)
			}
		case *ast.FuncDecl:
			add(n.Name)
		case *ast.TypeSpec:
			add(n.Name)
		case *ast.ValueSpec:
			ids = append(ids, n.Names...)
		case *ast.Field:
			ids = append(ids, n.Names...)
		case *ast.LabeledStmt:
			add(n.Label)
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				add(n.Lhs...)
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				add(n.Key, n.Value)
			}
		}
		return true
	})
	return ids
}

func TestCheckVocabularyFindsWhatBreaksIt(t *testing.T) {
	t.Parallel()
	testRule(t, checkVocabulary, []ruleCase{
		{"engine/a.go", "package engine\nvar bucketName, theBuckets, BUCKET int", []int{2, 2, 2}},
		{"engine/a.go", "package engine\ntype S3Object struct{ objects int }", []int{2, 2}},
		{"engine/a.go", "package engine\nfunc f(fooBackend int) { for object := range 3 { bucket := object; _ = bucket } }", []int{2, 2, 2}},
		{"engine/a.go", "package engine\ntype T[Object any] interface{ GetHTTPObject() }", []int{2, 2}},
		{"engine/a.go", "package engine\nimport backend \"x\"\nfunc f() {\nbucket:\n\tgoto bucket\n}", []int{2, 4}},
		{"engine/a_test.go", "package engine\n// Each object.\n/* a\nb\nbackends */", []int{2, 5}},
		{"engine/object_store.go", "package engine", []int{1}},
		{"s3compat/a.go", "package s3compat\nvar bucket, object, backend int", []int{2}},
		{"s3compat/internal/a.go", "package internal\n// A bucket of objects.", nil},
		{"driver/s3/a.go", "package s3\nvar bucket int", nil},
		{"driver/s3x/a.go", "package s3x\nvar bucket int", []int{2}},
		{"engine/a.go", "package engine\nvar subject, objective, rejected = x.Bucket, y{Buckets: 1}, z.Object()", nil},
		{"engine/a.go", "package engine\n// As prometheus.HistogramOpts.Buckets; such as \"PutObject\"; the objective.", nil},
	})
}

// ---- Signatures -------------------------------------------------------------

// A signature is that of an exported function or method, of a method of an
// exported interface, or of an exported function type.
type signature struct {
	name     string // as in "engine/catalog.Store.Update"
	receiver string // name of its type; "" for a function
	method   string // name without the rest
	pos      token.Pos
	*ast.FuncType
}

// signatures returns the signatures of all libraries.
func (all *sources) signatures() (sigs []signature) {
	for _, s := range all.files {
		if !s.isLibrary() {
			continue
		}
		add := func(receiver string, id *ast.Ident, t *ast.FuncType) {
			name := s.dir() + "." + strings.TrimPrefix(receiver+"."+id.Name, ".")
			if id.IsExported() {
				sigs = append(sigs, signature{name, receiver, id.Name, id.Pos(), t})
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				add(receiverOf(n), n.Name, n.Type)
				return false // what it declares inside is nobody else's
			case *ast.TypeSpec:
				switch typ := n.Type.(type) {
				case *ast.FuncType:
					add("", n.Name, typ)
				case *ast.InterfaceType:
					for _, m := range typ.Methods.List {
						if t, ok := m.Type.(*ast.FuncType); ok && n.Name.IsExported() {
							add(n.Name.Name, m.Names[0], t)
						}
					}
				}
			}
			return true
		})
	}
	return sigs
}

// receiverOf returns the name of the type that f is a method of.
func receiverOf(f *ast.FuncDecl) (name string) {
	if f.Recv == nil {
		return ""
	}
	ast.Inspect(f.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return name == ""
	})
	return name
}

// checkContextFirst checks that a context, if there is one, is the first
// parameter. Only the test in a suite for testing may come before it.
func checkContextFirst(all *sources) (broken []string) {
	for _, sig := range all.signatures() {
		for i, param := range sig.Params.List {
			if i > 0 && isSelector(param.Type, "context", "Context") && !isTesting(sig.Params.List[0].Type) {
				broken = append(broken, all.at(sig.pos, "%s takes a context.Context that is not its first parameter; move it there", sig.name))
			}
		}
	}
	return broken
}

func isTesting(t ast.Expr) bool {
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	return isSelector(t, "testing", "")
}

// isSelector reports whether e is pkg.name, or any name of pkg if name is "".
func isSelector(e ast.Expr, pkg, name string) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == pkg && (name == "" || sel.Sel.Name == name)
}

func TestCheckContextFirstFindsWhatBreaksIt(t *testing.T) {
	t.Parallel()
	testRule(t, checkContextFirst, []ruleCase{
		{"a/a.go", "package a\nfunc F(x int, ctx context.Context) {}", []int{2}},
		{"a/a.go", "package a\nfunc (t *T[K]) F(x int, ctx context.Context) {}", []int{2}},
		{"a/a.go", "package a\nfunc (t t) F(x int, ctx context.Context) {}", []int{2}},
		{"a/a.go", "package a\ntype I interface {\n\tM(x int, ctx context.Context)\n}", []int{3}},
		{"a/a.go", "package a\ntype F func(x int, ctx context.Context)", []int{2}},
		{"a/a.go", "package a\nfunc F(ctx context.Context, x int) {}\nfunc G() {}\nfunc H(x int) {}", nil},
		{"a/a.go", "package a\nfunc F(x int) context.Context { return nil }", nil},
		{"a/a.go", "package a\nfunc f(x int, ctx context.Context) {}", nil},
		{"a/a.go", "package a\nfunc Run(t *testing.T, ctx context.Context) {}", nil},
		{"a/a.go", "package main\nfunc F(x int, ctx context.Context) {}", nil},
		{"a/a_test.go", "package a\nfunc F(x int, ctx context.Context) {}", nil},
	})
}

// bytesAllowed lists the signatures that may have bytes in them, by patterns of
// their names, and why no artifact's body passes there.
func bytesAllowed() map[string]string {
	return map[string]string{
		"engine/catalog.Reader.*":   "keys and values of rows",
		"engine/catalog.Txn.*":      "keys and values of rows",
		"engine/catalog.Iterator.*": "keys and values of rows",
		"engine/catalog.*Trailer*":  "what ends a blob, of bounded length",
		"driver.Source.Fill":        "a buffer to read into, as that of io.Reader",
	}
}

// wellKnown are methods of interfaces of the standard library that have bytes
// in them: those of package io, encoding and hash.
func wellKnown() []string {
	return []string{
		"Read", "Write", "ReadAt", "WriteAt", "Sum", "AppendText", "AppendBinary",
		"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "MarshalBinary", "UnmarshalBinary",
	}
}

// checkBytes checks that no signature takes or returns bytes: artifacts' bodies
// pass as io.Reader, and what else is bytes is on a list.
func checkBytes(all *sources) (broken []string) {
	for _, sig := range all.signatures() {
		if sig.receiver != "" && (!ast.IsExported(sig.receiver) || slices.Contains(wellKnown(), sig.method)) {
			continue
		}
		allowed := false
		for pattern := range bytesAllowed() {
			if ok, err := path.Match(pattern, sig.name); ok && err == nil {
				allowed = true
			}
		}
		if !allowed && hasBytes(sig.FuncType) {
			broken = append(broken, all.at(sig.pos, "%s has []byte in its signature; pass an artifact's bytes as io.Reader, "+
				"or add %q to bytesAllowed and say what they are instead", sig.name, sig.name))
		}
	}
	return broken
}

func hasBytes(t *ast.FuncType) (found bool) {
	ast.Inspect(t, func(n ast.Node) bool {
		var elem ast.Expr
		switch n := n.(type) {
		case *ast.ArrayType:
			if n.Len == nil {
				elem = n.Elt
			}
		case *ast.Ellipsis:
			elem = n.Elt
		}
		if id, ok := elem.(*ast.Ident); ok && (id.Name == "byte" || id.Name == "uint8") {
			found = true
		}
		return !found
	})
	return found
}

func TestCheckBytesFindsWhatBreaksIt(t *testing.T) {
	t.Parallel()
	testRule(t, checkBytes, []ruleCase{
		{"a/a.go", "package a\nfunc F(b []byte) {}\nfunc G() ([]uint8, error) { return nil, nil }\nfunc H(b ...byte) {}", []int{2, 3, 4}},
		{"a/a.go", "package a\nfunc (e *E) Put(m map[string][]byte) {}\nfunc (e E) Get(f func([]byte)) {}", []int{2, 3}},
		{"a/a.go", "package a\ntype I interface {\n\tM([]byte)\n\tRead(b []byte) (int, error)\n}", []int{3}},
		{"a/a.go", "package a\ntype F func([]byte)\ntype G func([]string)", []int{2}},
		{"a/a.go", "package a\nfunc Read(b []byte) {}", []int{2}},
		{"a/a.go", "package a\nfunc F(a [16]byte, b byte, c string, d io.Reader) {}\nfunc f(b []byte) {}", nil},
		{"a/a.go", "package a\nfunc (r *R) Read(b []byte) (int, error) { return 0, nil }\nfunc (t t) F(b []byte) {}", nil},
		{"a/a.go", "package main\nfunc F(b []byte) {}", nil},
		{"engine/catalog/a.go", "package catalog\ntype Txn interface {\n\tSet(key, value []byte)\n}\nfunc Set(b []byte) {}", []int{5}},
	})
}

// ---- Globals ----------------------------------------------------------------

// checkGlobals checks that there is no init function, and that nothing changes
// a variable of a package after its declaration.
func checkGlobals(all *sources) (broken []string) {
	packages := map[string][]*ast.File{}
	for _, s := range all.files {
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				broken = append(broken, all.at(f.Pos(), "init function; let the caller call what it does, or compute a variable in its declaration"))
			}
		}
		if !s.isTest() {
			packages[s.dir()] = append(packages[s.dir()], s.file)
			broken = append(broken, all.checkSyncGlobals(s.file)...)
		}
	}
	dirs := slices.Sorted(maps.Keys(packages))
	for _, dir := range dirs {
		broken = append(broken, all.checkAssignments(packages[dir])...)
	}
	return broken
}

// checkSyncGlobals finds variables of a package that are meant to change: those
// of types of sync and sync/atomic. A sync.Pool is fine, as nobody can tell
// whether it has changed.
func (all *sources) checkSyncGlobals(file *ast.File) (broken []string) {
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			v, ok := spec.(*ast.ValueSpec)
			if !ok {
				continue
			}
			for _, e := range append([]ast.Expr{v.Type}, v.Values...) {
				if isSyncType(e) {
					broken = append(broken, all.at(v.Pos(), "variable %s of a package is made to change; make it a field", v.Names[0].Name))
				}
			}
		}
	}
	return broken
}

// isSyncType reports whether e is a type of sync or atomic, or a literal of it.
func isSyncType(e ast.Expr) bool {
	switch t := e.(type) {
	case *ast.UnaryExpr:
		return isSyncType(t.X)
	case *ast.StarExpr:
		return isSyncType(t.X)
	case *ast.IndexExpr:
		return isSyncType(t.X)
	case *ast.CompositeLit:
		return isSyncType(t.Type)
	}
	return isSelector(e, "sync", "") && !isSelector(e, "sync", "Pool") || isSelector(e, "atomic", "")
}

// checkAssignments finds assignments to variables of the package that files
// make up, to what is in them, and to those of packages that they import.
func (all *sources) checkAssignments(files []*ast.File) (broken []string) {
	// Without the packages that it imports, a package has many type errors,
	// but its identifiers still find their declarations.
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: noImporter{}, Error: func(error) {}}
	pkg, _ := config.Check(files[0].Name.Name, all.fset, files, &info)

	assigned := func(targets ...ast.Expr) {
		for _, target := range targets {
			id := root(target)
			switch used := info.Uses[id].(type) {
			case *types.Var:
				if used.Parent() == pkg.Scope() {
					broken = append(broken, all.at(id.Pos(), "changes %s, a variable of the package; make it a field", id.Name))
				}
			case *types.PkgName:
				broken = append(broken, all.at(id.Pos(), "changes a variable of package %s, which is not ours", id.Name))
			}
		}
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					assigned(n.Lhs...)
				}
			case *ast.IncDecStmt:
				assigned(n.X)
			case *ast.RangeStmt:
				if n.Tok == token.ASSIGN {
					assigned(n.Key, n.Value)
				}
			}
			return true
		})
	}
	return broken
}

// root returns the variable that an assignment to target changes; nil if that
// is not a variable's.
func root(target ast.Expr) *ast.Ident {
	switch t := target.(type) {
	case *ast.Ident:
		return t
	case *ast.ParenExpr:
		return root(t.X)
	case *ast.StarExpr:
		return root(t.X)
	case *ast.IndexExpr:
		return root(t.X)
	case *ast.SelectorExpr:
		return root(t.X)
	}
	return nil
}

// noImporter is an importer that finds nothing.
type noImporter struct{}

func (noImporter) Import(name string) (*types.Package, error) {
	return nil, fmt.Errorf("%s: %w", name, errors.ErrUnsupported)
}

func TestCheckGlobalsFindsWhatBreaksIt(t *testing.T) {
	t.Parallel()
	testRule(t, checkGlobals, []ruleCase{
		{"a/a.go", "package a\nfunc init() {}", []int{2}},
		{"a/a_test.go", "package a\nfunc init() {}", []int{2}},
		{"a/a.go", "package a\nvar x int\nfunc f() {\n\tx = 1\n\tx++\n\tx += 2\n\tfor x = range 3 {\n\t}\n}", []int{4, 5, 6, 7}},
		{"a/a.go", "package a\nvar m, p = map[string]int{}, &struct{ f int }{}\nfunc f() {\n\tm[\"\"] = 1\n\tp.f = 1\n\t(*p).f = 1\n}", []int{4, 5, 6}},
		{"a/a.go", "package a\nimport \"net/http\"\nfunc f() { http.DefaultClient = nil }", []int{3}},
		{"a/a.go", "package a\nvar mu sync.Mutex\nvar n = &atomic.Int64{}\nvar p atomic.Pointer[int]\nvar once = sync.Once{}\nvar pool = sync.Pool{}", []int{2, 3, 4, 5}},
		{"a/a.go", "package a\nvar x = errors.New(\"\")\nvar _ I = T{}\nfunc f(y int) (z int) {\n\tx := 1\n\tx = 2\n\ty, z = x, 3\n\treturn\n}", nil},
		{"a/a.go", "package a\nfunc (t *T) init() {}\nfunc (t *T) f() { t.x = 1; t.m[0] = 2; *t.p = 3; t.g().x = 4 }", nil},
		{"a/a_test.go", "package a\nvar sink int\nfunc f() { sink = 1 }", nil},
	})
	// A variable may be declared in another file than it is changed in.
	assert.Len(t, checkGlobals(parse(t, map[string]string{
		"a/a.go": "package a\nvar x int",
		"a/b.go": "package a\nfunc f() { x = 1 }",
		"b/a.go": "package b\nfunc f(x int) { x = 1 }",
	})), 1)
}

// ---- Decoders ---------------------------------------------------------------

// decoders matches the names of functions that take apart what was written
// elsewhere: a disk, a client, a configuration.
var decoders = regexp.MustCompile(`^(parse|decode|unmarshal)($|[A-Z])`)

// notFuzzed lists decoders that no fuzz target needs to reach, and why.
func notFuzzed() map[string]string {
	return map[string]string{
		"engine/catalog/pebblestore.decodeCounter": "it takes eight bytes or nothing",
		"s3compat/internal/sigv4.decodeHex":        "it takes 64 digits and nothing else",
		"examples/server.parseFlags":               "what package flag accepts is for whoever starts the program to say",
	}
}

// checkDecoders checks that a fuzz target of its package, or what that calls,
// names each decoder.
func checkDecoders(all *sources) (broken []string) {
	functions := map[string][]*ast.FuncDecl{}
	for _, s := range all.files {
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				functions[s.dir()] = append(functions[s.dir()], f)
			}
		}
	}
	excused := notFuzzed()
	for _, s := range all.files {
		if s.isTest() {
			continue
		}
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !decoders.MatchString(strings.ToLower(f.Name.Name[:1])+f.Name.Name[1:]) {
				continue
			}
			name := s.dir() + "." + f.Name.Name
			if excused[name] == "" && !fuzzed(functions[s.dir()])[f.Name.Name] {
				broken = append(broken, all.at(f.Pos(), "no fuzz target reaches %s; call it from one, or add %q to notFuzzed and say why", f.Name.Name, name))
			}
		}
	}
	return broken
}

// fuzzed returns the names of all that the fuzz targets among functions reach:
// methods of whatever type by their names alone, and those of interfaces of the
// standard library in any case, because it is the library that calls them.
func fuzzed(functions []*ast.FuncDecl) map[string]bool {
	byName := map[string][]*ast.FuncDecl{}
	for _, f := range functions {
		byName[f.Name.Name] = append(byName[f.Name.Name], f)
	}
	reached := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if reached[name] {
			return
		}
		reached[name] = true
		for _, f := range byName[name] {
			ast.Inspect(f, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && byName[id.Name] != nil {
					visit(id.Name)
				}
				return true
			})
		}
	}
	for name := range byName {
		if strings.HasPrefix(name, "Fuzz") {
			visit(name)
			for _, method := range []string{"Read", "Write"} {
				visit(method)
			}
		}
	}
	return reached
}

func TestCheckDecodersFindsWhatBreaksIt(t *testing.T) {
	t.Parallel()
	testRule(t, checkDecoders, []ruleCase{
		{"a/a.go", "package a\nfunc parseX() {}\nfunc (x X) Decode() {}\nfunc (m *M) UnmarshalText() {}\nfunc parser() {}\nfunc decodedLength() {}", []int{2, 3, 4}},
		{"examples/server/a.go", "package main\nfunc parseFlags() {}\nfunc parseKeys() {}", []int{3}},
	})
	assert.Len(t, checkDecoders(parse(t, map[string]string{
		"a/a.go":      "package a\nfunc parseX() { parseY() }\nfunc parseY() {}\nfunc parseZ() {}",
		"a/a_test.go": "package a\nfunc FuzzX(f *testing.F) { check(f) }\nfunc check(f *testing.F) { parseX() }\nfunc TestZ() { parseZ() }",
		"b/b_test.go": "package b\nfunc FuzzZ() { parseZ() }",
	})), 1)
}

// An engine in one directory keeps a few bytes and gives them back.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "vaultaire")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	eng, err := embedded.Open(ctx, dir)
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Close(ctx)
	if _, err := eng.CreateContainer(ctx, "letters", engine.CreateContainerOptions{}); err != nil {
		log.Fatal(err)
	}
	if _, err := eng.Put(ctx, "letters", "hello.txt", strings.NewReader("Hello!"), engine.PutOptions{}); err != nil {
		log.Fatal(err)
	}
	r, err := eng.Get(ctx, "letters", "hello.txt", engine.GetOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	_, _ = io.Copy(os.Stdout, r)
	// Output: Hello!
}
