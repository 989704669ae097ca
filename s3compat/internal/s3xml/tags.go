package s3xml

import "strings"

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
		if err := p.fits(len(value)); err != nil {
			return err
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
