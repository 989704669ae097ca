package s3xml

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
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
	text, err := p.until("-->")
	if err != nil {
		return err
	}
	if strings.Contains(text, "--") || strings.HasSuffix(text, "-") {
		return malformed("a comment holds two hyphens")
	}
	return nil
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

func (p *parser) until(end string) (string, error) {
	var b []byte
	for {
		c, err := p.next()
		if err != nil {
			return "", err
		}
		b = append(b, c)
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
			e.Text = text.String()
			if len(e.Children) == 0 {
				return e, nil
			}
			if strings.Trim(e.Text, " \t\r\n") != "" {
				return Element{}, malformed("<%s> holds text beside elements", e.Name)
			}
			e.Text = ""
			return e, nil
		case '?':
			err = p.instruction()
		case '!':
			err = p.commentOrData(&text)
		default:
			p.unread()
			var child Element
			child, err = p.element(depth + 1)
			e.Children = append(e.Children, child)
		}
		if err != nil {
			return Element{}, err
		}
	}
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
	return nil
}

// lines is how XML normalizes the ends of lines.
var lines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// text reads character data up to and including the next <.
func (p *parser) text(text *strings.Builder) error {
	var b []byte
	flush := func() error {
		s, err := checked(string(b))
		if err != nil {
			return err
		}
		if strings.Contains(s, "]]>") {
			return malformed("]]> stands in text")
		}
		text.WriteString(lines.Replace(s))
		b = b[:0]
		return nil
	}
	for {
		c, err := p.next()
		if err != nil {
			return err
		}
		switch c {
		case '<':
			return flush()
		case '&':
			if err := flush(); err != nil {
				return err
			}
			r, err := p.reference()
			if err != nil {
				return err
			}
			text.WriteRune(r)
		default:
			b = append(b, c)
		}
	}
}

// reference reads a reference, whose & has been read. Numeric ones may stand
// for characters that XML does not allow: that is how keys hold them.
func (p *parser) reference() (rune, error) {
	const longest = len("#x0010FFFF")
	var b []byte
	for {
		c, err := p.next()
		if err != nil {
			return 0, err
		}
		if c == ';' {
			break
		}
		if len(b) == longest || c == '<' || c == '&' {
			return 0, malformed("a reference is unknown or not ended by a semicolon")
		}
		b = append(b, c)
	}
	name := string(b)
	switch name {
	case "amp":
		return '&', nil
	case "lt":
		return '<', nil
	case "gt":
		return '>', nil
	case "quot":
		return '"', nil
	case "apos":
		return '\'', nil
	}
	digits, isNumber := strings.CutPrefix(name, "#")
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if !isNumber || err != nil || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return 0, malformed("the reference &%.12s; is unknown", name)
	}
	return rune(n), nil
}

func (p *parser) endTag(name string) error {
	got, err := p.name()
	if err != nil {
		return err
	}
	if got != name {
		return malformed("<%.64s> is ended by </%.64s>", name, got)
	}
	return p.expectAfterSpace('>')
}

// attributes skips the rest of a start tag and reports whether it was that of
// an empty element.
func (p *parser) attributes() (empty bool, err error) {
	for {
		c, spaced, err := p.skipSpace()
		if err != nil {
			return false, err
		}
		switch c {
		case '>':
			return false, nil
		case '/':
			c, err := p.next()
			if err == nil && c != '>' {
				err = malformed("a tag holds a stray slash")
			}
			return true, err
		}
		if !spaced {
			return false, malformed("attributes are not separated")
		}
		p.unread()
		if err := p.attribute(); err != nil {
			return false, err
		}
	}
}

func (p *parser) attribute() error {
	if _, err := p.name(); err != nil {
		return err
	}
	if err := p.expectAfterSpace('='); err != nil {
		return err
	}
	quote, _, err := p.skipSpace()
	if err != nil {
		return err
	}
	if quote != '"' && quote != '\'' {
		return malformed("an attribute's value is not quoted")
	}
	var value []byte
	for {
		c, err := p.next()
		if err != nil {
			return err
		}
		switch c {
		case quote:
			_, err := checked(string(value))
			return err
		case '<':
			return malformed("an attribute's value holds a <")
		case '&':
			if _, err := p.reference(); err != nil {
				return err
			}
		default:
			value = append(value, c)
		}
	}
}

func (p *parser) skipSpace() (c byte, skipped bool, err error) {
	for {
		c, err = p.next()
		if err != nil || !isSpace(c) {
			return c, skipped, err
		}
		skipped = true
	}
}

func (p *parser) expectAfterSpace(want byte) error {
	c, _, err := p.skipSpace()
	if err == nil && c != want {
		err = malformed("%q stands where %q must", c, want)
	}
	return err
}

// name reads the name of an element or attribute. S3 has ASCII names only.
func (p *parser) name() (string, error) {
	const longest = 128
	var b []byte
	for {
		c, err := p.next()
		if err != nil {
			return "", err
		}
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (len(b) == 0 || (c < '0' || c > '9') && c != '-' && c != '.' && c != ':') {
			p.unread()
			break
		}
		if len(b) == longest {
			return "", malformed("a name is longer than %d bytes", longest)
		}
		b = append(b, c)
	}
	name := string(b)
	if name == "" || strings.Count(name, ":") > 1 || strings.HasSuffix(name, ":") {
		return "", malformed("a name is missing or holds a character that it may not")
	}
	return name, nil
}

func local(name string) string {
	_, after, ok := strings.Cut(name, ":")
	if ok {
		return after
	}
	return name
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
