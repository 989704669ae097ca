package s3xml_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/s3compat/internal/s3xml"
)

var limits = s3xml.Limits{Bytes: 1 << 16, Depth: 4, Elements: 50, Text: 1 << 17}

func write(t *testing.T, value string) string {
	t.Helper()
	var b bytes.Buffer
	w := s3xml.NewWriter(&b, "Delete", true)
	w.Open("Object")
	w.Text("Key", value)
	require.NoError(t, w.Close())
	return b.String()
}

func TestEveryCharacterSurvivesWritingAndReading(t *testing.T) {
	t.Parallel()
	for r := rune(0); r < 0x20; r++ {
		assertRoundTrip(t, "a"+string(r)+"b")
	}
	for _, value := range []string{
		"", " a ", "\r\n", "a&b<c>d\"e'f", "]]>", "\ufffe\uffff", "\u00e9\u4e16\U0001F600", "\x7f\u0085",
	} {
		assertRoundTrip(t, value)
	}
}

func assertRoundTrip(t *testing.T, value string) {
	t.Helper()
	root, err := s3xml.Parse(strings.NewReader(write(t, value)), limits)
	require.NoError(t, err, "%q", value)
	want := s3xml.Element{Name: "Delete", Children: []s3xml.Element{
		{Name: "Object", Children: []s3xml.Element{{Name: "Key", Text: value}}},
	}}
	assert.Empty(t, cmp.Diff(want, root), "%q", value)
}

func TestControlCharactersAreWrittenAsNumericReferences(t *testing.T) {
	t.Parallel()
	text := write(t, "a\x01\rb\ufffe")
	assert.Contains(t, text, "<Key>a&#x1;&#xd;b&#xfffe;</Key>")
	assert.NotContains(t, text, "\ufffd")
	assert.Contains(t, text, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+`<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
}

func TestParseAcceptsTheFormsOfXMLThatClientsSend(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]string{
		"declaration":  `<?xml version="1.0" encoding="utf-8" standalone="yes"?><a><b>x</b></a>`,
		"byte order":   "\ufeff<a><b>x</b></a>",
		"white space":  " \r\n<a >\n\t<b\n>x</b >\n</a>\n ",
		"comment":      "<!-- c --><a><!--d--><b>x</b></a><!-- e -->",
		"data":         "<a><b><![CDATA[x]]></b></a>",
		"reference":    "<a><b>&#120;</b></a>",
		"hexadecimal":  "<a><b>&#x78;</b></a>",
		"prefix":       `<s:a xmlns:s="u"><s:b>x</s:b></s:a>`,
		"attributes":   `<a xmlns="u" y='"1"' ><b z="&lt;">x</b></a>`,
		"instructions": `<a><?p q?><b>x</b></a>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, err := s3xml.Parse(iotest.OneByteReader(strings.NewReader(doc)), limits)
			require.NoError(t, err)
			want := s3xml.Element{Name: "a", Children: []s3xml.Element{{Name: "b", Text: "x"}}}
			assert.Empty(t, cmp.Diff(want, root))
		})
	}
}

func TestEndsOfLinesAreNormalizedUnlessReferenced(t *testing.T) {
	t.Parallel()
	root, err := s3xml.Parse(strings.NewReader("<a>1\r\n2\r3&#13;4</a>"), limits)
	require.NoError(t, err)
	assert.Equal(t, "1\n2\n3\r4", root.Text)
}

func TestParseRefusesWhatIsNotWellFormed(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{
		"", "x", "<", "<a", "<a>", "<a></b>", "<a><b></a></b>", "<a/><b/>", "<a/>x", "<a>&b;</a>", "<a>&amp</a>",
		"<a>&#xD800;</a>", "<a>&#x110000;</a>", "<a>&#;</a>", "<a>&120;</a>", "<a>\x01</a>", "<a>\xff</a>", "<a>\ufffe</a>",
		"<a b></a>", "<a b=c></a>", `<a b="c"d="e"/>`, `<a b="<"/>`, "<a>]]></a>", "<a>x<b/></a>", "<1/>", "<a:/>", "</a>",
		"<a / >", "<!-- a -- b --><a/>", `<?xml version="1.0" encoding="UTF-16"?><a/>`, "<a><!-- </a>", "<a/><", "<a/><?p",
		"<a>&#+120;</a>", "<a>&#x_78;</a>",
	} {
		_, err := s3xml.Parse(strings.NewReader(doc), limits)
		assert.ErrorIs(t, err, s3xml.ErrMalformed, "%q", doc)
	}
}

