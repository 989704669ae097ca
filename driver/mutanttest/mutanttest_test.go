package mutanttest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSubject is built with mutants below, some of which break parse.
func TestSubject(t *testing.T) {
	if os.Getenv("MUTANTTEST_SUBJECT") == "" {
		t.Skip("it is run by the other tests")
	}
	violations := 0
	if n, _, err := statesIn("crash states: 3, violations: 0"); n != 3 || err != nil {
		violations++
		t.Errorf("parsed %d, %v", n, err)
	}
	t.Logf("crash states: %d, violations: %d", 7, violations)
}

func TestAMutantIsCaughtOrSurvives(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds this package many times over")
	}
	t.Parallel()
	root, err := moduleRoot()
	require.NoError(t, err)
	suite := Suite{Package: "./driver/mutanttest", Test: "^TestSubject$", Env: []string{"MUTANTTEST_SUBJECT=1"}}
	file := "driver/mutanttest/mutanttest.go"
	for name, c := range map[string]struct {
		edit Edit
		want string // of the error
	}{
		"caught":     {Edit{file, "Atoi(found[1])", "Atoi(found[2])"}, ""},
		"survives":   {Edit{file, "Atoi(found[1])", "Atoi(found[1] + found[2][:0])"}, "survives 7 states"},
		"ambiguous":  {Edit{file, "package", "package"}, "should have it once"},
		"no program": {Edit{file, "Atoi(found[1])", "Atoi(found)"}, "cannot be built"},
		"no file":    {Edit{"driver/none.go", "x", "y"}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			states, err := suite.run(t, root, Mutant{Name: name, Edits: []Edit{c.edit}})
			if c.want == "" {
				require.NoError(t, err)
				assert.Equal(t, 7, states)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestTheModuleIsFoundFromBelow(t *testing.T) {
	root, err := moduleRoot()
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(root, "go.mod"))
}
