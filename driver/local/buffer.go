package local

import "sync"

// A buffer is what one Put, or one reader, has in memory of its blob.
type buffer struct {
	block [blockSize]byte
	sums  [sumsPerRead * sumSize]byte // readers only
}

// sumsPerRead is how many sums a reader reads ahead at most: those of 64 MiB.
const sumsPerRead = 1024

var buffers = sync.Pool{New: func() any { return new(buffer) }}
