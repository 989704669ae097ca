package crashfs

import (
	"fmt"
	"io/fs"
)

// FlipBit flips a bit, from 0 to 7, of the byte at off in a file, as decay of
// the disk does: it changes what is read now and what a power cut leaves. What
// the file has in store that is not synced is made durable by it.
func (f *FS) FlipBit(name string, off int64, bit int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.findFile(name)
	if err == nil && (off < 0 || off >= n.now.size || bit < 0 || bit > 7) {
		err = fmt.Errorf("%w: bit %d of byte %d of %d", fs.ErrInvalid, bit, off, n.now.size)
	}
	if err != nil {
		return &fs.PathError{Op: "flip", Path: name, Err: err}
	}
	n.now.own(off / pageSize).bytes[off%pageSize] ^= 1 << bit
	n.durable, n.changes = n.now.share(), nil
	return nil
}
