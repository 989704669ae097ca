package local

// WithSegmentSize returns o with segments of so many bytes.
func WithSegmentSize(o Options, n int64) Options {
	o.segmentSize = n
	return o
}
