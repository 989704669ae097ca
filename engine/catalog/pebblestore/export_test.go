package pebblestore

// WithSmallTables returns o with memory tables so small that little data
// rotates the log, is flushed and compacted.
func (o Options) WithSmallTables() Options {
	o.memTableSize = 256 << 10
	return o
}
