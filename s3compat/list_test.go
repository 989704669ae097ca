package s3compat_test

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/event"
)

// withKeys puts an object under each key.
func (r *rig) withKeys(t *testing.T, keys ...string) *rig {
	t.Helper()
	r.withBucket(t)
	for _, key := range keys {
		_, err := r.engine.Put(ctxOf(t, alice), "bucket", key, strings.NewReader("x"), engine.PutOptions{})
		require.NoError(t, err, "%q", key)
	}
	r.events.Reset()
	return r
}

func TestListingsOfBothVersions(t *testing.T) {
	t.Parallel()
	s := newRig(t).withKeys(t, "a", "b/1", "b/2", "c//d", "c//e", "z")
	for _, c := range []struct {
		query          string
		keys, prefixes []string
	}{
		{"", []string{"a", "b/1", "b/2", "c//d", "c//e", "z"}, nil},
		{"prefix=b/", []string{"b/1", "b/2"}, nil},
		{"delimiter=/", []string{"a", "z"}, []string{"b/", "c/"}},
		{"delimiter=/&prefix=c/", nil, []string{"c//"}},
		{"delimiter=//", []string{"a", "b/1", "b/2", "z"}, []string{"c//"}},
		{"delimiter=x", []string{"a", "b/1", "b/2", "c//d", "c//e", "z"}, nil},
		{"prefix=nothing", nil, nil},
		{"prefix=a%3Bb", nil, nil},
	} {
		for _, version := range []string{"", "list-type=2&"} {
			l := s.list(t, "/bucket?"+version+c.query)
			assert.ElementsMatch(t, c.keys, l.keys(), c.query)
			assert.ElementsMatch(t, c.prefixes, l.prefixes(), c.query)
			assert.False(t, l.IsTruncated)
			assert.Equal(t, 1000, l.MaxKeys)
			if version != "" {
				assert.Equal(t, len(c.keys)+len(c.prefixes), l.KeyCount)
			}
			s.wantEvent(t, event.ListArtifacts, event.OK)
		}
	}
	l := s.list(t, "/bucket?prefix=z")
	o := l.Contents[0]
	assert.Equal(t, "bucket", l.Name)
	assert.Equal(t, int64(1), o.Size)
	assert.Equal(t, "STANDARD", o.StorageClass)
	assert.Regexp(t, `^".+"$`, o.ETag)
	assert.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, o.LastModified)
	require.NotNil(t, o.Owner)
	assert.Equal(t, "alice", o.Owner.ID)
	assert.Nil(t, s.list(t, "/bucket?list-type=2&prefix=z").Contents[0].Owner)
	assert.Equal(t, "Alice A.", s.list(t, "/bucket?list-type=2&prefix=z&fetch-owner=true").Contents[0].Owner.DisplayName)
}

func TestPagesOfTheFirstVersionAreExact(t *testing.T) {
	t.Parallel()
	s := newRig(t).withKeys(t, "a", "b/1", "b/2", "c", "d/1", "e")
	for _, delimiter := range []string{"", "/"} {
		var all []string
		marker := ""
		for pages := 0; ; pages++ {
			require.Less(t, pages, 10)
			l := s.list(t, "/bucket?max-keys=1&delimiter="+delimiter+"&marker="+url.QueryEscape(marker))
			assert.Equal(t, 1, l.MaxKeys)
			assert.Equal(t, marker, l.Marker)
			page := append(l.keys(), l.prefixes()...)
			require.Len(t, page, 1)
			all = append(all, page...)
			if !l.IsTruncated {
				assert.Empty(t, l.NextMarker)
				break
			}
			if delimiter == "" {
				assert.Empty(t, l.NextMarker)
				marker = page[0]
			} else {
				assert.Equal(t, page[0], l.NextMarker)
				marker = l.NextMarker
			}
		}
		want := []string{"a", "b/1", "b/2", "c", "d/1", "e"}
		if delimiter != "" {
			want = []string{"a", "b/", "c", "d/", "e"}
		}
		assert.Equal(t, want, all)
	}
	l := s.list(t, "/bucket?delimiter=/&marker=b/1")
	assert.Equal(t, []string{"d/"}, l.prefixes(), "a common prefix before the marker is not shown")
}

func TestPagesOfTheSecondVersionAreExact(t *testing.T) {
	t.Parallel()
	s := newRig(t).withKeys(t, "a", "b/1", "b/2", "c", "d/1", "e")
	var all []string
	next := ""
	for pages := 0; ; pages++ {
		require.Less(t, pages, 10)
		path := "/bucket?list-type=2&max-keys=2&delimiter=/&start-after=a"
		if next != "" {
			path += "&continuation-token=" + next
		}
		l := s.list(t, path)
		assert.Equal(t, next, l.ContinuationToken)
		assert.Equal(t, "a", l.StartAfter)
		assert.Equal(t, len(l.Contents)+len(l.CommonPrefixes), l.KeyCount)
		all = append(all, append(l.keys(), l.prefixes()...)...)
		if next = l.NextContinuationToken; next == "" {
			assert.False(t, l.IsTruncated)
			break
		}
		assert.True(t, l.IsTruncated)
	}
	assert.Equal(t, []string{"c", "b/", "e", "d/"}, all)
}

