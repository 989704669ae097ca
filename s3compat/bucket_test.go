package s3compat_test

import (
	"encoding/base64"
	"encoding/xml"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/s3compat"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4/sigv4test"
)

const (
	alice = iota
	bob
	root
	carol
)

func constraint(region string) string {
	return `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>` +
		region + `</LocationConstraint></CreateBucketConfiguration>`
}

func TestTheLifeOfABucket(t *testing.T) {
	t.Parallel()
	s := newRig(t)
	created := s.do(t, "PUT", "/bucket", "")
	created.want(t, 200, "")
	assert.Equal(t, "/bucket", created.header.Get("Location"))
	s.wantEvent(t, event.CreateContainer, event.OK)
	e := s.do(t, "PUT", "/bucket", "").want(t, 409, "BucketAlreadyOwnedByYou")
	assert.Equal(t, "bucket", e.BucketName)

	head := s.do(t, "HEAD", "/bucket/", "")
	head.want(t, 200, "")
	assert.Equal(t, region, head.header.Get("X-Amz-Bucket-Region"))
	s.do(t, "PUT", "/bucket/k", "x").want(t, 200, "")
	s.events.Reset()
	s.do(t, "DELETE", "/bucket", "").want(t, 409, "BucketNotEmpty")
	s.wantEvent(t, event.DeleteContainer, event.Conflict)
	s.do(t, "DELETE", "/bucket/k", "").want(t, 204, "")
	s.do(t, "DELETE", "/bucket", "").want(t, 204, "")
	s.do(t, "DELETE", "/bucket", "").want(t, 404, "NoSuchBucket")

	head = s.do(t, "HEAD", "/bucket", "")
	head.want(t, 404, "")
	assert.Empty(t, head.body)
	assert.Equal(t, region, head.header.Get("X-Amz-Bucket-Region"))
}

func TestBucketNamesFollowTheRules(t *testing.T) {
	t.Parallel()
	s := newRig(t)
	for _, name := range []string{"ab", "Upper", "under_score", "-a-", "a..b", ".ab", "ab.", "192.168.5.4", "xn--abc", "a-s3alias", "sthree-a", "a-111122223333-us-east-1-an"} {
		e := s.do(t, "PUT", "/"+name, "").want(t, 400, "InvalidBucketName")
		assert.Equal(t, name, e.BucketName)
		s.wantEvent(t, event.CreateContainer, event.Invalid)
	}
	for _, name := range []string{"abc", "a.b-c", "0bucket0"} {
		s.do(t, "PUT", "/"+name, "").want(t, 200, "")
	}
	s.do(t, "GET", "/a%2Fb", "").want(t, 400, "InvalidBucketName")
	s.do(t, "GET", "//k", "").want(t, 400, "InvalidBucketName")
}

func TestContainersOfOtherNamesCanBeUsed(t *testing.T) {
	t.Parallel()
	s := newRig(t)
	_, err := s.engine.CreateContainer(ctxOf(t, alice), "My Photos", engine.CreateContainerOptions{})
	require.NoError(t, err)
	s.do(t, "PUT", "/My%20Photos/k", "x").want(t, 200, "")
	assert.Equal(t, []string{"k"}, s.list(t, "/My%20Photos").keys())
}

