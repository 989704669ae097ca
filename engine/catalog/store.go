package catalog

import (
	"context"
	"errors"
)

// A Store is the ordered, transactional key-value store under a catalog. All
// its methods may be called concurrently. After Close each returns
// container.ErrClosed.
//
// Keys are 1 to [MaxStoreKey] bytes, values up to [MaxStoreValue]; keys are
// ordered as bytes.Compare orders them. A byte slice that is passed to or
// returned by a Store, a Reader or a Txn belongs to the callee only until the
// call returns, and to the caller until its closure returns; nobody changes it.
type Store interface {
	// View calls fn once with a consistent snapshot. The snapshot shows every
	// transaction whose Update has returned; it may also show one that is
	// applied and not yet durable.
	View(ctx context.Context, fn func(ctx context.Context, r Reader) error) error

	// Update runs fn as a serializable transaction. If fn returns nil, what it
	// wrote is applied all together; Update returns nil when that is durable,
	// and then so is every transaction that it could have read. fn may run
	// several times, when transactions conflict, and must have no effect but
	// on its Txn and on variables that it sets anew on each run. If fn returns
	// an error, Update returns that error and nothing is written.
	//
	// ctx governs the transaction until fn has returned nil for the last time;
	// from then on the outcome is waited for. [ErrUnknownOutcome] means that
	// nobody can know whether the transaction is, or after a restart will be,
	// applied. After any other error it is not and will not be.
	Update(ctx context.Context, fn func(ctx context.Context, t Txn) error) error

	// Close releases the store. It waits, until ctx ends, for calls that run.
	// Closing again is fine and does nothing.
	Close(ctx context.Context) error
}

// A Reader reads one snapshot. It is valid until the closure that received it
// returns, and is used by one goroutine.
type Reader interface {
	// Get returns the value under key, and whether there is one.
	Get(ctx context.Context, key []byte) (value []byte, ok bool, err error)
	// GetCounter returns the value of a counter, 0 if it was never added to.
	GetCounter(ctx context.Context, key []byte) (int64, error)
	// Scan iterates over the keys k with lower <= k < upper. It shows a counter
	// as 8 bytes, big endian. The caller closes the iterator, before its
	// closure returns.
	Scan(ctx context.Context, lower, upper []byte) (Iterator, error)
}

// A Txn is a Reader that can write. Its reads see its own writes, except that
// an Iterator sees those that were made before it was opened.
type Txn interface {
	Reader
	// Set puts value under key.
	Set(key, value []byte)
	// Delete removes key, if it is there.
	Delete(key []byte)
	// Add adds delta to a counter. It reads nothing, so transactions that only
	// add to a counter never conflict over it. A key is used as a counter or
	// as a value, never as both; Delete resets a counter to 0.
	Add(key []byte, delta int64)
}

// An Iterator walks a range of keys in order. It starts before the first:
//
//	for it.Next() { use(it.Key(), it.Value()) }
//	return it.Close()
//
// Key and Value are valid until the iterator moves.
type Iterator interface {
	// Next moves to the next key. It returns false at the end and on failure.
	Next() bool
	// SeekGE moves to the first key at or after key. It returns false if there
	// is none, and on failure.
	SeekGE(key []byte) bool
	Key() []byte
	Value() []byte
	// Close releases the iterator and returns what made it fail, if anything.
	Close() error
}

// Limits on what a Store must accept.
const (
	MaxStoreKey   = 4 << 10
	MaxStoreValue = 64 << 10
	// MaxStoreWrites is the most writes that a transaction may hold.
	MaxStoreWrites = 1000
)

// ErrUnknownOutcome: whether a transaction is committed cannot be known. The
// caller must act so that both is right.
var ErrUnknownOutcome = errors.New("catalog: outcome of the transaction is unknown")
