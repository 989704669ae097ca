package drivertest

import "runtime/metrics"

// AllocatesAtMost reports whether decode allocates at most limit bytes. It is
// for those who read what may be damaged, such as a length that nobody wrote,
// and fuzz what reads it. Whatever else the process does at the time counts as
// well, so decode is called again, a few times, if it seems to allocate more.
func AllocatesAtMost(limit uint64, decode func()) bool {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	total := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	for range 10 {
		before := total()
		decode()
		if total()-before <= limit {
			return true
		}
	}
	return false
}
