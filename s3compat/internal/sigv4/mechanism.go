package sigv4

import (
	"net/http"
	"net/url"
	"strings"
)

const (
	algorithm = "AWS4-HMAC-SHA256"

	messageV2 = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
)

// checkMechanism returns nil if r is authenticated by exactly one
// Authorization header of Signature Version 4, and otherwise the error that
// names what it is authenticated by.
func checkMechanism(r *http.Request, query url.Values) error {
	header := r.Header.Values("Authorization")
	presigned, v2 := queryMechanism(query)
	if len(header) > 1 || len(header) == 1 && (presigned || v2) {
		e := invalidArgument("Authorization", header[0], "Only one auth mechanism allowed; only the "+
			"X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified")
		e.Cause = ErrTwoMechanisms
		return e
	}
	switch {
	case presigned:
		return &Error{
			Kind:    NotImplemented,
			Message: "A header you provided implies functionality that is not implemented",
			Cause:   ErrPresigned,
		}
	case v2:
		return &Error{Kind: InvalidRequest, Message: messageV2, Cause: ErrSignatureV2}
	case len(header) == 0 || header[0] == "":
		return &Error{Kind: AccessDenied, Message: "Access Denied", Cause: ErrAnonymous}
	}
	return checkScheme(header[0])
}

func checkScheme(header string) error {
	scheme, _, _ := strings.Cut(header, " ")
	switch {
	case scheme == algorithm:
		return nil
	case scheme == "AWS":
		return &Error{Kind: InvalidRequest, Message: messageV2, Cause: ErrSignatureV2}
	case strings.HasPrefix(scheme, "AWS4-"): // AWS4-ECDSA-P256-SHA256 and unknown ones
		return &Error{Kind: InvalidRequest, Message: messageV2}
	}
	return invalidArgument("Authorization", header, "Unsupported Authorization Type")
}

// queryMechanism reports whether the query carries authentication of Signature
// Version 4 and of Version 2. Any one of the telling names is enough: a request
// that was meant to be authenticated must not pass for an anonymous one.
func queryMechanism(query url.Values) (presigned, v2 bool) {
	for name := range query {
		switch strings.ToLower(name) {
		case "x-amz-algorithm", "x-amz-credential", "x-amz-signature":
			presigned = true
		case "awsaccesskeyid", "signature":
			v2 = true
		}
	}
	return presigned, v2
}
