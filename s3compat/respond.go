package s3compat

import (
	"net/http"
	"time"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/s3compat/internal/s3xml"
)

// set sets a header of the answer as it is spelled here. net/http would send
// Etag and X-Amz-Request-Id, which some clients do not find.
func (x *exchange) set(name, value string) { x.w.Header()[name] = []string{value} }

// head sends the status and the headers. Nothing else does.
func (x *exchange) head(status int) {
	x.started = true
	if x.awaitsContinue() {
		x.set("Connection", "close")
	}
	x.leaveBody()
	_ = x.control.SetWriteDeadline(deadline(idleTimeout))
	x.w.WriteHeader(status)
}

// writeXML answers 200 with the document that content writes below root. The
// document is streamed; a client that has gone does not get the rest of it.
func (x *exchange) writeXML(root string, content func(*s3xml.Writer)) {
	x.set("Content-Type", "application/xml")
	x.head(http.StatusOK)
	w := s3xml.NewWriter(&clientWriter{x}, root, true)
	content(w)
	_ = w.Close()
}

// writeError answers e. The answers to HEAD, and those that say that nothing
// has changed, have no body.
func (x *exchange) writeError(e *apiError) {
	row := e.row()
	for name, values := range e.header {
		x.w.Header()[name] = values
	}
	if e.code == codeSlowDown || e.code == codeServiceUnavailable {
		x.set("Retry-After", "1")
	}
	x.set("Content-Type", "application/xml")
	x.head(row.status)
	if x.r.Method == http.MethodHead {
		return
	}
	w := s3xml.NewWriter(&clientWriter{x}, "Error", false)
	w.Text("Code", string(e.code))
	w.Text("Message", row.message)
	for _, d := range e.details {
		w.Text(d.name, d.value)
	}
	w.Text("Resource", x.target.resource())
	w.Text("RequestId", x.id)
	w.Text("HostId", x.hostID)
	_ = w.Close()
}

// writeOwner writes an owner as every answer does. A container that belongs to
// its tenant as a whole has none to show.
func writeOwner(w *s3xml.Writer, o container.Owner) {
	if o.ID == "" {
		return
	}
	w.Open("Owner")
	writeOwnerFields(w, o)
	w.End()
}

func writeOwnerFields(w *s3xml.Writer, o container.Owner) {
	w.Text("ID", o.ID)
	if o.DisplayName != "" {
		w.Text("DisplayName", o.DisplayName)
	}
}

// xmlTime is how times stand in XML: ISO 8601 with milliseconds.
func xmlTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func quote(tag string) string { return `"` + tag + `"` }
