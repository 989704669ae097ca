package local_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/drivertest"
	"github.com/vaultaire/vaultaire/driver/local"
)

func TestDriver(t *testing.T) {
	for name, opts := range map[string]local.Options{
		"as it comes":       {},
		"a file each":       {SmallBlob: -1},
		"up to 1 MiB small": {SmallBlob: 1 << 20},
		"tiny segments":     local.WithSegmentSize(local.Options{SmallBlob: 1 << 20}, 4096),
		"durable later":     {Sync: local.SyncAsync, Interval: 10 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			drivertest.Run(t, func(t *testing.T) drivertest.Harness {
				dir := t.TempDir()
				open := func(ctx context.Context) (driver.Driver, error) { return local.Open(ctx, dir, opts) }
				damage := func(_ context.Context, ref driver.Ref) error { return damage(dir, ref, 100_000) }
				return drivertest.Harness{Open: open, Reopen: open, Damage: damage}
			})
		})
	}
}

// damage changes a byte of a blob, whose ref begins with the number that names
// its file or its segment.
func damage(dir string, ref driver.Ref, off int64) error {
	number, rest, small := strings.Cut(string(ref), "+")
	if !small {
		return flipByte(filepath.Join(dir, "blob", "00000000", string(ref[:16])), off)
	}
	record, err := strconv.ParseInt(rest[:8], 16, 64)
	if err != nil {
		return err
	}
	return flipByte(filepath.Join(dir, "seg", number+".seg"), record+off)
}

// flipByte changes the byte at off in a file.
func flipByte(path string, off int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], off); err != nil {
		return err
	}
	b[0] ^= 1
	_, err = f.WriteAt(b[:], off)
	return err
}

// open opens dir and closes it with the test.
func open(t *testing.T, dir string) *local.Driver {
	t.Helper()
	return openWith(t, dir, local.Options{})
}

func openWith(t *testing.T, dir string, opts local.Options) *local.Driver {
	t.Helper()
	d, err := local.Open(t.Context(), dir, opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.Close(context.WithoutCancel(t.Context())) })
	return d
}

func put(t *testing.T, d *local.Driver, text string) driver.Ref {
	t.Helper()
	ref, err := d.Put(t.Context(), "name", strings.NewReader(text), driver.PutOptions{Size: int64(len(text))})
	require.NoError(t, err)
	return ref
}

func TestOpenMakesAFolderThatIsMissing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b", "c")
	put(t, open(t, dir), "x")
	assert.FileExists(t, filepath.Join(dir, "FORMAT"))
	assert.FileExists(t, filepath.Join(dir, "seg", "000000000001.seg"))
}

func TestOpenRefusesWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	const format = `{"kind": "vaultaire/driver/local", "version": 2, "identity": "abc"}`
	for name, tc := range map[string]struct {
		files map[string]string
		want  error
		text  string
	}{
		"somebody's files":      {map[string]string{"holiday.jpg": "x"}, container.ErrInvalid, `holds "holiday.jpg" and no FORMAT`},
		"another kind":          {map[string]string{"FORMAT": `{"kind": "tape"}`}, container.ErrInvalid, `of kind "tape"`},
		"a newer version":       {map[string]string{"FORMAT": strings.Replace(format, "2", "3", 1)}, container.ErrInvalid, "of version 3; this program reads version 2"},
		"an older version":      {map[string]string{"FORMAT": strings.Replace(format, "2", "1", 1)}, container.ErrInvalid, "of version 1; this program reads version 2"},
		"a FORMAT of no sense":  {map[string]string{"FORMAT": "\x00\x00"}, container.ErrCorrupt, "FORMAT"},
		"an empty FORMAT":       {map[string]string{"FORMAT": ""}, container.ErrCorrupt, "FORMAT"},
		"a FORMAT, no identity": {map[string]string{"FORMAT": strings.Replace(format, "abc", "", 1)}, container.ErrCorrupt, "no identity"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range tc.files {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
			}
			_, err := local.Open(t.Context(), dir, local.Options{})
			require.ErrorIs(t, err, tc.want)
			require.ErrorContains(t, err, tc.text)
			require.ErrorContains(t, err, dir)
			assert.NoDirExists(t, filepath.Join(dir, "blob"))
		})
	}
	t.Run("a file", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		_, err := local.Open(t.Context(), file, local.Options{})
		require.ErrorIs(t, err, container.ErrInvalid)
	})
}

