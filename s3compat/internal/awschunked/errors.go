package awschunked

import "github.com/vaultaire/vaultaire/container"

// A Kind is the code that Amazon S3 gives an error, as it stands in the Code
// element of the answer.
type Kind string

// The kinds of errors of this package. A wrong signature is a
// [github.com/vaultaire/vaultaire/s3compat/internal/sigv4.Error] instead.
const (
	BadDigest             Kind = "BadDigest"
	IncompleteBody        Kind = "IncompleteBody"
	InvalidArgument       Kind = "InvalidArgument"
	InvalidChunkSizeError Kind = "InvalidChunkSizeError"
	InvalidRequest        Kind = "InvalidRequest"
	MalformedTrailerError Kind = "MalformedTrailerError"
	MissingContentLength  Kind = "MissingContentLength"
)

// An Error says what is wrong with a body. Kind and Message are what Amazon S3
// answers; the other fields are the detail elements of that answer, each set
// only where its kind has it.
type Error struct {
	Kind    Kind
	Message string

	// InvalidChunkSizeError: the number of the chunk, from 1, by whose arrival
	// the one before proved not to be the last, and the size of that one.
	Chunk        int
	BadChunkSize int64

	ArgumentName  string // InvalidArgument
	ArgumentValue string // InvalidArgument
}

// Error returns the kind and Amazon's text.
func (e *Error) Error() string {
	return "awschunked: " + string(e.Kind) + ": " + e.Message
}

// Unwrap returns the sentinel of package container that the error belongs to.
func (e *Error) Unwrap() error {
	switch e.Kind {
	case BadDigest:
		return container.ErrDigest
	case IncompleteBody:
		return container.ErrLength
	}
	return container.ErrInvalid
}

// errFraming: the body is cut off, or is no aws-chunked body.
func errFraming() error {
	return &Error{Kind: IncompleteBody, Message: "The request body terminated unexpectedly"}
}

// errLength: the chunks hold more or less than the announced length.
func errLength() error {
	return &Error{
		Kind:    IncompleteBody,
		Message: "You did not provide the number of bytes specified by the Content-Length HTTP header",
	}
}

func errTrailer() error {
	return &Error{
		Kind: MalformedTrailerError,
		Message: "The request contained trailing data that was not well-formed or did not conform " +
			"to our published schema.",
	}
}
