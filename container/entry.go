package container

// An Entry is one line of a listing: either an artifact, or a common prefix
// that stands for all artifacts whose keys begin with it.
type Entry struct {
	Artifact Artifact // the zero Artifact if Prefix is set
	Prefix   string   // ends in the delimiter; "" for an artifact
}

// IsPrefix reports whether the entry is a common prefix.
func (e Entry) IsPrefix() bool { return e.Prefix != "" }

// Name returns the key of the artifact, or the common prefix.
func (e Entry) Name() string {
	if e.IsPrefix() {
		return e.Prefix
	}
	return e.Artifact.Key
}
