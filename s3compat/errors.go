package s3compat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/vaultaire/vaultaire/container"
)

// An errorCode is the code of an error as it stands in the Code element.
type errorCode string

// The codes of this package.
const (
	codeAccessDenied              errorCode = "AccessDenied"
	codeAuthorizationMalformed    errorCode = "AuthorizationHeaderMalformed"
	codeBadDigest                 errorCode = "BadDigest"
	codeBucketAlreadyExists       errorCode = "BucketAlreadyExists"
	codeBucketAlreadyOwnedByYou   errorCode = "BucketAlreadyOwnedByYou"
	codeBucketNotEmpty            errorCode = "BucketNotEmpty"
	codeEntityTooLarge            errorCode = "EntityTooLarge"
	codeIllegalLocationConstraint errorCode = "IllegalLocationConstraintException"
	codeIncompleteBody            errorCode = "IncompleteBody"
	codeInternalError             errorCode = "InternalError"
	codeInvalidAccessKeyID        errorCode = "InvalidAccessKeyId"
	codeInvalidArgument           errorCode = "InvalidArgument"
	codeInvalidBucketName         errorCode = "InvalidBucketName"
	codeInvalidChunkSize          errorCode = "InvalidChunkSizeError"
	codeInvalidDigest             errorCode = "InvalidDigest"
	codeInvalidLocationConstraint errorCode = "InvalidLocationConstraint"
	codeInvalidRange              errorCode = "InvalidRange"
	codeInvalidRequest            errorCode = "InvalidRequest"
	codeInvalidStorageClass       errorCode = "InvalidStorageClass"
	codeInvalidToken              errorCode = "InvalidToken"
	codeInvalidURI                errorCode = "InvalidURI"
	codeKeyTooLong                errorCode = "KeyTooLongError"
	codeMalformedTrailer          errorCode = "MalformedTrailerError"
	codeMalformedXML              errorCode = "MalformedXML"
	codeMaxMessageLengthExceeded  errorCode = "MaxMessageLengthExceeded"
	codeMetadataTooLarge          errorCode = "MetadataTooLarge"
	codeMethodNotAllowed          errorCode = "MethodNotAllowed"
	codeMissingContentLength      errorCode = "MissingContentLength"
	codeMissingRequestBody        errorCode = "MissingRequestBodyError"
	codeNoSuchBucket              errorCode = "NoSuchBucket"
	codeNoSuchKey                 errorCode = "NoSuchKey"
	codeNoSuchUpload              errorCode = "NoSuchUpload"
	codeNoSuchVersion             errorCode = "NoSuchVersion"
	codeNotImplemented            errorCode = "NotImplemented"
	codeOperationAborted          errorCode = "OperationAborted"
	codePreconditionFailed        errorCode = "PreconditionFailed"
	codeQuotaExceeded             errorCode = "QuotaExceeded"
	codeRequestHeadersTooLarge    errorCode = "RequestHeaderSectionTooLarge"
	codeRequestTimeTooSkewed      errorCode = "RequestTimeTooSkewed"
	codeRequestTimeout            errorCode = "RequestTimeout"
	codeServiceUnavailable        errorCode = "ServiceUnavailable"
	codeSignatureDoesNotMatch     errorCode = "SignatureDoesNotMatch"
	codeSlowDown                  errorCode = "SlowDown"
	codeContentSHA256Mismatch     errorCode = "XAmzContentSHA256Mismatch"
)

// An errorRow is what all errors of a code have in common.
type errorRow struct {
	status  int
	message string // Amazon's text; many InvalidRequest and InvalidArgument have one of their own
	kind    error  // the sentinel that decides the event's outcome; nil is a failure of ours
}

