package s3xml

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

var (
	// ErrMalformed: the document is not well-formed, or uses what is not
	// accepted of XML, such as a document type.
	ErrMalformed = errors.New("malformed XML")
	// ErrTooLarge: the document has more bytes than its limits allow.
	ErrTooLarge = errors.New("XML document is too large")
)

// Limits bound a document.
type Limits struct {
	Bytes    int64
	Depth    int // elements within elements, the root included
	Elements int
	Text     int // bytes of what stands between two tags, decoded, or in one
}

// An Element is an element with its content: either character data or other
// elements. Attributes and name spaces are dropped.
type Element struct {
	Name     string // without a prefix
	Text     string
	Children []Element
}

// Parse reads one document and r to its end. It returns [ErrMalformed],
// [ErrTooLarge], or an error of r as it is.
func Parse(r io.Reader, limits Limits) (Element, error) {
	p := &parser{r: bufio.NewReader(r), left: limits.Bytes, limits: limits}
	root, err := p.document()
	switch {
	case p.failed != nil:
		return Element{}, p.failed
	case errors.Is(err, io.EOF):
		return Element{}, fmt.Errorf("%w: it ends too early", ErrMalformed)
	case err != nil:
		return Element{}, err
	}
	return root, nil
}

type parser struct {
	r        *bufio.Reader
	left     int64
	limits   Limits
	elements int
	failed   error // of the reader, or ErrTooLarge
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
}

func (p *parser) next() (byte, error) {
	if p.left == 0 {
		if _, err := p.r.Peek(1); err == nil {
			p.failed = fmt.Errorf("%w: at most %d bytes are accepted", ErrTooLarge, p.limits.Bytes)
			return 0, p.failed
		}
	}
	c, err := p.r.ReadByte()
	if err != nil {
		if err != io.EOF {
			p.failed = err
		}
		return 0, err
	}
	p.left--
	return c, nil
}

func (p *parser) unread() {
	_ = p.r.UnreadByte() // follows a ReadByte, so it cannot fail
	p.left++
}

func (p *parser) document() (Element, error) {
	if bom, _ := p.r.Peek(3); string(bom) == "\uFEFF" {
		for range 3 {
			if _, err := p.next(); err != nil {
				return Element{}, err
			}
		}
	}
	if err := p.prolog(); err != nil {
		return Element{}, err
	}
	root, err := p.element(1)
	if err != nil {
		return Element{}, err
	}
	if err := p.prolog(); err != io.EOF {
		if err == nil {
			err = malformed("there is a second root element")
		}
		return Element{}, err
	}
	return root, nil
}

// prolog skips white space, comments and processing instructions, up to and
// including the < of an element.
func (p *parser) prolog() error {
	for {
		c, err := p.next()
		if err != nil {
			return err
		}
		if isSpace(c) {
			continue
		}
		if c != '<' {
			return malformed("text stands outside of the root element")
		}
		c, err = p.next()
		if err != nil {
			return eof(err)
		}
		switch c {
		case '?':
			err = p.instruction()
		case '!':
			err = p.comment()
		default:
			p.unread()
			return nil
		}
		if err != nil {
			return eof(err)
		}
	}
}

// instruction skips a processing instruction, whose <? has been read. The XML
// declaration may not name an encoding other than UTF-8.
func (p *parser) instruction() error {
	text, err := p.until("?>")
	if err != nil {
		return err
	}
	lower := strings.ToLower(text)
	if _, after, ok := strings.Cut(lower, "encoding"); ok && strings.HasPrefix(lower, "xml ") {
		name := strings.Trim(after, " \t\r\n=\"'")
		if !strings.HasPrefix(name, "utf-8") && !strings.HasPrefix(name, "us-ascii") {
			return malformed("the encoding is not UTF-8")
		}
	}
	return nil
}

