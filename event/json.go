package event

import (
	"encoding/json"
	"time"
)

// row is the JSON form of an Event. Other programs read it: fields may be
// added, but none changes its name, type or meaning.
type row struct {
	ID         string `json:"id,omitempty"`
	Op         string `json:"op"`
	Outcome    string `json:"outcome"`
	Tenant     string `json:"tenant,omitempty"`
	Principal  string `json:"principal,omitempty"`
	Container  string `json:"container,omitempty"`
	Artifact   string `json:"artifact,omitempty"`
	Version    string `json:"version,omitempty"`
	Driver     string `json:"driver,omitempty"`
	Start      string `json:"start,omitempty"`
	DurationNS int64  `json:"duration_ns"`
	Bytes      int64  `json:"bytes,omitempty"`
	Error      string `json:"error,omitempty"`
	RequestID  string `json:"request_id,omitempty"`
	RemoteAddr string `json:"remote_addr,omitempty"`
	API        string `json:"api,omitempty"`
}

// MarshalJSON returns e on one line, with these fields:
//
//	id           unique; sorts by the time the operation ended
//	op           name of the operation, such as "put_artifact"
//	outcome      "ok", "not_found", "denied", "conflict", "invalid", "quota",
//	             "throttled", "canceled" or "error"
//	tenant       ID of the tenant
//	principal    ID of the principal within the tenant
//	container    name of the container
//	artifact     key of the artifact
//	version      version of the artifact
//	driver       name of the driver that holds the bytes
//	start        when the operation began: RFC 3339 in UTC, to the nanosecond
//	duration_ns  how long it took, in nanoseconds
//	bytes        artifact bytes taken in or given out
//	error        text of the error, for people
//	request_id   ID of the network request, as its client was told
//	remote_addr  address and port of the client
//	api          name of the operation in the client's protocol
//
// op, outcome and duration_ns are always there; a field that would be empty or
// zero is left out otherwise. Control characters are escaped, and bytes that
// are not UTF-8 become U+FFFD, so no name can break the line.
func (e Event) MarshalJSON() ([]byte, error) {
	r := row{
		ID:         e.ID,
		Op:         string(e.Op),
		Outcome:    string(e.Outcome),
		Tenant:     string(e.Tenant),
		Principal:  e.Principal,
		Container:  e.Container,
		Artifact:   e.Artifact,
		Version:    string(e.Version),
		Driver:     e.Driver,
		DurationNS: e.Duration.Nanoseconds(),
		Bytes:      e.Bytes,
		RequestID:  e.Request.ID,
		RemoteAddr: e.Request.RemoteAddr,
		API:        e.Request.API,
	}
	if !e.Start.IsZero() {
		r.Start = e.Start.UTC().Format(time.RFC3339Nano)
	}
	if e.Err != nil {
		r.Error = e.Err.Error()
	}
	return json.Marshal(r)
}
