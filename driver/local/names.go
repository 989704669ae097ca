package local

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vaultaire/vaultaire/driver"
)

// A blobID is what a ref of this driver says.
type blobID struct {
	number uint64
	nonce  uint64
}

// Blobs are spread over folders, because a folder with millions of files is
// slow to read and to sync. Numbers end where folder names do.
const (
	folderBits = 12
	maxNumber  = 1<<(32+folderBits) - 1
)

func newNonce() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return binary.LittleEndian.Uint64(b[:])
}

// ref returns, for example, "000000000000002a-9f86d081884c7d65".
func (id blobID) ref() driver.Ref {
	return driver.Ref(fmt.Sprintf("%016x-%016x", id.number, id.nonce))
}

// parseRef reports false for whatever ref did not return.
func parseRef(ref driver.Ref) (blobID, bool) {
	if len(ref) != 33 {
		return blobID{}, false
	}
	number, err1 := strconv.ParseUint(string(ref[:16]), 16, 64)
	nonce, err2 := strconv.ParseUint(string(ref[17:]), 16, 64)
	id := blobID{number, nonce}
	return id, err1 == nil && err2 == nil && number <= maxNumber && id.ref() == ref
}

func (d *Driver) segmentPath(number uint64) string {
	return filepath.Join(d.root, segmentName, numberedName(number, segmentSuffix))
}

func (d *Driver) logPath(number uint64) string {
	return filepath.Join(d.root, deadName, numberedName(number, logSuffix))
}

// numberedName returns the name of a segment or of a deletion log.
func numberedName(number uint64, suffix string) string { return fmt.Sprintf("%012d%s", number, suffix) }

func blobFolderName(folder uint64) string { return fmt.Sprintf("%08x", folder) }

func blobFileName(number uint64) string { return fmt.Sprintf("%016x", number) }

// parseNumberedName reports false for whatever numberedName did not return.
func parseNumberedName(name, suffix string) (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimSuffix(name, suffix), 10, 64)
	return n, err == nil && numberedName(n, suffix) == name && n <= maxSegment
}

// listNumbers returns the numbers of the segments, or of the deletion logs,
// ascending. Whatever else somebody put there is none of ours.
func (d *Driver) listNumbers(folder, suffix string) ([]uint64, error) {
	entries, err := d.fs.ReadDir(filepath.Join(d.root, folder))
	if err != nil {
		return nil, err
	}
	var out []uint64
	for _, e := range entries {
		if n, ok := parseNumberedName(e.Name(), suffix); ok {
			out = append(out, n)
		}
	}
	return out, nil
}

func (d *Driver) folderPath(folder uint64) string {
	return filepath.Join(d.root, blobName, blobFolderName(folder))
}

func (d *Driver) blobPath(number uint64) string {
	return filepath.Join(d.folderPath(number>>folderBits), blobFileName(number))
}

func (d *Driver) tmpPath(number uint64) string {
	return filepath.Join(d.root, tmpName, blobFileName(number))
}

// blobFolders returns the blob folders from the given one on, ascending.
func (d *Driver) blobFolders(from uint64) ([]uint64, error) {
	entries, err := d.fs.ReadDir(filepath.Join(d.root, blobName))
	if err != nil {
		return nil, err
	}
	return parseNames(entries, 8, func(folder uint64) bool { return folder >= from }), nil
}

// numbers returns the numbers of the blobs in a folder from the given one on,
// ascending.
func (d *Driver) numbers(folder, from uint64) ([]uint64, error) {
	entries, err := d.fs.ReadDir(d.folderPath(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseNames(entries, 16, func(number uint64) bool {
		return number >= from && number>>folderBits == folder
	}), nil
}

// parseNames returns the numbers that are spelled with so many hexadecimal
// digits and are wanted. Whatever else somebody put there is none of ours.
func parseNames(entries []fs.DirEntry, digits int, wanted func(uint64) bool) []uint64 {
	var out []uint64
	for _, e := range entries {
		if n, ok := parseHexName(e.Name(), digits); ok && wanted(n) {
			out = append(out, n)
		}
	}
	return out
}

func parseHexName(name string, digits int) (uint64, bool) {
	n, err := strconv.ParseUint(name, 16, 64)
	return n, err == nil && fmt.Sprintf("%0*x", digits, n) == name
}
