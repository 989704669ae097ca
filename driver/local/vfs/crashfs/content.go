package crashfs

import (
	"io"
	"slices"
)

const (
	pageSize   = 4096
	sectorSize = 512 // what a disk writes whole or not at all
)

// A page is a part of a content. Only the content with its owner may change it;
// all others share it.
type page struct {
	owner *owner
	bytes [pageSize]byte
}

// An owner tells the pages that a content may change. It has a size, for two
// of them to differ.
type owner struct{ _ byte }

// A content is the bytes of a file. Copies of it share what neither changes.
type content struct {
	size   int64
	pages  []*page // nil stands for zeros; there are none behind size
	owner  *owner
	shared bool // the slice of pages is another content's as well
}

// share returns a copy. It takes no longer for a large content.
func (c *content) share() content {
	c.owner, c.shared = new(owner), true
	return content{size: c.size, pages: c.pages, owner: new(owner), shared: true}
}

// readAt is io.ReaderAt.
func (c *content) readAt(b []byte, off int64) (int, error) {
	n := 0
	for n < len(b) && off < c.size {
		end := min(int64(len(b)-n), c.size-off, pageSize-off%pageSize)
		part := b[n : n+int(end)]
		if p := c.pages[off/pageSize]; p == nil {
			clear(part)
		} else {
			copy(part, p.bytes[off%pageSize:])
		}
		n, off = n+len(part), off+int64(len(part))
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// writeAt stores b and grows the content as needed.
func (c *content) writeAt(b []byte, off int64) {
	if end := off + int64(len(b)); end > c.size {
		c.resize(end)
	}
	for len(b) > 0 {
		n := copy(c.own(off / pageSize).bytes[off%pageSize:], b)
		b, off = b[n:], off+int64(n)
	}
}

// own returns a page that may be changed.
func (c *content) own(i int64) *page {
	p := c.pages[i]
	if p != nil && p.owner == c.owner {
		return p
	}
	c.ownSlice()
	own := &page{owner: c.owner}
	if p != nil {
		own.bytes = p.bytes
	}
	c.pages[i] = own
	return own
}

// ownSlice makes sure that other pages may be put in place of these.
func (c *content) ownSlice() {
	if c.shared {
		c.pages, c.shared = slices.Clone(c.pages), false
	}
	if c.owner == nil {
		c.owner = new(owner)
	}
}

// resize cuts the content or adds zeros.
func (c *content) resize(size int64) {
	c.ownSlice()
	count := int((size + pageSize - 1) / pageSize)
	if count < len(c.pages) {
		clear(c.pages[count:])
		c.pages = c.pages[:count]
	}
	if size < c.size && size%pageSize > 0 && c.pages[count-1] != nil {
		clear(c.own(int64(count - 1)).bytes[size%pageSize:])
	}
	c.pages = append(c.pages, make([]*page, count-len(c.pages))...)
	c.size = size
}

// sectors returns the sectors that hold length bytes from off, with zeros
// behind the end.
func (c *content) sectors(off, length int64) (start int64, b []byte) {
	start = off / sectorSize * sectorSize
	end := (off + length + sectorSize - 1) / sectorSize * sectorSize
	b = make([]byte, end-start)
	_, _ = c.readAt(b, start) // short at the end of the file
	return start, b
}
