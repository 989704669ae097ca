package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	region    = "us-east-1"
	accessKey = "E2EACCESSKEY"
	secretKey = "e2e/secret+key"
)

// serverBinary is examples/server, built once by TestMain.
var serverBinary string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "vaultaire-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	serverBinary = filepath.Join(dir, "server")
	build := exec.Command("go", "build", "-o", serverBinary, "github.com/vaultaire/vaultaire/examples/server")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %v\n%s", build, err, out)
		return 1
	}
	return m.Run()
}

// A server is a running process of examples/server.
type server struct {
	endpoint       string // http://127.0.0.1:PORT
	stdout, stderr *output

	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of the exit; read after exited is closed
}

// startServer starts a server on a free port of 127.0.0.1, in a folder of its
// own and with the keys of this package, unless args say otherwise. It returns
// when the server listens. At the end of the test the server is told to stop,
// and must exit without an error.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	return startServerEnv(t, nil, append([]string{
		"-dir", t.TempDir(), "-access-key", accessKey, "-secret-key", secretKey}, args...)...)
}

// startServerEnv is startServer with all but the address left to args, and with
// env added to the environment.
func startServerEnv(t *testing.T, env []string, args ...string) *server {
	t.Helper()
	s := launch(t, env, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	line, ok := s.stdout.waitFor(s.exited, "\n")
	require.True(t, ok, "the server ended before it listened: %v\n%s", s.err, s.stderr)
	_, rest, found := strings.Cut(line, "Vaultaire serves S3 at ")
	require.True(t, found, "first line of the server: %q", line)
	s.endpoint, _, _ = strings.Cut(rest, " ")
	require.True(t, strings.HasPrefix(s.endpoint, "http://127.0.0.1:"), "endpoint %q", s.endpoint)
	return s
}

// launch starts a server and does not wait for it to listen.
func launch(t *testing.T, env []string, args ...string) *server {
	t.Helper()
	s := &server{
		stdout: newOutput(), stderr: newOutput(),
		cmd: exec.Command(serverBinary, args...), exited: make(chan struct{}),
	}
	s.cmd.Dir = t.TempDir()
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stdout, s.cmd.Stderr = s.stdout, s.stderr
	require.NoError(t, s.cmd.Start())
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	t.Cleanup(func() {
		if !s.hasExited() {
			s.stop(t, syscall.SIGTERM)
		}
	})
	return s
}

func (s *server) hasExited() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

// stop sends a signal that the server obeys, and waits for its clean exit.
func (s *server) stop(t *testing.T, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, s.cmd.Process.Signal(sig))
	<-s.exited
	require.NoError(t, s.err, "exit after %v; the server said:\n%s", sig, s.stderr)
}

// kill ends the server at once, as a crash would.
func (s *server) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, s.cmd.Process.Kill())
	<-s.exited
}

// fails waits for the exit of a server that is expected to refuse to start, and
// returns what it said.
func (s *server) fails(t *testing.T) string {
	t.Helper()
	if line, ok := s.stdout.waitFor(s.exited, "\n"); ok {
		require.Fail(t, "the server started", line)
	}
	<-s.exited
	require.Error(t, s.err, "exit status")
	return s.stderr.String()
}

// An output collects what a process writes.
type output struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{} // closed by the next write
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// waitFor waits until text was written, and returns all that was. It gives up
// when the process has exited.
func (o *output) waitFor(exited <-chan struct{}, text string) (string, bool) {
	for {
		o.mu.Lock()
		changed, all := o.changed, o.buf.String()
		o.mu.Unlock()
		if strings.Contains(all, text) {
			return all, true
		}
		select {
		case <-changed:
		case <-exited:
			all = o.String()
			return all, strings.Contains(all, text)
		}
	}
}
