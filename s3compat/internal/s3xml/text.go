package s3xml

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

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
		if err := p.fits(text.Len() + len(b)); err != nil {
			return err
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