func TestAFolderOfSomebodyElseIsLeftUntouched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "holiday.jpg"), nil, 0o600))
	_, err := local.Open(t.Context(), dir, local.Options{})
	require.ErrorIs(t, err, container.ErrInvalid)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1)
}

func TestOpenGoesOnWhereACrashLeftOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "LOCK"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "FORMAT.new"), []byte(`{"ki`), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "lost+found"), 0o700))
	put(t, open(t, dir), "x")
	assert.NoFileExists(t, filepath.Join(dir, "FORMAT.new"))
}

func TestAFolderIsOpenOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, dir)
	_, err := local.Open(t.Context(), dir, local.Options{})
	require.ErrorIs(t, err, container.ErrLocked)
	require.ErrorContains(t, err, "another driver has it open")
	require.NoError(t, d.Close(t.Context()))
	open(t, dir)
}

// TestAFolderIsOpenInOneProcess runs itself in a second process.
func TestAFolderIsOpenInOneProcess(t *testing.T) {
	const variable = "VAULTAIRE_TEST_DIR"
	if dir := os.Getenv(variable); dir != "" {
		_, err := local.Open(t.Context(), dir, local.Options{})
		require.ErrorIs(t, err, container.ErrLocked)
		return
	}
	dir := t.TempDir()
	open(t, dir)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAFolderIsOpenInOneProcess$", "-test.v")
	cmd.Env = append(os.Environ(), variable+"="+dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "PASS: TestAFolderIsOpenInOneProcess")
}

func TestIdentityStaysWithTheFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, dir)
	first, err := driver.Identity(t.Context(), d)
	require.NoError(t, err)
	require.Len(t, first, 32)
	require.NoError(t, d.Close(t.Context()))
	again, err := open(t, dir).Identity(t.Context())
	require.NoError(t, err)
	assert.Equal(t, first, again)
	other, err := open(t, t.TempDir()).Identity(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, first, other)
}

func TestARefIsNotMintedAgainInARestoredCopy(t *testing.T) {
	t.Parallel()
	dir, backup := t.TempDir(), t.TempDir()
	d := open(t, dir)
	kept := put(t, d, "kept")
	require.NoError(t, d.Close(t.Context()))
	require.NoError(t, os.CopyFS(backup, os.DirFS(dir)))

	lost := put(t, open(t, dir), "lost")
	restored := open(t, backup)
	replacement := put(t, restored, "replacement")
	require.NotEqual(t, lost, replacement)
	require.Equal(t, lost[:16], replacement[:16], "the number is the same: only the nonce tells them apart")
	_, err := restored.Open(t.Context(), lost, 0, -1)
	require.ErrorIs(t, err, container.ErrNotFound)
	require.NoError(t, restored.Delete(t.Context(), lost))
	for _, ref := range []driver.Ref{kept, replacement} {
		r, err := restored.Open(t.Context(), ref, 0, -1)
		require.NoError(t, err)
		require.NoError(t, r.Close())
	}
}