func TestCreateBucketHonorsOnlyWhatItCan(t *testing.T) {
	t.Parallel()
	s := newRig(t)
	for _, c := range []struct {
		body, header string
		status       int
		code         string
	}{
		{constraint("eu-west-1"), "", 400, "IllegalLocationConstraintException"},
		{constraint("us-east-1"), "", 400, "InvalidLocationConstraint"},
		{constraint("mars"), "", 400, "InvalidLocationConstraint"},
		{constraint(""), "", 400, "InvalidLocationConstraint"},
		{"<CreateBucketConfiguration>", "", 400, "MalformedXML"},
		{"<Other/>", "", 400, "MalformedXML"},
		{"<CreateBucketConfiguration><Bogus/></CreateBucketConfiguration>", "", 400, "MalformedXML"},
		{"<CreateBucketConfiguration><Tags/></CreateBucketConfiguration>", "", 501, "NotImplemented"},
		{"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint><LocationConstraint/></CreateBucketConfiguration>", "", 400, "MalformedXML"},
		{`<!DOCTYPE a [<!ENTITY b "c">]>` + constraint("&b;"), "", 400, "MalformedXML"},
		{"", "X-Amz-Acl: public-read", 501, "NotImplemented"},
		{"", "X-Amz-Grant-Read: id=x", 501, "NotImplemented"},
		{"", "X-Amz-Bucket-Object-Lock-Enabled: true", 501, "NotImplemented"},
		{"", "X-Amz-Bucket-Namespace: account-regional", 501, "NotImplemented"},
		{"", "X-Amz-Object-Ownership: ObjectWriter", 501, "NotImplemented"},
		{"", "X-Amz-Object-Ownership: Nobody", 400, "InvalidArgument"},
		{"", "X-Amz-Expected-Bucket-Owner: bob", 403, "AccessDenied"},
	} {
		var headers []string
		if c.header != "" {
			headers = append(headers, c.header)
		}
		s.do(t, "PUT", "/bucket", c.body, headers...).want(t, c.status, c.code)
		require.Len(t, s.events.Events(), 1)
		s.events.Reset()
	}
	s.do(t, "HEAD", "/bucket", "").want(t, 404, "")
	s.do(t, "PUT", "/bucket", "", "X-Amz-Bucket-Object-Lock-Enabled: false", "X-Amz-Bucket-Object-Lock-Enabled: true").want(t, 501, "NotImplemented")
	s.do(t, "PUT", "/bucket", "", "X-Amz-Acl: private", "X-Amz-Acl: public-read").want(t, 400, "InvalidArgument")
	s.do(t, "PUT", "/bucket", "", "X-Amz-Acl: private", "X-Amz-Bucket-Object-Lock-Enabled: false", "X-Amz-Bucket-Namespace: global",
		"X-Amz-Object-Ownership: BucketOwnerEnforced", "X-Amz-Expected-Bucket-Owner: alice").want(t, 200, "")
}

func TestABodyThatWasRemovedIsMissed(t *testing.T) {
	t.Parallel()
	s := newRig(t)
	body := constraint("eu-west-1")
	r := s.request(t, "PUT", "/bucket", "")
	s.signer.Sign(r, sigv4test.Sum(body))
	send(t, r).want(t, 400, "XAmzContentSHA256Mismatch")
	s.do(t, "PUT", "/bucket", "", "Content-MD5: "+base64.StdEncoding.EncodeToString(md5Of(body))).want(t, 400, "BadDigest")
	s.do(t, "PUT", "/bucket", "", "X-Amz-Checksum-Crc32: "+crcOf(body)).want(t, 400, "BadDigest")
	s.do(t, "HEAD", "/bucket", "").want(t, 404, "")
	s.do(t, "PUT", "/bucket", "", "Content-MD5: "+base64.StdEncoding.EncodeToString(md5Of(""))).want(t, 200, "")
	raw := rawRequest(t, s, "PUT", "/another", "", nil)
	assert.Contains(t, raw, "HTTP/1.1 200 OK", "no length is no body")
}

func TestAnotherRegionIsAskedForByItsName(t *testing.T) {
	t.Parallel()
	s := newRig(t, s3compat.WithRegion("eu-west-1"))
	s.signer.Region = "eu-west-1"
	s.do(t, "PUT", "/bucket", "").want(t, 400, "IllegalLocationConstraintException")
	s.do(t, "PUT", "/bucket", constraint("EU")).want(t, 200, "")
	s.do(t, "PUT", "/bucket2", constraint("eu-west-1")).want(t, 200, "")
	assert.Contains(t, s.do(t, "GET", "/bucket?location", "").body,
		`<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1</LocationConstraint>`)
	s.signer.Region = region
	assert.Equal(t, "eu-west-1", s.do(t, "GET", "/", "").want(t, 400, "AuthorizationHeaderMalformed").Region)
}

func TestCreateCanBeIdempotent(t *testing.T) {
	t.Parallel()
	s := newRig(t, s3compat.WithIdempotentCreate()).withBucket(t)
	s.do(t, "PUT", "/bucket", "").want(t, 200, "")
	s.as(bob).do(t, "PUT", "/bucket", "").want(t, 409, "BucketAlreadyExists")
	s.as(root).do(t, "PUT", "/bucket", "").want(t, 409, "BucketAlreadyExists")
}

