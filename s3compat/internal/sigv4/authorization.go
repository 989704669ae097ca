package sigv4

import (
	"strings"
)

// maxAuthorization is what S3 allows for all headers together.
const maxAuthorization = 8 << 10

// An authorization is what the Authorization header says.
type authorization struct {
	credential credential
	signed     []string // lower case, sorted, without duplicates
	signature  string   // as the client wrote it, of any form
}

// parseAuthorization parses the value of an Authorization header whose scheme
// is known to be [algorithm]. See "Authenticating Requests: Using the
// Authorization Header (AWS Signature Version 4)".
func parseAuthorization(header string) (authorization, error) {
	if len(header) > maxAuthorization {
		return authorization{}, malformedHeader("it is longer than 8192 bytes.")
	}
	fields, ok := splitComponents(strings.TrimPrefix(header, algorithm))
	if !ok {
		return authorization{}, malformedHeader("the authorization header requires three components: " +
			"Credential, SignedHeaders, and Signature.")
	}
	cred, err := parseCredential(fields.credential)
	if err != nil {
		return authorization{}, err
	}
	signed := strings.Split(fields.signedHeaders, ";")
	if !wellFormedNames(signed) {
		return authorization{}, malformedHeader("the names in SignedHeaders must be in lower case, sorted and without duplicates.")
	}
	return authorization{credential: cred, signed: signed, signature: fields.signature}, nil
}

type components struct{ credential, signedHeaders, signature string }

// splitComponents finds the three components, each exactly once and not empty,
// in any order, separated by commas and optional spaces.
func splitComponents(s string) (c components, ok bool) {
	n := 0
	for part := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(strings.Trim(part, " "), "=")
		var field *string
		switch name {
		case "Credential":
			field = &c.credential
		case "SignedHeaders":
			field = &c.signedHeaders
		case "Signature":
			field = &c.signature
		default:
			return components{}, false
		}
		if *field != "" || value == "" {
			return components{}, false
		}
		*field = value
		n++
	}
	return c, n == 3
}

// A credential names a key and the scope that it signs for.
type credential struct {
	accessKey string
	date      string // yyyyMMdd
	region    string
	service   string
	terminal  string
}

func parseCredential(s string) (credential, error) {
	part := strings.Split(s, "/")
	if len(part) != 5 {
		return credential{}, malformedHeader(
			`the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`)
	}
	c := credential{accessKey: part[0], date: part[1], region: part[2], service: part[3], terminal: part[4]}
	if c.accessKey == "" {
		return credential{}, malformedHeader("a non-empty Access Key (AKID) must be provided in the credential.")
	}
	return c, nil
}

// checkScope checks what does not depend on the time of the request.
func (c credential) checkScope(region string) error {
	switch {
	case !isDate(c.date):
		return malformedHeader(`incorrect date format "` + c.date + `". This date in the credential must be in the format "yyyyMMdd".`)
	case c.region != region:
		e := malformedHeader("the region '" + c.region + "' is wrong; expecting '" + region + "'")
		e.Region = region
		return e
	case c.service != service:
		return malformedHeader(`incorrect service "` + c.service + `". This endpoint belongs to "` + service + `".`)
	case c.terminal != terminal:
		return malformedHeader(`incorrect terminal "` + c.terminal + `". This endpoint uses "` + terminal + `".`)
	}
	return nil
}

func (c credential) scope() string {
	return c.date + "/" + c.region + "/" + c.service + "/" + c.terminal
}

func isDate(s string) bool {
	return len(s) == len("20060102") && strings.Trim(s, "0123456789") == ""
}

// wellFormedNames reports whether names are header names in lower case, in
// strictly ascending order.
func wellFormedNames(names []string) bool {
	for i, name := range names {
		if name == "" || i > 0 && names[i-1] >= name {
			return false
		}
		for j := range len(name) {
			if !lowerToken(name[j]) {
				return false
			}
		}
	}
	return true
}

// lowerToken reports whether c may stand in a header name (RFC 9110, section
// 5.6.2) in lower case.
func lowerToken(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