func TestForeignFilesAreIgnored(t *testing.T) {
	t.Parallel()
	dir, each := t.TempDir(), local.Options{SmallBlob: -1}
	d := openWith(t, dir, each)
	ref := put(t, d, "x")
	require.NoError(t, d.Close(t.Context()))
	folder := filepath.Join(dir, "blob", "00000000")
	for _, path := range []string{
		filepath.Join(dir, "README"), filepath.Join(dir, "blob", "note"), filepath.Join(folder, "note"),
		filepath.Join(folder, "00000000000000AB"), filepath.Join(folder, "0000000000001000"),
		filepath.Join(folder, "0000000000000001.bak"),
		filepath.Join(dir, "seg", "note"), filepath.Join(dir, "seg", "7.seg"), filepath.Join(dir, "dead", "000000000001.seg"),
	} {
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "blob", "0000000g"), 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "0000000000000007"), 0o700))
	d = openWith(t, dir, each)
	var refs []driver.Ref
	for b, err := range d.List(t.Context(), "") {
		require.NoError(t, err)
		refs = append(refs, b.Ref)
	}
	assert.Equal(t, []driver.Ref{ref}, refs)
	assert.Equal(t, driver.Ref("0000000000000008"), put(t, d, "y")[:16])
}

func TestListRefusesAnAfterOfAnotherDriver(t *testing.T) {
	t.Parallel()
	for _, err := range open(t, t.TempDir()).List(t.Context(), "s3/something") {
		require.ErrorIs(t, err, container.ErrInvalid)
	}
}

func TestOpenConfig(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		config map[string]any
		texts  []string // of the error; none means success
	}{
		"dir":                     {map[string]any{"dir": t.TempDir()}, nil},
		"all keys":                {map[string]any{"dir": t.TempDir(), "sync": "none", "small_blob": 4096, "verify": false}, nil},
		"async":                   {map[string]any{"dir": t.TempDir(), "sync": "async", "interval": "50ms"}, nil},
		"an interval for nothing": {map[string]any{"dir": "x", "interval": "1s"}, []string{"interval 1s with sync mode always"}},
		"no small blobs":          {map[string]any{"dir": t.TempDir(), "small_blob": 0}, nil},
		"too large":               {map[string]any{"dir": "x", "small_blob": 2 << 20}, []string{`key "small_blob" is 2097152`, "accepted is 0 to 1048576"}},
		"no dir":                  {nil, []string{`key "dir" is missing`}},
		"a typo":                  {map[string]any{"dri": "x"}, []string{`unknown key "dri"`, `accepted are "dir", "interval", "small_blob", "sync", "verify"`}},
		"a wrong type":            {map[string]any{"dir": 1}, []string{`key "dir" is of type int`, "accepted is a string"}},
		"a strange sync":          {map[string]any{"dir": "x", "sync": "maybe"}, []string{`unknown sync mode "maybe"`, `["always" "none" "async"]`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := local.OpenConfig(t.Context(), nil, tc.config)
			if len(tc.texts) == 0 {
				require.NoError(t, err)
				require.NoError(t, d.Close(t.Context()))
				return
			}
			require.Nil(t, d)
			require.ErrorIs(t, err, container.ErrInvalid)
			for _, text := range tc.texts {
				assert.ErrorContains(t, err, text)
			}
		})
	}
	_, err := local.Open(t.Context(), t.TempDir(), local.Options{Sync: 7})
	require.ErrorIs(t, err, container.ErrInvalid)
	_, err = local.Open(t.Context(), t.TempDir(), local.Options{SmallBlob: 1<<20 + 1})
	require.ErrorIs(t, err, container.ErrInvalid)
	_, err = local.Open(t.Context(), "", local.Options{})
	require.ErrorIs(t, err, container.ErrInvalid)
}

func ExampleOpen() {
	ctx := context.Background()
	dir, _ := os.MkdirTemp("", "blobs")
	defer os.RemoveAll(dir)

	d, err := local.Open(ctx, dir, local.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close(ctx)
	ref, _ := d.Put(ctx, "greeting", strings.NewReader("hello, blob"), driver.PutOptions{Size: -1})
	r, _ := d.Open(ctx, ref, 7, 4)
	defer r.Close()
	text, _ := io.ReadAll(r)
	fmt.Println(string(text))
	// Output: blob
}
