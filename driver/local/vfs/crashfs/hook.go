package crashfs

import "fmt"

// A Kind is what an operation does.
type Kind int

// The kinds of operations. Those before Open change or sync something, and are
// counted.
const (
	Create Kind = iota
	Mkdir
	Link
	Rename
	Remove
	Write
	Truncate
	Sync
	SyncData
	SyncDir
	Open
	Read
	ReadDir
	Stat
	Close
)

var kindNames = [...]string{
	"create", "mkdir", "link", "rename", "remove", "write", "truncate", "sync", "syncdata", "syncdir",
	"open", "read", "readdir", "stat", "close",
}

// String returns the kind in lower case.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return kindNames[k]
}

// Changes reports whether operations of the kind change or sync something.
func (k Kind) Changes() bool { return k < Open }

// An Op is one operation. Of those with two names, Name is the new one.
type Op struct {
	Kind Kind
	Name string
	N    int // how many that change or sync something there were, this one included
}

// String returns, for example, "write /blobs/tmp/0001 (operation 17)".
func (o Op) String() string { return fmt.Sprintf("%v %s (operation %d)", o.Kind, o.Name, o.N) }

// SetHook makes the file system call hook before each operation; nil ends it.
// If hook returns an error the operation fails with it and does nothing; but
// see [Short], and what the package's comment says of syncs that fail.
//
// hook is called on the goroutine of the operation, perhaps on several at once.
// It holds no lock of the file system, so it may call [FS.Crash] for the state
// that the operation finds.
func (f *FS) SetHook(hook func(Op) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Operations returns how many operations there were that change or sync
// something.
func (f *FS) Operations() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// Short returns an error for a hook to make a write store the first half of
// its bytes and then fail with err. Other operations fail with err.
func Short(err error) error { return &shortWrite{err} }

type shortWrite struct{ err error }

func (s *shortWrite) Error() string { return "short write: " + s.err.Error() }
func (s *shortWrite) Unwrap() error { return s.err }

// step counts an operation and returns what the hook says.
func (f *FS) step(kind Kind, name string) error {
	f.mu.Lock()
	if kind.Changes() {
		f.count++
	}
	op, hook := Op{kind, name, f.count}, f.hook
	f.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(op)
}