func TestAPageOfNothing(t *testing.T) {
	t.Parallel()
	s := newRig(t).withKeys(t, "a", "b")
	for _, version := range []string{"", "&list-type=2"} {
		l := s.list(t, "/bucket?max-keys=0"+version)
		assert.Empty(t, l.Contents)
		assert.False(t, l.IsTruncated)
		assert.Zero(t, l.MaxKeys)
		s.do(t, "GET", "/absent?max-keys=0"+version, "").want(t, 404, "NoSuchBucket")
	}
	assert.Equal(t, 1000, s.list(t, "/bucket?max-keys=2000").MaxKeys)
}

func TestBadParametersOfListings(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	for _, c := range []struct{ query, name, message string }{
		{"max-keys=x", "max-keys", "Provided max-keys not an integer or within integer range"},
		{"max-keys=2147483648", "max-keys", "Provided max-keys not an integer or within integer range"},
		{"max-keys=-1", "maxKeys", "Argument maxKeys must be an integer between 0 and 2147483647"},
		{"encoding-type=html", "encoding-type", "Invalid Encoding Method specified in Request"},
		{"list-type=2&continuation-token=", "continuation-token", "The continuation token provided is incorrect"},
		{"list-type=2&continuation-token=AAAA", "continuation-token", "The continuation token provided is incorrect"},
		{"list-type=3", "list-type", "Invalid List Type specified in Request"},
	} {
		e := s.do(t, "GET", "/bucket?"+c.query, "").want(t, 400, "InvalidArgument")
		assert.Equal(t, c.name, e.ArgumentName, c.query)
		assert.Equal(t, c.message, e.Message)
		s.wantEvent(t, event.ListArtifacts, event.Invalid)
	}
}

func TestEncodedListings(t *testing.T) {
	t.Parallel()
	key := "p/a b+c&\x01é*~"
	s := newRig(t).withKeys(t, key, "p/z/1")
	q := "encoding-type=url&prefix=p%2F&delimiter=%2F&max-keys=1"
	l := s.list(t, "/bucket?"+q)
	assert.Equal(t, []string{"p/a%20b%2Bc%26%01%C3%A9%2A~"}, l.keys())
	assert.Equal(t, "p/a%20b%2Bc%26%01%C3%A9%2A~", l.NextMarker)
	assert.Equal(t, "url", l.EncodingType)
	assert.Equal(t, "p/", l.Prefix)
	l = s.list(t, "/bucket?list-type=2&encoding-type=url&start-after=p%2Fa%20b&delimiter=%20")
	assert.Equal(t, "p/a%20b", l.StartAfter)
	assert.Equal(t, "%20", l.Delimiter)
	assert.Equal(t, []string{"p/z/1"}, l.keys())
	l = s.list(t, "/bucket?encoding-type=url&marker=%2B&delimiter=%20")
	assert.Equal(t, "%2B", l.Marker)
	assert.Equal(t, []string{"p/a%20"}, l.prefixes())
}

// Every key that XML has no place for goes through a listing and a DeleteObjects
// as numeric references.
func TestEveryKeyCanBeListedAndDeleted(t *testing.T) {
	t.Parallel()
	var keys []string
	for r := rune(1); r < 0x20; r++ {
		keys = append(keys, fmt.Sprintf("k%c", r))
	}
	keys = append(keys, "k\ufffe", "k\uffff", "k&", "k<>", `k"'`, "k\r\n", " k ", "k]]>", "ké世😀", "/k", "a//k", "a/../k", ".../x")
	s := newRig(t).withKeys(t, keys...)
	body := s.do(t, "GET", "/bucket", "").body
	assert.NotContains(t, body, "\ufffd")
	assert.Contains(t, body, "<Key>k&#x1;</Key>")
	// The listing's own <Key> elements, verbatim, are what is deleted.
	var request strings.Builder
	request.WriteString("<Delete>")
	for rest := body; ; {
		_, after, ok := strings.Cut(rest, "<Key>")
		if !ok {
			break
		}
		var key string
		key, rest, _ = strings.Cut(after, "</Key>")
		request.WriteString("<Object><Key>" + key + "</Key></Object>")
	}
	request.WriteString("</Delete>")
	res := s.do(t, "POST", "/bucket?delete", request.String())
	res.want(t, 200, "")
	assert.Equal(t, len(keys), strings.Count(res.body, "<Deleted>"))
	assert.Empty(t, s.list(t, "/bucket").Contents)
}

// A deleteResult is the body of DeleteObjects.
type deleteResult struct {
	Deleted []struct{ Key string }
	Error   []struct{ Key, Code, Message string }
}

func (c client) deleteObjects(t *testing.T, body string, headers ...string) (d deleteResult) {
	t.Helper()
	res := c.do(t, "POST", "/bucket?delete", body, headers...)
	res.want(t, 200, "")
	require.NoError(t, xml.Unmarshal([]byte(res.body), &d), res.body)
	return d
}

