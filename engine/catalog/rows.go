package catalog

import (
	"time"

	"github.com/vaultaire/vaultaire/container"
)

// A containerRow is a container's row; its name is in the key.
type containerRow struct {
	unknownFields
	Created time.Time
	Owner   container.Owner
}

func (c *containerRow) container(name string) container.Container {
	return container.Container{Name: name, Owner: c.Owner, Created: c.Created}
}

func (c *containerRow) appendFields(b []byte) []byte {
	b = appendTime(b, 1, c.Created)
	b = appendString(b, 2, c.Owner.ID)
	b = appendString(b, 3, c.Owner.DisplayName)
	return append(b, c.unknownFields...)
}

func (c *containerRow) setField(f field) (bool, error) {
	switch {
	case f.isUint(1):
		c.Created = f.time()
	case f.isBytes(2):
		c.Owner.ID = f.text
	case f.isBytes(3):
		c.Owner.DisplayName = f.text
	default:
		return false, nil
	}
	return true, nil
}

// An incarnationRow says when an incarnation began, and whether it ended so
// that every blob it stored is either named by a row or gone. Of one that is held,
// somebody may yet miss a blob that no row names.
type incarnationRow struct {
	unknownFields
	Started time.Time
	Clean   bool
	Held    bool
}

func (i *incarnationRow) appendFields(b []byte) []byte {
	b = appendTime(b, 1, i.Started)
	b = appendBool(b, 2, i.Clean)
	b = appendBool(b, 3, i.Held)
	return append(b, i.unknownFields...)
}

func (i *incarnationRow) setField(f field) (bool, error) {
	switch {
	case f.isUint(1):
		i.Started = f.time()
	case f.isUint(2):
		i.Clean = f.value != 0
	case f.isUint(3):
		i.Held = f.value != 0
	default:
		return false, nil
	}
	return true, nil
}
