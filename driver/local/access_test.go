package local

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The type vfs.OS, which alone may reach the disk, what reaches it as a package,
// and what does of packages that are otherwise harmless.
var (
	osFiles   = []string{filepath.Join("vfs", "os.go"), filepath.Join("vfs", "os_linux.go"), filepath.Join("vfs", "os_other.go")}
	forbidden = []string{"os", "os/exec", "io/ioutil", "syscall", "golang.org/x/sys/unix", "golang.org/x/sys/windows", "github.com/gofrs/flock"}
	reaching  = []string{"filepath.Walk", "filepath.WalkDir", "filepath.Glob", "filepath.EvalSymlinks", "filepath.Abs"}
)

func TestOnlyVfsOSReachesTheDisk(t *testing.T) {
	t.Parallel()
	seen := 0
	require.NoError(t, fs.WalkDir(os.DirFS("."), ".", func(path string, _ fs.DirEntry, err error) error {
		path = filepath.FromSlash(path)
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || slices.Contains(osFiles, path) {
			return err
		}
		seen++
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			assert.NotContains(t, forbidden, name, "%s imports it", path)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := sel.X.(*ast.Ident); ok {
					assert.NotContains(t, reaching, pkg.Name+"."+sel.Sel.Name, "%s uses it", path)
				}
			}
			return true
		})
		return nil
	}))
	assert.Greater(t, seen, 8)
	for _, path := range osFiles {
		assert.FileExists(t, path)
	}
}
