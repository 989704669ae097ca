package durability

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A realDisk is an ext4 file system in a file. One in memory would not do: what
// a power cut takes is what the kernel has not written to it.
type realDisk struct {
	image   string
	dir     string // where it is mounted
	mounted bool
}

const (
	realDiskSize = 512 << 20 // of which few are ever written
	// shutdownFileSystem makes ext4 refuse everything from now on, and, with
	// noLogFlush, leave its journal as it is on the disk.
	shutdownFileSystem = 0x8004587d
	noLogFlush         = 2
)

// newRealDisk makes a disk, which is gone when the test ends.
func newRealDisk(t *testing.T) *realDisk {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount the disk that loses its power here")
	}
	d := &realDisk{image: filepath.Join(t.TempDir(), "disk"), dir: t.TempDir()}
	file, err := os.Create(d.image)
	require.NoError(t, err)
	require.NoError(t, errors.Join(file.Truncate(realDiskSize), file.Close()))
	if out, err := exec.CommandContext(t.Context(), "mkfs.ext4", "-q", "-F", d.image).CombinedOutput(); err != nil {
		t.Skipf("no ext4 can be made here: %v: %s", err, out)
	}
	if err := d.mount(); err != nil {
		t.Skipf("no file can be mounted as a disk here: %v", err)
	}
	t.Cleanup(func() {
		if d.mounted {
			_ = unix.Unmount(d.dir, unix.MNT_DETACH) // and its loop device goes with it
		}
	})
	return d
}

func (d *realDisk) mount() error {
	// The command finds a loop device, which goes when it is unmounted.
	out, err := exec.Command("mount", "-t", "ext4", "-o", "loop", d.image, d.dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mount: %w: %s", err, out)
	}
	d.mounted = true
	return nil
}

func (d *realDisk) unmount() error {
	// A process that is being started has the files of this one open until it
	// runs its own program, and the disk would be busy.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := unix.Unmount(d.dir, 0); err != nil {
		return fmt.Errorf("unmount: %w", err)
	}
	d.mounted = false
	return nil
}

// cut cuts the power: nothing is written any more.
func (d *realDisk) cut() error {
	root, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := unix.IoctlSetPointerInt(int(root.Fd()), shutdownFileSystem, noLogFlush); err != nil {
		return fmt.Errorf("shut the file system down: %w", err)
	}
	return nil
}