// comment skips a comment, whose <! has been read, and refuses all else that
// begins so: document types and, outside of elements, CDATA.
func (p *parser) comment() error {
	if err := p.literal("--"); err != nil {
		return err
	}
	for hyphens := 0; hyphens < 2; {
		c, err := p.next()
		if err != nil {
			return err
		}
		if c == '-' {
			hyphens++
		} else {
			hyphens = 0
		}
	}
	c, err := p.next()
	if err == nil && c != '>' {
		err = malformed("a comment holds two hyphens")
	}
	return err
}

func (p *parser) literal(want string) error {
	for i := range len(want) {
		c, err := p.next()
		if err != nil {
			return err
		}
		if c != want[i] {
			return malformed("document types and other declarations are not accepted")
		}
	}
	return nil
}

// fits refuses text of more than the limit before it is kept.
func (p *parser) fits(length int) error {
	if length > p.limits.Text {
		return malformed("it holds text of more than %d bytes", p.limits.Text)
	}
	return nil
}

func (p *parser) until(end string) (string, error) {
	var b []byte
	for {
		c, err := p.next()
		if err != nil {
			return "", err
		}
		b = append(b, c)
		if err := p.fits(len(b) - len(end)); err != nil {
			return "", err
		}
		if bytes.HasSuffix(b, []byte(end)) {
			return checked(string(b[:len(b)-len(end)]))
		}
	}
}

// element reads an element, whose < has been read.
func (p *parser) element(depth int) (Element, error) {
	p.elements++
	if depth > p.limits.Depth || p.elements > p.limits.Elements {
		return Element{}, malformed("there are more than %d elements, or more than %d in each other",
			p.limits.Elements, p.limits.Depth)
	}
	name, err := p.name()
	if err != nil {
		return Element{}, err
	}
	empty, err := p.attributes()
	if err != nil {
		return Element{}, err
	}
	e := Element{Name: local(name)}
	if empty {
		return e, nil
	}
	return p.content(e, name, depth)
}

func (p *parser) content(e Element, name string, depth int) (Element, error) {
	var text strings.Builder
	for {
		if err := p.text(&text); err != nil {
			return Element{}, err
		}
		c, err := p.next() // what follows the <
		if err != nil {
			return Element{}, err
		}
		switch c {
		case '/':
			if err := p.endTag(name); err != nil {
				return Element{}, err
			}
			if len(e.Children) > 0 {
				return e, beside(e, &text)
			}
			e.Text = text.String()
			return e, nil
		case '?':
			err = p.instruction()
		case '!':
			err = p.commentOrData(&text)
		default:
			p.unread()
			if err := beside(e, &text); err != nil {
				return Element{}, err
			}
			var child Element
			child, err = p.element(depth + 1)
			e.Children = append(e.Children, child)
		}
		if err != nil {
			return Element{}, err
		}
	}
}

// beside forgets the white space between an element's children, and refuses
// other text there.
func beside(e Element, text *strings.Builder) error {
	if strings.Trim(text.String(), " \t\r\n") != "" {
		return malformed("<%s> holds text beside elements", e.Name)
	}
	text.Reset()
	return nil
}

func (p *parser) commentOrData(text *strings.Builder) error {
	c, err := p.next()
	if err != nil {
		return err
	}
	if c != '[' {
		p.unread()
		return p.comment()
	}
	if err := p.literal("CDATA["); err != nil {
		return err
	}
	data, err := p.until("]]>")
	if err != nil {
		return err
	}
	text.WriteString(lines.Replace(data))
	return p.fits(text.Len())
}

// checked refuses bytes that are not UTF-8 and characters that may not stand
// for themselves in XML.
func checked(s string) (string, error) {
	for i := 0; i < len(s); {
		r, width := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && width == 1 ||
			r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return "", malformed("it holds the byte %#x, which is not a character of XML", s[i])
		}
		i += width
	}
	return s, nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// eof makes an end within a construct differ from one after the document.
func eof(err error) error {
	if err == io.EOF {
		return malformed("it ends within a tag")
	}
	return err
}
