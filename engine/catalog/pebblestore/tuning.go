package pebblestore

import (
	"cmp"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// defaultCacheSize is the block cache of a store that was not given another.
const defaultCacheSize = 64 << 20

const (
	// memTableSize bounds what is written again by a flush and replayed at
	// open. There are two of them in memory, at most maxMemTables.
	memTableSize = 16 << 20
	maxMemTables = 4
	// blockSize holds some 60 rows: a page of a listing reads few blocks, and
	// a point read does not decode much for one row.
	blockSize = 8 << 10
	// bloomBitsPerKey gives 1% false positives. Most puts look for a key that is
	// not there, which without a filter would search every level.
	bloomBitsPerKey = 10
)

func pebbleOptions(opts Options) *pebble.Options {
	tuned := &pebble.Options{
		Merger:             newMerger(),
		FormatMajorVersion: pebble.FormatNewest,
		CacheSize:          cmp.Or(opts.CacheSize, defaultCacheSize),

		MemTableSize:                cmp.Or(opts.memTableSize, memTableSize),
		MemTableStopWritesThreshold: maxMemTables,
		// Compact L0 early, for reads, and never stop commits for it: the
		// memory tables push back before that.
		L0CompactionThreshold:      2,
		L0StopWritesThreshold:      1000,
		CompactionConcurrencyRange: func() (lower, upper int) { return 1, 2 },
		// The log is synced at every commit; syncing it in between gains nothing.
		WALBytesPerSync: 0,
	}
	for i := range tuned.Levels {
		tuned.Levels[i].BlockSize = blockSize
		tuned.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBitsPerKey)
	}
	return tuned
}

func logTo(opts *pebble.Options, logger *pebbleLogger) {
	opts.Logger = logger
	opts.EventListener = &pebble.EventListener{
		// A damaged block is an error of the reads that meet it, and of no other.
		DataCorruption: func(info pebble.DataCorruptionInfo) { logger.Errorf("%s", info) },
	}
	opts.EventListener.EnsureDefaults(logger)
}
