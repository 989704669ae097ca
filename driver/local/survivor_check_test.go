package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
)

// A shown is what a driver shows after a power cut.
type shown map[driver.Ref][]byte

// sample looks at one or two states that a power cut leaves before op. The model
// stands still meanwhile, since its mutex is held.
func (s *survivor) sample(op crashfs.Op) {
	keeps := []crashfs.Keep{crashfs.KeepSome}
	switch op.N % 4 {
	case 0:
		keeps = append(keeps, crashfs.KeepNone)
	case 2:
		keeps = append(keeps, crashfs.KeepAll)
	}
	for _, keep := range keeps {
		disk := s.disk.Crash(s.chance, keep)
		if s.chance.IntN(50) == 0 {
			s.sampleRecovery(op, disk)
			continue
		}
		_, err := s.look(context.Background(), disk)
		s.sampled(op, err)
	}
}

// sampleRecovery looks at what further power cuts leave while a driver opens
// that is on a disk after one. All there is on that disk is durable, so each of
// them must leave what the driver shows without it.
func (s *survivor) sampleRecovery(op crashfs.Op, disk *crashfs.FS) {
	ctx := context.Background()
	want, err := s.look(ctx, disk.Crash(nil, crashfs.KeepAll))
	s.sampled(op, err)
	if err != nil {
		return
	}
	disk.SetHook(func(again crashfs.Op) error {
		if again.Kind.Changes() {
			found, err := s.look(ctx, disk.Crash(s.chance, crashfs.KeepSome))
			if err = errors.Join(err, found.sameAs(want)); err != nil {
				err = fmt.Errorf("and then before %v: %w", again, err)
			}
			s.sampled(op, err)
		}
		return nil
	})
	d, err := Open(ctx, "/blobs", s.opts.on(disk))
	if err == nil {
		err = d.Close(ctx)
	}
	s.sampled(op, err)
}

func (f shown) sameAs(want shown) error {
	for ref := range want {
		if _, ok := f[ref]; !ok {
			return fmt.Errorf("%s was there after the first power cut", ref)
		}
	}
	if len(f) != len(want) {
		return fmt.Errorf("%d blobs are there, and were %d after the first power cut", len(f), len(want))
	}
	return nil
}

// look opens the driver on a disk, compares it with the model and closes it.
// Sometimes it does more.
func (s *survivor) look(ctx context.Context, disk *crashfs.FS) (found shown, err error) {
	d, err := Open(ctx, "/blobs", s.opts.on(disk))
	if err != nil {
		return nil, err
	}
	found, err = s.compare(ctx, d)
	var later shown // once it was used
	if err == nil && s.chance.IntN(16) == 0 {
		later, err = s.use(ctx, d, found)
	}
	if err = errors.Join(err, d.Close(ctx)); err != nil {
		return nil, err
	}
	if s.copied != nil && s.chance.IntN(4) == 0 {
		if err := s.compareCopy(ctx, disk); err != nil {
			return nil, fmt.Errorf("in the copy: %w", err)
		}
	}
	if later == nil {
		return found, nil
	}
	return found, s.lookAgain(ctx, disk, later)
}

// compare holds what a driver shows after a power cut against what it must, and
// what it may.
func (s *survivor) compare(ctx context.Context, d *Driver) (shown, error) {
	if s.identity != "" && d.identity != s.identity {
		return nil, fmt.Errorf("the driver is %s, and was %s", d.identity, s.identity)
	}
	if left, err := d.fs.ReadDir(path.Join(d.root, tmpName)); err != nil || len(left) > 0 {
		return nil, fmt.Errorf("%d files are left that are on their way, %w", len(left), err)
	}
	found, err := s.readAll(ctx, d, s.buried)
	if err != nil {
		return nil, err
	}
	for ref := range s.durable {
		if _, ok := found[ref]; !ok {
			return nil, fmt.Errorf("%s of %d bytes is lost", ref, len(s.contents[ref]))
		}
	}
	misses := 0
	for ref := range s.contents {
		if _, ok := found[ref]; ok {
			continue
		}
		if _, err := readAllOf(ctx, d, ref); !errors.Is(err, container.ErrNotFound) {
			return nil, fmt.Errorf("%s is not listed: %w", ref, err)
		}
		if misses++; misses == 3 { // which are any three
			break
		}
	}
	return found, nil
}

