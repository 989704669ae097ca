package durability

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/event"
)

// A coverage is what a suite has come across: tables of the catalog, kinds of
// blobs, operations of the engine that succeeded. A suite that proves something
// of all of them ends with require. Its methods may be called concurrently.
type coverage struct {
	mu   sync.Mutex
	seen map[string]bool
}

func newCoverage() *coverage { return &coverage{seen: make(map[string]bool)} }

func (c *coverage) add(what ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range what {
		c.seen[w] = true
	}
}

// lookInto adds the tables that a store has rows of.
func (c *coverage) lookInto(ctx context.Context, store catalog.Store) error {
	return store.View(ctx, func(ctx context.Context, r catalog.Reader) error {
		it, err := r.Scan(ctx, []byte{0}, []byte{0xff})
		if err != nil {
			return err
		}
		defer it.Close()
		for ok := it.Next(); ok; ok = it.SeekGE([]byte{it.Key()[0] + 1}) {
			c.add(tableName(it.Key()[0]))
		}
		return it.Close()
	})
}

// tableName returns the name of the table whose keys begin with b.
func tableName(b byte) string { return fmt.Sprintf("table %q", b) }

// Record implements event.Sink: it adds the operation, if it succeeded.
func (c *coverage) Record(_ context.Context, e event.Event) {
	if e.Outcome == event.OK {
		c.add(operationName(e.Op))
	}
}

func operationName(op event.Op) string { return fmt.Sprintf("operation %s", op) }

// lookAt adds the kinds of the blobs that a driver has.
func (c *coverage) lookAt(ctx context.Context, d driver.Driver) error {
	for b, err := range d.List(ctx, "") {
		if err != nil {
			return err
		}
		c.add(blobKind(b.Ref))
	}
	return nil
}

// blobKind tells by its ref how driver/local keeps a blob.
func blobKind(ref driver.Ref) string {
	if strings.Contains(string(ref), "+") {
		return "segment record"
	}
	return "large file"
}

func blobKinds() []string { return []string{"large file", "segment record"} }

// require fails the test if the suite has not come across all that must be
// covered, but for what it is excused from, for the reasons given.
func (c *coverage) require(t *testing.T, excused map[string]string) {
	t.Helper()
	for _, complaint := range c.complaints(mustCover(t), excused) {
		t.Error("the suite " + complaint)
	}
}

func (c *coverage) complaints(must []string, excused map[string]string) (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, what := range must {
		switch {
		case excused[what] == "" && !c.seen[what]:
			all = append(all, "lacks "+what)
		case excused[what] != "" && c.seen[what]:
			all = append(all, "is excused from "+what+" and has it")
		}
	}
	return all
}

// mustCover returns what a suite that proves something of all that an engine
// keeps must come across.
func mustCover(t *testing.T) []string {
	t.Helper()
	return slices.Concat(catalogTables(t), blobKinds(), changingOperations())
}

// notWrittenYet are tables that have their place, and no rows yet, unless a
// driver is asynchronous.
func notWrittenYet() map[string]string {
	return map[string]string{
		tableName('p'): "there are no versions yet",
		tableName('u'): "drivers that wait for the disk need none",
	}
}

// catalogTables returns the tables that package catalog declares.
func catalogTables(t *testing.T) (tables []string) {
	t.Helper()
	files, err := filepath.Glob("../../catalog/*.go")
	require.NoError(t, err)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "table") {
				return true
			}
			if value, ok := spec.Values[0].(*ast.BasicLit); ok && value.Kind == token.CHAR {
				text, err := strconv.Unquote(value.Value)
				require.NoError(t, err)
				tables = append(tables, tableName(text[0]))
			}
			return true
		})
	}
	require.Greater(t, len(tables), 8, "tables are declared in another way")
	return tables
}

// changingOperations returns the operations that change what an engine keeps.
func changingOperations() (all []string) {
	readOnly := []event.Op{
		event.StatContainer, event.ListContainers, event.GetArtifact, event.StatArtifact, event.ListArtifacts,
		event.Scrub, event.DamagedArtifact, event.Unknown,
	}
	for _, op := range event.Ops() {
		if !slices.Contains(readOnly, op) {
			all = append(all, operationName(op))
		}
	}
	return all
}

func TestWhatASuiteLacksIsFound(t *testing.T) {
	t.Parallel()
	must := mustCover(t)
	assert.Subset(t, must, []string{"table 'h'", "large file", "operation put_artifact"})
	c := newCoverage()
	c.add(must[1:]...)
	assert.Equal(t, []string{"lacks " + must[0]}, c.complaints(must, nil))
	assert.Empty(t, c.complaints(must, map[string]string{must[0]: "a reason"}))
	assert.Equal(t, []string{"is excused from " + must[1] + " and has it"},
		c.complaints(must[1:], map[string]string{must[1]: "a reason"}))
}
