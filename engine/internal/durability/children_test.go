package durability

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// Some suites need processes that they can kill or confine. Those are this test
// binary, run again with the name of what it is to do, and its argument in JSON,
// in the environment.
const (
	childVariable    = "DURABILITY_CHILD"
	argumentVariable = "DURABILITY_ARGUMENT"
)

// children returns what the binary can be run for. What a child writes to out
// reaches its parent, also if it is killed right after it.
func children() map[string]func(ctx context.Context, argument []byte, out *os.File) error {
	return map[string]func(ctx context.Context, argument []byte, out *os.File) error{
		"load":     loadChild,
		"confined": confinedChild,
		"power":    powerChild,
	}
}

func TestMain(m *testing.M) {
	name := os.Getenv(childVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	out := os.NewFile(3, "to the parent")
	if err := children()[name](context.Background(), []byte(os.Getenv(argumentVariable)), out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// newChild prepares the process of a child, and returns the end to read from of
// what it writes to its parent, and the other one, to be closed when it has
// started.
func newChild(t *testing.T, name string, argument any) (child *exec.Cmd, from, to *os.File) {
	t.Helper()
	text, err := json.Marshal(argument)
	require.NoError(t, err)
	from, to, err = os.Pipe()
	require.NoError(t, err)
	binary, err := os.Executable()
	require.NoError(t, err)
	child = exec.CommandContext(t.Context(), binary)
	child.Env = append(os.Environ(), childVariable+"="+name, argumentVariable+"="+string(text))
	child.ExtraFiles = []*os.File{to}
	return child, from, to
}