// readAll reads everything that a driver lists: what was put, and not what was
// deleted.
func (s *survivor) readAll(ctx context.Context, d *Driver, buried map[driver.Ref]bool) (shown, error) {
	found := make(shown)
	for b, err := range d.List(ctx, "") {
		if err != nil {
			return nil, fmt.Errorf("list: %w", err)
		}
		if _, twice := found[b.Ref]; twice {
			return nil, fmt.Errorf("%s is listed twice", b.Ref)
		}
		got, err := readAllOf(ctx, d, b.Ref)
		if err != nil {
			return nil, fmt.Errorf("%s is listed: %w", b.Ref, err)
		}
		if buried[b.Ref] {
			return nil, fmt.Errorf("%s was deleted", b.Ref)
		}
		want, known := s.contents[b.Ref]
		switch {
		case known && !bytes.Equal(want, got):
			return nil, fmt.Errorf("%s has other bytes", b.Ref)
		case !known && !s.tried[string(got)]:
			return nil, fmt.Errorf("%s is nobody's", b.Ref)
		case b.Size != int64(len(got)):
			return nil, fmt.Errorf("%s is listed with %d bytes and has %d", b.Ref, b.Size, len(got))
		}
		found[b.Ref] = got
	}
	return found, nil
}

func readAllOf(ctx context.Context, d *Driver, ref driver.Ref) ([]byte, error) {
	r, err := d.Open(ctx, ref, 0, -1)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

// use puts and deletes, and returns what is there then.
func (s *survivor) use(ctx context.Context, d *Driver, found shown) (shown, error) {
	later := maps.Clone(found)
	for _, size := range []int{10, 5000} {
		for _, stays := range []bool{true, false} {
			b := bytes.Repeat([]byte{byte(size)}, size)
			ref, err := d.Put(ctx, "name", bytes.NewReader(b), driver.PutOptions{Size: int64(size)})
			if err != nil {
				return nil, err
			}
			if _, twice := s.contents[ref]; twice || later[ref] != nil {
				return nil, fmt.Errorf("%s is given a second time", ref)
			}
			if stays {
				later[ref] = b
			} else if err := d.Delete(ctx, ref); err != nil {
				return nil, err
			}
		}
	}
	return later, nil
}

// lookAgain opens the driver that was used on a disk, after one more power cut,
// and finds what must be there.
func (s *survivor) lookAgain(ctx context.Context, disk *crashfs.FS, want shown) error {
	d, err := Open(ctx, "/blobs", s.opts.on(disk.Crash(s.chance, crashfs.KeepSome)))
	if err != nil {
		return err
	}
	found := make(shown)
	for b, err := range d.List(ctx, "") {
		if err != nil {
			return err
		}
		if found[b.Ref], err = readAllOf(ctx, d, b.Ref); err != nil {
			return fmt.Errorf("%s is listed: %w", b.Ref, err)
		}
		if !bytes.Equal(found[b.Ref], want[b.Ref]) {
			return fmt.Errorf("%s has other bytes than before", b.Ref)
		}
	}
	return errors.Join(found.sameAs(want), d.Close(ctx))
}

// compareCopy opens what a snapshot has made, and holds it against the model.
func (s *survivor) compareCopy(ctx context.Context, disk *crashfs.FS) error {
	_, err := disk.Stat(path.Join(copyDir, formatName))
	if errors.Is(err, fs.ErrNotExist) && !s.copied.done {
		return nil
	}
	if err != nil {
		return err
	}
	d, err := Open(ctx, copyDir, s.opts.on(disk))
	if err != nil {
		return err
	}
	found, err := s.readAll(ctx, d, s.copied.buried)
	if err = errors.Join(err, d.Close(ctx)); err != nil {
		return err
	}
	for ref := range s.copied.holds {
		if _, ok := found[ref]; !ok && (s.copied.done || !s.dying[ref]) {
			return fmt.Errorf("%s of %d bytes is not there", ref, len(s.contents[ref]))
		}
	}
	return nil
}