// errorTable holds every code that is ever answered. It is never changed.
//
// Two codes have no counterpart at Amazon, whose accounts have neither quotas
// nor a last byte: QuotaExceeded, as Ceph names it, and a full disk, which is a
// ServiceUnavailable because clients retry that and space comes back.
var errorTable = map[errorCode]errorRow{
	codeAccessDenied:              {403, "Access Denied", container.ErrDenied},
	codeAuthorizationMalformed:    {400, "The authorization header is malformed", container.ErrInvalid},
	codeBadDigest:                 {400, "The Content-MD5 you specified did not match what we received.", container.ErrDigest},
	codeBucketAlreadyExists:       {409, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.", container.ErrExists},
	codeBucketAlreadyOwnedByYou:   {409, "Your previous request to create the named bucket succeeded and you already own it.", container.ErrExists},
	codeBucketNotEmpty:            {409, "The bucket you tried to delete is not empty", container.ErrNotEmpty},
	codeEntityTooLarge:            {400, "Your proposed upload exceeds the maximum allowed size", container.ErrTooLarge},
	codeIllegalLocationConstraint: {400, "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.", container.ErrInvalid},
	codeIncompleteBody:            {400, "You did not provide the number of bytes specified by the Content-Length HTTP header", container.ErrLength},
	codeInternalError:             {500, "We encountered an internal error. Please try again.", nil},
	codeInvalidAccessKeyID:        {403, "The AWS Access Key Id you provided does not exist in our records.", container.ErrDenied},
	codeInvalidArgument:           {400, "Invalid Argument", container.ErrInvalid},
	codeInvalidBucketName:         {400, "The specified bucket is not valid.", container.ErrInvalid},
	codeInvalidChunkSize:          {403, "Only the last chunk is allowed to have a size less than 8192 bytes", container.ErrInvalid},
	codeInvalidDigest:             {400, "The Content-MD5 you specified was invalid.", container.ErrInvalid},
	codeInvalidLocationConstraint: {400, "The specified location-constraint is not valid", container.ErrInvalid},
	codeInvalidRange:              {416, "The requested range is not satisfiable", container.ErrRange},
	codeInvalidRequest:            {400, "Invalid Request", container.ErrInvalid},
	codeInvalidStorageClass:       {400, "The storage class you specified is not valid", container.ErrInvalid},
	codeInvalidToken:              {400, "The provided token is malformed or otherwise invalid.", container.ErrInvalid},
	codeInvalidURI:                {400, "Couldn't parse the specified URI.", container.ErrInvalid},
	codeKeyTooLong:                {400, "Your key is too long", container.ErrInvalid},
	codeMalformedTrailer:          {400, "The request contained trailing data that was not well-formed or did not conform to our published schema.", container.ErrInvalid},
	codeMalformedXML:              {400, "The XML you provided was not well-formed or did not validate against our published schema", container.ErrInvalid},
	codeMaxMessageLengthExceeded:  {400, "Your request was too big.", container.ErrTooLarge},
	codeMetadataTooLarge:          {400, "Your metadata headers exceed the maximum allowed metadata size", container.ErrTooLarge},
	codeMethodNotAllowed:          {405, "The specified method is not allowed against this resource.", container.ErrInvalid},
	codeMissingContentLength:      {411, "You must provide the Content-Length HTTP header.", container.ErrInvalid},
	codeMissingRequestBody:        {400, "Request Body is empty", container.ErrInvalid},
	codeNoSuchBucket:              {404, "The specified bucket does not exist", container.ErrContainerNotFound},
	codeNoSuchKey:                 {404, "The specified key does not exist.", container.ErrArtifactNotFound},
	codeNoSuchUpload:              {404, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.", container.ErrUploadNotFound},
	codeNoSuchVersion:             {404, "The specified version does not exist.", container.ErrVersionNotFound},
	codeNotImplemented:            {501, "A header you provided implies functionality that is not implemented", errors.ErrUnsupported},
	codeOperationAborted:          {409, "A conflicting conditional operation is currently in progress against this resource. Please try again.", container.ErrExists},
	codePreconditionFailed:        {412, "At least one of the pre-conditions you specified did not hold", container.ErrPrecondition},
	codeQuotaExceeded:             {403, "Your account has exceeded its quota.", container.ErrQuota},
	codeRequestHeadersTooLarge:    {400, "Your request header section exceeds the maximum allowed request header section size.", container.ErrTooLarge},
	codeRequestTimeTooSkewed:      {403, "The difference between the request time and the current time is too large.", container.ErrDenied},
	codeRequestTimeout:            {400, "Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed.", context.Canceled},
	codeServiceUnavailable:        {503, "Service is unable to handle request.", nil},
	codeSignatureDoesNotMatch:     {403, "The request signature we calculated does not match the signature you provided. Check your key and signing method.", container.ErrDenied},
	codeSlowDown:                  {503, "Please reduce your request rate.", container.ErrThrottled},
	codeContentSHA256Mismatch:     {400, "The provided 'x-amz-content-sha256' header does not match what was computed.", container.ErrDigest},
}

// A detail is an element of an error's body beside those that all have.
type detail struct{ name, value string }

// An apiError is an error as the client is told it.
type apiError struct {
	code    errorCode
	message string // "" for the table's
	details []detail
	header  http.Header // of the answer; may be nil
	cause   error       // for events and logs only; may be nil
}

// newError returns the error of a code. details are names and values in turn.
func newError(code errorCode, details ...string) *apiError {
	e := &apiError{code: code}
	for i := 0; i+1 < len(details); i += 2 {
		e.details = append(e.details, detail{details[i], details[i+1]})
	}
	return e
}

func (e *apiError) saying(format string, args ...any) *apiError {
	e.message = fmt.Sprintf(format, args...)
	return e
}

func (e *apiError) because(cause error) *apiError {
	e.cause = cause
	return e
}

func (e *apiError) with(header, value string) *apiError {
	if e.header == nil {
		e.header = make(http.Header)
	}
	e.header[header] = []string{value}
	return e
}

func (e *apiError) row() errorRow {
	row := errorTable[e.code]
	if e.message != "" {
		row.message = e.message
	}
	return row
}

// Error returns the code and the text.
func (e *apiError) Error() string {
	text := "s3: " + string(e.code) + ": " + e.row().message
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns the sentinel of the code and the cause.
func (e *apiError) Unwrap() []error {
	var errs []error
	for _, err := range []error{e.row().kind, e.cause} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func invalidArgument(name, value, format string, args ...any) *apiError {
	return newError(codeInvalidArgument, "ArgumentName", name, "ArgumentValue", value).saying(format, args...)
}

func invalidRequest(format string, args ...any) *apiError {
	return newError(codeInvalidRequest).saying(format, args...)
}

func notImplemented(header string) *apiError {
	return newError(codeNotImplemented, "Header", strings.ToLower(header))
}

// sentinels says what each sentinel of package container is called in S3. The
// first that matches counts.
var sentinels = []struct {
	target error
	code   errorCode
}{
	{container.ErrCorrupt, codeInternalError},
	{container.ErrNoSpace, codeServiceUnavailable},
	{container.ErrClosed, codeServiceUnavailable},
	{container.ErrContainerNotFound, codeNoSuchBucket},
	{container.ErrArtifactNotFound, codeNoSuchKey},
	{container.ErrVersionNotFound, codeNoSuchVersion},
	{container.ErrUploadNotFound, codeNoSuchUpload},
	{container.ErrDenied, codeAccessDenied},
	{container.ErrLocked, codeAccessDenied},
	{container.ErrReadOnly, codeAccessDenied},
	{container.ErrQuota, codeQuotaExceeded},
	{container.ErrThrottled, codeSlowDown},
	{container.ErrExists, codeBucketAlreadyExists},
	{container.ErrNotEmpty, codeBucketNotEmpty},
	{container.ErrPrecondition, codePreconditionFailed},
	{container.ErrRange, codeInvalidRange},
	{container.ErrDigest, codeBadDigest},
	{container.ErrLength, codeIncompleteBody},
	{container.ErrTooLarge, codeEntityTooLarge},
	{container.ErrInvalid, codeInvalidArgument},
	{errors.ErrUnsupported, codeNotImplemented},
	{context.Canceled, codeRequestTimeout},
	{context.DeadlineExceeded, codeRequestTimeout},
	{os.ErrDeadlineExceeded, codeRequestTimeout},
	{io.ErrUnexpectedEOF, codeInternalError},
}

// asAPIError returns err as the client is to be told it. t adds what an error
// of the engine is about. It is the one place where errors become codes.
func asAPIError(err error, t target) *apiError {
	var known *apiError
	if errors.As(err, &known) {
		return known
	}
	if e := fromSignature(err); e != nil {
		return e
	}
	code := codeInternalError
	for _, s := range sentinels {
		if errors.Is(err, s.target) {
			code = s.code
			break
		}
	}
	return newError(code, t.details(code)...).because(err)
}

// details are the elements that an error of the engine has by its code.
func (t target) details(code errorCode) []string {
	switch code {
	case codeNoSuchBucket, codeBucketAlreadyExists, codeBucketAlreadyOwnedByYou, codeBucketNotEmpty, codeInvalidBucketName:
		return []string{"BucketName", t.bucket}
	case codeNoSuchKey:
		return []string{"Key", t.key}
	}
	return nil
}

// isEngines reports whether err comes from a call of the engine, which has
// recorded it.
func isEngines(err error) bool {
	var e *container.Error
	return errors.As(err, &e)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
