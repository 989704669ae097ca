// Package pebblestore is the embedded [catalog.Store]: a directory that one
// process at a time holds open, kept by github.com/cockroachdb/pebble.
//
// # Transactions
//
// Update is optimistic. A transaction reads one snapshot and keeps its writes
// to itself, and remembers what it read. To commit it takes the store's one
// mutex, compares what it read with what was written since its snapshot, and
// either applies its writes or runs again. The mutex is let go as soon as the
// writes are applied; the wait for the disk comes after it, so that commits
// which wait together share one fsync. The log keeps their order: a commit is
// never durable without those that it could have read. A transaction that wrote
// nothing has no place in that order; it waits for the last commit that it
// could have read.
//
// A transaction that met conflicts several times runs once more while it holds
// the mutex. It cannot meet another one, so that each makes progress however
// many compete. For the same reason the closure of an Update must not call
// Update of the same store.
//
// UpdateLazily writes the log and does not sync it; see logFile. Such a commit
// keeps its place in the order, so that the next Update makes it durable, and an
// Update that only reads one forces the log to the disk.
//
// # Failed writes
//
// After a failed write or fsync nobody knows what the disk holds, and asking
// again proves nothing: the kernel has marked the pages clean. So the first
// write that fails poisons the store. Transactions that were handed over
// and not yet acknowledged end with [catalog.ErrUnknownOutcome], and every
// later call with [ErrFailed], until the store is opened again. A full disk is
// such a failure; whoever embeds the store should stop writing before it fills.
//
// Pebble answers failed writes by ending the process: through Logger.Fatalf,
// by a panic on a goroutine of its own, or by a panic that unlocks a mutex which
// is not locked, which no recover can catch. The store therefore stands between
// Pebble and the file system (see fence) and never lets it see a failed write:
// from the first one on, nothing that Pebble writes reaches a log or a manifest
// and Pebble is told that all is well. What is on disk stays as a power cut in
// that moment would have left it, which the next Open recovers from.
//
// # Damage
//
// Pebble checks every block that it reads. Its logs it reads up to the first
// record that it cannot, where a power cut may have torn the last write, and
// forgets what follows. So the store looks first whether what follows was written
// after that record was durable; then it is damaged, and Open returns an ErrCorrupt
// instead of a store that lacks what was acknowledged (see checkDamage).
//
// # Counters
//
// Add wraps around, as Go's int64 does. That makes it associative: parts
// of a sum may be added in any order, as compactions do, and the total is exact
// whenever the true total fits. Adding to a key that holds a value of another
// length than 8 bytes replaces it.
package pebblestore
