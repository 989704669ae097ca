package sigv4

import (
	"errors"
	"time"

	"github.com/vaultaire/vaultaire/container"
)

// A Kind is the code that Amazon S3 gives an error, as it stands in the Code
// element of the answer.
type Kind string

// The kinds of errors of this package.
const (
	AccessDenied                 Kind = "AccessDenied"
	AuthorizationHeaderMalformed Kind = "AuthorizationHeaderMalformed"
	InvalidAccessKeyID           Kind = "InvalidAccessKeyId"
	InvalidArgument              Kind = "InvalidArgument"
	InvalidRequest               Kind = "InvalidRequest"
	InvalidURI                   Kind = "InvalidURI"
	NotImplemented               Kind = "NotImplemented"
	RequestTimeTooSkewed         Kind = "RequestTimeTooSkewed"
	SignatureDoesNotMatch        Kind = "SignatureDoesNotMatch"
	XAmzContentSHA256Mismatch    Kind = "XAmzContentSHA256Mismatch"
)

// The reasons that share their kind with others, for [errors.Is].
var (
	// ErrAnonymous: the request carries no authentication of any form.
	ErrAnonymous = errors.New("request is not signed")
	// ErrPresigned: the request is authenticated in its query string.
	ErrPresigned = errors.New("query-string authentication is not supported")
	// ErrSignatureV2: the request is signed with Signature Version 2.
	ErrSignatureV2 = errors.New("signature version 2 is not supported")
	// ErrTwoMechanisms: the request is authenticated more than once.
	ErrTwoMechanisms = errors.New("more than one authentication mechanism")
)

// An Error says why a request is refused. Kind and Message are what Amazon S3
// answers; the other fields are the detail elements of that answer, each set
// only where its kind has it.
//
// None of them holds a secret, but CanonicalRequest repeats headers of the
// request, so it is for the requester and not for logs; Error leaves it out.
type Error struct {
	Kind    Kind
	Message string
	Cause   error // one of this package's reasons, or nil

	Region           string   // AuthorizationHeaderMalformed: the one expected
	HeadersNotSigned []string // AccessDenied: names in lower case, sorted
	Header           string   // NotImplemented: the header that asks for it
	ArgumentName     string   // InvalidArgument
	ArgumentValue    string   // InvalidArgument

	AccessKey         string // InvalidAccessKeyId, SignatureDoesNotMatch
	StringToSign      string // SignatureDoesNotMatch
	SignatureProvided string // SignatureDoesNotMatch
	CanonicalRequest  string // SignatureDoesNotMatch: for a chunk that of the request

	RequestTime string        // RequestTimeTooSkewed: as the client wrote it
	ServerTime  time.Time     // RequestTimeTooSkewed
	MaxSkew     time.Duration // RequestTimeTooSkewed

	ClientSHA256   string // XAmzContentSHA256Mismatch: what was promised
	ComputedSHA256 string // XAmzContentSHA256Mismatch: what arrived
}

// Error returns the kind and Amazon's text.
func (e *Error) Error() string {
	return "sigv4: " + string(e.Kind) + ": " + e.Message
}

// Unwrap returns the sentinel of package container that the error belongs to,
// and its cause.
func (e *Error) Unwrap() []error {
	errs := []error{e.sentinel()}
	if e.Cause != nil {
		errs = append(errs, e.Cause)
	}
	return errs
}

func (e *Error) sentinel() error {
	switch e.Kind {
	case AccessDenied, InvalidAccessKeyID, RequestTimeTooSkewed, SignatureDoesNotMatch:
		return container.ErrDenied
	case NotImplemented:
		return errors.ErrUnsupported
	case XAmzContentSHA256Mismatch:
		return container.ErrDigest
	}
	return container.ErrInvalid
}

func malformedHeader(detail string) *Error {
	return &Error{
		Kind:    AuthorizationHeaderMalformed,
		Message: "The authorization header is malformed; " + detail,
	}
}

func invalidArgument(name, value, message string) *Error {
	return &Error{Kind: InvalidArgument, Message: message, ArgumentName: name, ArgumentValue: value}
}

func invalidURI() *Error {
	return &Error{Kind: InvalidURI, Message: "Couldn't parse the specified URI."}
}
