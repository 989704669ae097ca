package drivertest

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
)

func TestEachCaseQuotesTheContractVerbatim(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../driver.go", nil, parser.ParseComments)
	require.NoError(t, err)
	var contract strings.Builder
	ast.Inspect(file, func(n ast.Node) bool {
		if group, ok := n.(*ast.CommentGroup); ok {
			contract.WriteString(" " + strings.Join(strings.Fields(group.Text()), " "))
		}
		return true
	})
	for _, tc := range allCases() {
		assert.Contains(t, contract.String(), tc.contract, "case %q", tc.name)
	}
}

func TestEachCaseHasANameOfItsOwn(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, tc := range allCases() {
		assert.False(t, seen[tc.name], "case %q appears twice", tc.name)
		seen[tc.name] = true
	}
}

func memoryHarness() Harness {
	return Harness{
		Open:     func(context.Context) (driver.Driver, error) { return memory.New(), nil },
		InMemory: true,
	}
}

func TestAWholeDriverPasses(t *testing.T) {
	Run(t, func(*testing.T) Harness { return memoryHarness() })
}

func TestAWholeDriverThatKeepsItsBlobsPasses(t *testing.T) {
	Run(t, func(*testing.T) Harness { return keepingHarness(func(d driver.Driver) driver.Driver { return d }) })
}
