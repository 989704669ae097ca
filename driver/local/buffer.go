package local

import "sync"

// A buffer is what one Put of a large blob, or one reader, has in memory of it.
type buffer struct {
	blocks [blocksAtOnce * blockSize]byte
	sums   [sumsPerRead * sumSize]byte // readers only
}

const (
	// blocksAtOnce is how many blocks are read or written at once at most.
	blocksAtOnce = 4
	// sumsPerRead is how many sums a reader reads ahead at most: those of 64 MiB.
	sumsPerRead = 1024
)

var buffers = sync.Pool{New: func() any { return new(buffer) }}