func TestSettingsThatNobodyCanChangeAreAnswered(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	const ns = ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`
	for sub, want := range map[string]string{
		"location":       "<LocationConstraint" + ns + "</LocationConstraint>",
		"versioning":     "<VersioningConfiguration" + ns + "</VersioningConfiguration>",
		"logging":        "<BucketLoggingStatus" + ns + "</BucketLoggingStatus>",
		"notification":   "<NotificationConfiguration" + ns + "</NotificationConfiguration>",
		"accelerate":     "<AccelerateConfiguration" + ns + "</AccelerateConfiguration>",
		"requestPayment": "<RequestPaymentConfiguration" + ns + "<Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
		"policyStatus":   "<PolicyStatus" + ns + "<IsPublic>false</IsPublic></PolicyStatus>",
	} {
		res := s.do(t, "GET", "/bucket?"+sub, "")
		res.want(t, 200, "")
		assert.Equal(t, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+want, res.body)
		s.wantEvent(t, event.StatContainer, event.OK)
		s.do(t, "GET", "/absent?"+sub, "").want(t, 404, "NoSuchBucket")
		s.events.Reset()
	}
}

func TestTheACLGivesTheOwnerFullControl(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	s.do(t, "PUT", "/bucket/k", "x").want(t, 200, "")
	for _, path := range []string{"/bucket?acl", "/bucket/k?acl"} {
		res := s.do(t, "GET", path, "")
		res.want(t, 200, "")
		var acl struct {
			Owner             struct{ ID, DisplayName string }
			AccessControlList struct {
				Grant []struct {
					Grantee    struct{ ID, DisplayName string }
					Permission string
				}
			}
		}
		require.NoError(t, xml.Unmarshal([]byte(res.body), &acl))
		assert.Equal(t, "alice", acl.Owner.ID)
		assert.Equal(t, "Alice A.", acl.Owner.DisplayName)
		require.Len(t, acl.AccessControlList.Grant, 1)
		assert.Equal(t, "FULL_CONTROL", acl.AccessControlList.Grant[0].Permission)
		assert.Equal(t, "alice", acl.AccessControlList.Grant[0].Grantee.ID)
	}
	s.do(t, "GET", "/bucket/absent?acl", "").want(t, 404, "NoSuchKey")
}

// A bucketList is the body of ListBuckets.
type bucketList struct {
	Owner   struct{ ID, DisplayName string }
	Buckets struct {
		Bucket []struct{ Name, CreationDate, BucketRegion string }
	}
	ContinuationToken string
	Prefix            string
}

func (c client) buckets(t *testing.T, query string) (names []string, l bucketList) {
	t.Helper()
	res := c.do(t, "GET", "/"+query, "")
	res.want(t, 200, "")
	require.NoError(t, xml.Unmarshal([]byte(res.body), &l), res.body)
	for _, b := range l.Buckets.Bucket {
		assert.Equal(t, region, b.BucketRegion)
		assert.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, b.CreationDate)
		names = append(names, b.Name)
	}
	return names, l
}

func TestListBucketsShowsOnesOwn(t *testing.T) {
	t.Parallel()
	s := newRig(t)
	for _, name := range []string{"aa1", "aa2", "bb1"} {
		s.do(t, "PUT", "/"+name, "").want(t, 200, "")
	}
	s.as(bob).do(t, "PUT", "/bobs", "").want(t, 200, "")
	s.events.Reset()
	names, l := s.buckets(t, "")
	assert.Equal(t, []string{"aa1", "aa2", "bb1"}, names)
	assert.Equal(t, "alice", l.Owner.ID)
	assert.Equal(t, "Alice A.", l.Owner.DisplayName)
	s.wantEvent(t, event.ListContainers, event.OK)
	names, _ = s.as(root).buckets(t, "")
	assert.Equal(t, []string{"aa1", "aa2", "bb1", "bobs"}, names)
	names, _ = s.as(carol).buckets(t, "")
	assert.Empty(t, names)
	names, l = s.buckets(t, "?prefix=aa")
	assert.Equal(t, []string{"aa1", "aa2"}, names)
	assert.Equal(t, "aa", l.Prefix)
	names, _ = s.buckets(t, "?bucket-region=eu-west-1")
	assert.Empty(t, names)

	names, l = s.buckets(t, "?max-buckets=2")
	assert.Equal(t, []string{"aa1", "aa2"}, names)
	require.NotEmpty(t, l.ContinuationToken)
	names, l = s.buckets(t, "?max-buckets=2&continuation-token="+l.ContinuationToken)
	assert.Equal(t, []string{"bb1"}, names)
	assert.Empty(t, l.ContinuationToken)
	names, l = s.buckets(t, "?max-buckets=3")
	assert.Len(t, names, 3)
	assert.Empty(t, l.ContinuationToken)
	s.events.Reset()
	for _, query := range []string{"?max-buckets=0", "?max-buckets=x", "?max-buckets=-1", "?max-buckets=10001", "?continuation-token=x"} {
		s.do(t, "GET", "/"+query, "").want(t, 400, "InvalidArgument")
		s.wantEvent(t, event.ListContainers, event.Invalid)
	}
}

func TestABucketIsItsOwners(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	s.do(t, "PUT", "/bucket/k", "x").want(t, 200, "")
	for _, c := range []struct{ method, path, body string }{
		{"HEAD", "/bucket", ""}, {"GET", "/bucket", ""}, {"GET", "/bucket?list-type=2", ""}, {"DELETE", "/bucket", ""},
		{"GET", "/bucket?location", ""}, {"GET", "/bucket?acl", ""}, {"GET", "/bucket/k?acl", ""},
		{"PUT", "/bucket/k", "y"}, {"GET", "/bucket/k", ""}, {"HEAD", "/bucket/k", ""}, {"DELETE", "/bucket/k", ""},
		{"POST", "/bucket?delete", "<Delete><Object><Key>k</Key></Object></Delete>"},
	} {
		denied, absent := "AccessDenied", "NoSuchBucket"
		if c.method == "HEAD" {
			denied, absent = "", ""
		}
		s.events.Reset()
		s.as(bob).do(t, c.method, c.path, c.body).want(t, 403, denied)
		require.Len(t, s.events.Events(), 1, "%v", c)
		assert.Equal(t, event.Denied, s.events.Events()[0].Outcome)
		s.as(carol).do(t, c.method, c.path, c.body).want(t, 404, absent)
	}
	s.as(bob).do(t, "PUT", "/bucket", "").want(t, 409, "BucketAlreadyExists")
	s.as(carol).do(t, "PUT", "/bucket", "").want(t, 200, "") // tenants do not share names
	assert.Equal(t, "x", s.do(t, "GET", "/bucket/k", "").body)
	s.as(root).do(t, "PUT", "/bucket/k", "z").want(t, 200, "")
	assert.Equal(t, "z", s.do(t, "GET", "/bucket/k", "").body)
}

func TestTheExpectedOwnerIsCheckedOnEveryOperation(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	s.do(t, "PUT", "/bucket/k", "x", "X-Amz-Expected-Bucket-Owner: alice").want(t, 200, "")
	for _, c := range []struct {
		method, path, body string
		op                 event.Op
	}{
		{"HEAD", "/bucket", "", event.StatContainer}, {"GET", "/bucket", "", event.ListArtifacts},
		{"DELETE", "/bucket", "", event.DeleteContainer}, {"PUT", "/bucket/k", "y", event.PutArtifact},
		{"GET", "/bucket/k", "", event.GetArtifact}, {"HEAD", "/bucket/k", "", event.StatArtifact},
		{"DELETE", "/bucket/k", "", event.DeleteArtifact},
		{"POST", "/bucket?delete", "<Delete><Object><Key>k</Key></Object></Delete>", event.DeleteArtifact},
	} {
		code := "AccessDenied"
		if c.method == "HEAD" {
			code = ""
		}
		s.events.Reset()
		s.do(t, c.method, c.path, c.body, "X-Amz-Expected-Bucket-Owner: bob").want(t, 403, code)
		events := s.events.Events()
		require.Len(t, events, 2, "one to learn the owner, one refused")
		assert.Equal(t, c.op, events[1].Op)
		assert.Equal(t, event.Denied, events[1].Outcome)
	}
	assert.Equal(t, "x", s.do(t, "GET", "/bucket/k", "").body)
}
