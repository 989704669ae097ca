package s3xml

import (
	"bufio"
	"io"
	"strconv"
	"unicode/utf8"
)

// Namespace is the namespace of every document but errors.
const Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// A Writer writes one document. Errors of the underlying writer are kept and
// returned by [Writer.Close]. It is used by one goroutine.
type Writer struct {
	w    *bufio.Writer
	open []string
}

// NewWriter begins a document with a root element of the given name, in
// [Namespace] if namespaced.
func NewWriter(w io.Writer, root string, namespaced bool) *Writer {
	x := &Writer{w: bufio.NewWriter(w)}
	x.raw(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<" + root)
	if namespaced {
		x.raw(` xmlns="` + Namespace + `"`)
	}
	x.raw(">")
	x.open = append(x.open, root)
	return x
}

// Open begins an element, which End ends.
func (x *Writer) Open(name string) {
	x.raw("<" + name + ">")
	x.open = append(x.open, name)
}

// OpenWith begins an element whose start tag carries attributes, as they are.
func (x *Writer) OpenWith(name, attributes string) {
	x.raw("<" + name + " " + attributes + ">")
	x.open = append(x.open, name)
}

// End ends the innermost element that is open.
func (x *Writer) End() {
	last := len(x.open) - 1
	x.raw("</" + x.open[last] + ">")
	x.open = x.open[:last]
}

// Text writes an element that holds value.
func (x *Writer) Text(name, value string) {
	x.raw("<" + name + ">")
	x.Chars(value)
	x.raw("</" + name + ">")
}

// Int writes an element that holds value in decimal.
func (x *Writer) Int(name string, value int64) { x.Text(name, strconv.FormatInt(value, 10)) }

// Bool writes an element that holds true or false.
func (x *Writer) Bool(name string, value bool) { x.Text(name, strconv.FormatBool(value)) }

// Chars writes value as character data of the innermost element.
func (x *Writer) Chars(value string) {
	start := 0
	for i := 0; i < len(value); {
		r, width := utf8.DecodeRuneInString(value[i:])
		if escaped, ok := escape(r, width); ok {
			x.raw(value[start:i])
			x.raw(escaped)
			start = i + width
		}
		i += width
	}
	x.raw(value[start:])
}

// escape returns how r is written where it cannot stand for itself. White
// space other than the blank is among it, because parsers normalize it.
func escape(r rune, width int) (string, bool) {
	switch {
	case r == '&':
		return "&amp;", true
	case r == '<':
		return "&lt;", true
	case r == '>':
		return "&gt;", true
	case r == '"':
		return "&quot;", true
	case r < ' ', r == 0xFFFE, r == 0xFFFF:
		return "&#x" + strconv.FormatInt(int64(r), 16) + ";", true
	case r == utf8.RuneError && width == 1:
		return "\uFFFD", true
	}
	return "", false
}

// Close ends every element that is open and flushes.
func (x *Writer) Close() error {
	for len(x.open) > 0 {
		x.End()
	}
	return x.w.Flush()
}

// raw drops the error, which bufio keeps until Flush.
func (x *Writer) raw(s string) { _, _ = x.w.WriteString(s) }