func TestParseRefusesBombs(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]string{
		"document type": `<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>`,
		"entities":      `<?xml version="1.0"?><!DOCTYPE lol [<!ENTITY lol "lol"><!ENTITY l "&lol;&lol;">]><a>&l;</a>`,
		"depth":         strings.Repeat("<a>", 5) + strings.Repeat("</a>", 5),
		"elements":      "<a>" + strings.Repeat("<b/>", 50) + "</a>",
		"long name":     "<" + strings.Repeat("a", 200) + "/>",
	} {
		_, err := s3xml.Parse(strings.NewReader(doc), limits)
		assert.ErrorIs(t, err, s3xml.ErrMalformed, name)
	}
	_, err := s3xml.Parse(strings.NewReader("<a>"+strings.Repeat("x", 1<<16)+"</a>"), limits)
	assert.ErrorIs(t, err, s3xml.ErrTooLarge)
}

func TestParseAcceptsADocumentOfExactlyTheLimit(t *testing.T) {
	t.Parallel()
	doc := "<a>" + strings.Repeat("x", 9) + "</a>"
	_, err := s3xml.Parse(strings.NewReader(doc), s3xml.Limits{Bytes: int64(len(doc)), Depth: 1, Elements: 1, Text: 9})
	require.NoError(t, err)
	_, err = s3xml.Parse(strings.NewReader(doc), s3xml.Limits{Bytes: int64(len(doc)) - 1, Depth: 1, Elements: 1, Text: 9})
	require.ErrorIs(t, err, s3xml.ErrTooLarge)
}

func TestParseKeepsNoMoreTextThanTheLimit(t *testing.T) {
	t.Parallel()
	limits := s3xml.Limits{Bytes: 1 << 20, Depth: 3, Elements: 1 << 10, Text: 9}
	long := strings.Repeat("x", 100)
	for _, doc := range []string{
		"<a>" + long, "<a>xxxxx<![CDATA[xxxxx]]><", "<a><![CDATA[" + long, "<a>xxxxxxxxx&lt;", "<a>xxxxx<!--c-->xxxxx",
		`<a b="` + long, "<?" + long, "<a>" + strings.Repeat(" ", 10),
	} {
		_, err := s3xml.Parse(io.MultiReader(strings.NewReader(doc), iotest.ErrReader(errors.New("read on"))), limits)
		assert.ErrorIs(t, err, s3xml.ErrMalformed, "%q", doc)
	}
	for _, doc := range []string{
		"<a>" + long[:9] + "</a>", "<a>" + strings.Repeat("&#x78;", 9) + "</a>", "<a><![CDATA[" + long[:9] + "]]></a>",
		"<a><!--" + strings.Repeat("c", 1000) + "--></a>", "<a>" + strings.Repeat("\n\t<b/>\n", 100) + "</a>",
	} {
		_, err := s3xml.Parse(strings.NewReader(doc), limits)
		assert.NoError(t, err, "%q", doc)
	}
}

func TestParseReturnsTheReadersOwnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, doc := range []string{"", "<a>", "<a/>", "<a/>\n"} {
		_, err := s3xml.Parse(io.MultiReader(strings.NewReader(doc), iotest.ErrReader(broken)), limits)
		assert.ErrorIs(t, err, broken, "%q", doc)
	}
}

// FuzzParse compares with encoding/xml: what both accept reads the same, and
// what only ours accepts holds references to characters that XML has not.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"<a><b>x</b></a>", "<a>&#x1;</a>", "<a><![CDATA[x]]>y</a>", "<!DOCTYPE a><a/>", "<a b='c'/>", "<a:b/>", "<a>\r\n</a>",
		`<?xml version="1.0" encoding="UTF-8"?><Delete><Object><Key>k&amp;</Key></Object><Quiet>true</Quiet></Delete>`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		root, err := s3xml.Parse(strings.NewReader(doc), limits)
		if err != nil {
			return
		}
		if strings.Contains(doc, "&#") || strings.Contains(doc, "<?") || strings.HasPrefix(doc, "\ufeff") ||
			strings.Contains(doc, ":") {
			return // forms that encoding/xml treats in its own way
		}
		theirs, err := standard(doc)
		if err != nil {
			t.Fatalf("ours accepts %q, encoding/xml does not: %v", doc, err)
		}
		if diff := cmp.Diff(theirs, root); diff != "" {
			t.Fatalf("%q: %s", doc, diff)
		}
	})
}

func standard(doc string) (s3xml.Element, error) {
	type node struct {
		XMLName  xml.Name
		Text     string `xml:",chardata"`
		Children []node `xml:",any"`
	}
	var convert func(n node) s3xml.Element
	convert = func(n node) s3xml.Element {
		e := s3xml.Element{Name: n.XMLName.Local, Text: n.Text}
		for _, c := range n.Children {
			e.Text = ""
			e.Children = append(e.Children, convert(c))
		}
		return e
	}
	var n node
	if err := xml.Unmarshal([]byte(doc), &n); err != nil {
		return s3xml.Element{}, err
	}
	return convert(n), nil
}