func TestDeleteObjectsAnswersForEachKey(t *testing.T) {
	t.Parallel()
	s := newRig(t).withKeys(t, "a", "b", "c")
	d := s.deleteObjects(t, `<?xml version="1.0"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`+
		`<Object><Key>a</Key></Object><Object><Key>absent</Key></Object>`+
		`<Object><Key>b</Key><ETag>"other"</ETag></Object><Object><Key>absent</Key><ETag>*</ETag></Object>`+
		`<Object><Key>c</Key><VersionId>v</VersionId></Object><Object><Key>../x</Key></Object>`+
		`<Object><Key>`+strings.Repeat("k", 1025)+`</Key></Object></Delete>`)
	require.Len(t, d.Deleted, 2)
	assert.Equal(t, "a", d.Deleted[0].Key)
	assert.Equal(t, "absent", d.Deleted[1].Key)
	var codes []string
	for _, e := range d.Error {
		codes = append(codes, e.Code)
		assert.NotEmpty(t, e.Message)
	}
	assert.Equal(t, []string{"PreconditionFailed", "NoSuchKey", "NotImplemented", "InvalidURI", "KeyTooLongError"}, codes)
	deletes := 0
	for _, e := range s.events.Events() {
		if e.Op == event.DeleteArtifact {
			deletes++
		}
	}
	assert.Equal(t, 7, deletes, "one event for each key")
	assert.Equal(t, []string{"b", "c"}, s.list(t, "/bucket").keys())

	d = s.deleteObjects(t, "<Delete><Quiet>true</Quiet><Object><Key>b</Key></Object><Object><Key>c</Key></Object></Delete>")
	assert.Empty(t, d.Deleted)
	assert.Empty(t, s.list(t, "/bucket").keys())
}

func TestDeleteObjectsRefusesBadBodies(t *testing.T) {
	t.Parallel()
	s := newRig(t).withKeys(t, "a")
	many := "<Delete>" + strings.Repeat("<Object><Key>a</Key></Object>", 1001) + "</Delete>"
	bomb := `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "` + strings.Repeat("&lol;", 10) +
		`">]><Delete><Object><Key>&lol2;</Key></Object></Delete>`
	for name, body := range map[string]string{
		"not XML": "a", "cut off": "<Delete><Object>", "nothing": "<Delete/>", "no key": "<Delete><Object/></Delete>",
		"another root": "<Remove><Object><Key>a</Key></Object></Remove>", "too many": many, "bomb": bomb,
		"unknown": "<Delete><Key>a</Key></Delete>", "deep": "<Delete><Object><Key><a><b/></a></Key></Object></Delete>",
		"two":        "<Delete><Object><Key>a</Key></Object></Delete><Delete/>",
		"two keys":   "<Delete><Object><Key>b</Key><Key>a</Key></Object></Delete>",
		"two tags":   `<Delete><Object><Key>a</Key><ETag>"x"</ETag><ETag>*</ETag></Object></Delete>`,
		"two quiets": "<Delete><Quiet>true</Quiet><Object><Key>a</Key></Object><Quiet>false</Quiet></Delete>",
		"empty tag":  "<Delete><Object><Key>a</Key><ETag></ETag></Object></Delete>",
		"no tag":     "<Delete><Object><Key>a</Key><ETag> , </ETag></Object></Delete>",
		"long text":  "<Delete><Object><Key>" + strings.Repeat("a", 8193) + "</Key></Object></Delete>",
	} {
		s.do(t, "POST", "/bucket?delete", body).want(t, 400, "MalformedXML")
		e := s.wantEvent(t, event.DeleteArtifact, event.Invalid)
		assert.Equal(t, "DeleteObjects", e.Request.API, name)
	}
	s.do(t, "POST", "/bucket?delete", "").want(t, 400, "MissingRequestBodyError")
	ok := "<Delete><Object><Key>a</Key></Object></Delete>"
	s.do(t, "POST", "/bucket?delete", ok, "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==").want(t, 400, "BadDigest")
	s.do(t, "POST", "/bucket?delete", ok, "X-Amz-Checksum-Crc32: AAAAAA==").want(t, 400, "BadDigest")
	assert.Contains(t, rawRequest(t, s, "POST", "/bucket?delete", "", []string{
		"Content-Length: 8388609", "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==", "Expect: 100-continue",
	}), "<Code>MaxMessageLengthExceeded</Code>")
	s.do(t, "POST", "/absent?delete", ok).want(t, 404, "NoSuchBucket")
	r := s.request(t, "POST", "/bucket?delete", ok)
	s.signer.Sign(r, "UNSIGNED-PAYLOAD")
	assert.Equal(t, "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
		send(t, r).want(t, 400, "InvalidRequest").Message)
	r = s.request(t, "POST", "/bucket?delete", ok)
	s.signer.Sign(r, strings.Repeat("0", 64))
	send(t, r).want(t, 400, "XAmzContentSHA256Mismatch")
	assert.Equal(t, []string{"a"}, s.list(t, "/bucket").keys(), "nothing was deleted")
	s.do(t, "POST", "/bucket?delete", ok, "X-Amz-Checksum-Crc32: "+crcOf(ok)).want(t, 200, "")
}
