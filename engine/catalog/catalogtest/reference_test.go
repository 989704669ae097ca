package catalogtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

// faults make a reference store break the contract, each in one way.
type faults struct {
	forgetPoints     bool // point reads do not conflict
	forgetRanges     bool // scans do not conflict
	forgetCounters   bool // counters that were read do not conflict
	forgetEnds       bool // a scan covers the keys it showed, not the gaps
	staleViews       bool // a View may miss the last commit
	movingSnapshots  bool // reads see commits of the meantime
	lostAdds         bool // an Add writes the sum over its snapshot
	addsConflict     bool // an Add is a read
	tornCommits      bool // writes are applied one by one
	writesOnError    bool // a fn that fails is applied
	ignoredContext   bool
	ignoredLimits    bool
	ownWritesHidden  bool // reads do not see own writes
	ownScansHidden   bool // scans do not see own writes
	ownCounters      bool // counters do not see own adds
	liveOwnScans     bool // iterators see own writes made after they were opened
	inclusiveUpper   bool
	exclusiveLower   bool
	seekLeavesBounds bool
	seekOnlyForward  bool
	restartsAtEnd    bool // Next after the end begins again
	caseFolded       bool // keys are ordered without case
	emptyIsAbsent    bool
	forgetsOnReopen  bool
	keepsSlices      bool // what is written is not copied
	deletedCounters  bool // Delete does not reset a counter
	openAfterClose   bool
	hastyClose       bool // Close does not wait
	lateDurability   bool // Update returns before its writes are durable
	volatileReads    bool // an Update without writes does not wait for what it read
	unorderedLog     bool // a later commit may be durable without an earlier one
	lazyLeftBehind   bool // an Update makes its own writes durable, and no lazy ones
	lazyReads        bool // an Update without writes leaves lazy ones volatile
	lazyUnordered    bool // a lazy commit may be durable without an earlier one
	lazyClose        bool // Close leaves lazy commits volatile
	lazyIdle         bool // lazy writes are not applied
}

type row struct {
	value   []byte
	version uint64
}

// A disk is what outlives a reference store: what is applied and what is
// durable.
type disk struct {
	mu      sync.Mutex
	faults  faults
	rows    map[string]row // never changed, only replaced
	durable map[string]row
	before  map[string]row // rows as of one commit ago
	version uint64
}

// newPlace returns a place for an optimistic in-memory store that is right but
// for its faults.
func newPlace(f faults) Place { return (&disk{faults: f}).place() }

func (d *disk) place() Place {
	return Place{
		Open: func(context.Context) (catalog.Store, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.rows == nil || d.faults.forgetsOnReopen {
				d.rows, d.durable, d.before = map[string]row{}, map[string]row{}, map[string]row{}
			}
			return &reference{disk: d, idle: make(chan struct{})}, nil
		},
		Crash: func(uint64) Place {
			d.mu.Lock()
			defer d.mu.Unlock()
			return (&disk{faults: d.faults, rows: d.durable, durable: d.durable, before: d.durable, version: d.version}).place()
		},
	}
}

type reference struct {
	*disk
	running int
	closed  bool
	idle    chan struct{}
}

func (s *reference) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil && !s.faults.ignoredContext {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && !s.faults.openAfterClose {
		return container.ErrClosed
	}
	s.running++
	return nil
}

func (s *reference) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	if s.closed && s.running == 0 {
		close(s.idle)
	}
}

func (s *reference) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		if !s.faults.lazyClose {
			s.durable = s.rows
		}
		if s.running == 0 {
			close(s.idle)
		}
	}
	s.mu.Unlock()
	if s.faults.hastyClose {
		return nil
	}
	select {
	case <-s.idle:
		return nil
	default:
	}
	select {
	case <-s.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *reference) View(ctx context.Context, fn func(context.Context, catalog.Reader) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	t := s.begin()
	if s.faults.staleViews {
		s.mu.Lock()
		t.rows = s.before
		s.mu.Unlock()
	}
	return fn(ctx, t)
}

func (s *reference) Update(ctx context.Context, fn func(context.Context, catalog.Txn) error) error {
	return s.update(ctx, fn, false)
}

func (s *reference) UpdateLazily(ctx context.Context, fn func(context.Context, catalog.Txn) error) error {
	return s.update(ctx, fn, true)
}

func (s *reference) update(ctx context.Context, fn func(context.Context, catalog.Txn) error, lazy bool) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	for {
		if err := ctx.Err(); err != nil && !s.faults.ignoredContext {
			return err
		}
		t := s.begin()
		err := fn(ctx, t)
		if err != nil && !s.faults.writesOnError {
			return err
		}
		if t.err != nil && !s.faults.ignoredLimits {
			return t.err
		}
		if lazy && s.faults.lazyIdle || s.commit(t, lazy) {
			return err
		}
	}
}

func (s *reference) begin() *refTxn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &refTxn{store: s, rows: s.rows, writes: map[string]refWrite{}, points: map[string]bool{}}
}

// commit applies t, unless it has read what has changed.
func (s *reference) commit(t *refTxn, lazy bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(t.writes) > 0 && t.conflicts() {
		return false
	}
	if len(t.writes) == 0 {
		if !s.faults.volatileReads && !s.faults.lazyReads && !lazy {
			s.durable = s.rows
		}
		return true
	}
	s.before = s.rows
	next := maps.Clone(s.rows)
	s.version++
	durable := maps.Clone(s.durable)
	n := 0
	for key, w := range t.writes {
		old, ok := next[key]
		if s.faults.lostAdds {
			old, ok = t.rows[key]
		}
		if value, there := w.over(old.value, ok); there {
			next[key] = row{value, s.version}
		} else if !w.keep(s.faults) {
			delete(next, key)
		}
		if n++; s.faults.tornCommits && n < len(t.writes) {
			s.rows = maps.Clone(next)
			s.mu.Unlock()
			linger()
			s.mu.Lock()
			next = maps.Clone(s.rows)
		}
		durable[key] = next[key]
	}
	s.rows = next
	switch {
	case lazy:
		if s.faults.lazyUnordered && s.version%3 == 0 {
			s.durable = durable
		}
	case s.faults.lazyLeftBehind:
		s.durable = durable
	case s.faults.unorderedLog:
		if s.version%3 != 0 {
			s.durable = durable
		}
	case s.faults.lateDurability:
		s.durable = s.before
	case s.faults.volatileReads:
		// Let go of the lock between applied and durable, as real stores do.
		s.mu.Unlock()
		linger()
		s.mu.Lock()
		s.durable = next
	default:
		s.durable = next
	}
	return true
}

type refWrite struct {
	kind  byte // 's', 'd' or 'a'
	value []byte
	delta int64
}

func (w refWrite) keep(f faults) bool { return f.deletedCounters && w.kind == 'd' && w.delta != 0 }

func (w refWrite) over(old []byte, ok bool) ([]byte, bool) {
	switch w.kind {
	case 's':
		return w.value, true
	case 'd':
		return nil, false
	}
	var n int64
	if ok && len(old) == 8 {
		n = int64(binary.BigEndian.Uint64(old))
	}
	return binary.BigEndian.AppendUint64(nil, uint64(n+w.delta)), true
}

type refTxn struct {
	store  *reference
	rows   map[string]row
	writes map[string]refWrite
	points map[string]bool
	ranges [][2]string
	iters  []*refIterator
	err    error
}

func (t *refTxn) snapshot() map[string]row {
	if t.store.faults.movingSnapshots {
		t.store.mu.Lock()
		defer t.store.mu.Unlock()
		return t.store.rows
	}
	return t.rows
}

func (t *refTxn) conflicts() bool {
	f := t.store.faults
	for _, it := range t.iters {
		it.record()
	}
	for key := range t.points {
		if !f.forgetPoints && t.store.rows[key].version != t.rows[key].version {
			return true
		}
	}
	for _, r := range t.ranges {
		if f.forgetRanges {
			break
		}
		for key, row := range t.rows {
			if r[0] <= key && key < r[1] && t.store.rows[key].version != row.version {
				return true
			}
		}
		for key, row := range t.store.rows {
			if !f.forgetEnds && r[0] <= key && key < r[1] && t.rows[key].version != row.version {
				return true
			}
		}
	}
	return false
}

func (t *refTxn) validKey(key []byte) error {
	if len(key) == 0 || len(key) > catalog.MaxStoreKey {
		return fmt.Errorf("%w: key", container.ErrInvalid)
	}
	return nil
}

func (t *refTxn) Get(ctx context.Context, key []byte) ([]byte, bool, error) {
	if err := ctx.Err(); err != nil && !t.store.faults.ignoredContext {
		return nil, false, err
	}
	if err := t.validKey(key); err != nil && !t.store.faults.ignoredLimits {
		return nil, false, err
	}
	row, ok := t.snapshot()[string(key)]
	w, written := t.writes[string(key)]
	if !written || w.kind == 'a' {
		t.points[string(key)] = true
	}
	value := row.value
	if written && !t.store.faults.ownWritesHidden {
		value, ok = w.over(value, ok)
	}
	if t.store.faults.emptyIsAbsent && len(value) == 0 {
		ok = false
	}
	return value, ok, nil
}

func (t *refTxn) GetCounter(ctx context.Context, key []byte) (int64, error) {
	read := t.points[string(key)]
	value, ok, err := t.Get(ctx, key)
	if t.store.faults.forgetCounters && !read {
		delete(t.points, string(key))
	}
	if t.store.faults.ownCounters {
		value, ok = t.rows[string(key)].value, true
	}
	if !ok || len(value) != 8 {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(value)), err
}

func (t *refTxn) Set(key, value []byte) {
	if len(value) > catalog.MaxStoreValue {
		t.err = fmt.Errorf("%w: value", container.ErrInvalid)
	}
	if !t.store.faults.keepsSlices {
		value = append([]byte{}, value...)
	}
	t.write(key, refWrite{kind: 's', value: value})
}

func (t *refTxn) Delete(key []byte) {
	w := refWrite{kind: 'd'}
	if len(t.rows[string(key)].value) == 8 {
		w.delta = 1
	}
	t.write(key, w)
}

func (t *refTxn) Add(key []byte, delta int64) {
	if t.store.faults.addsConflict {
		t.points[string(key)] = true
	}
	w := refWrite{kind: 'a', delta: delta}
	if old, ok := t.writes[string(key)]; ok {
		if old.kind == 'a' {
			w.delta += old.delta
		} else {
			value, ok := old.over(nil, false)
			value, _ = w.over(value, ok)
			w = refWrite{kind: 's', value: value}
		}
	}
	t.write(key, w)
}

func (t *refTxn) write(key []byte, w refWrite) {
	if err := t.validKey(key); err != nil {
		t.err = err
	}
	t.writes[string(key)] = w
	if len(t.writes) > catalog.MaxStoreWrites {
		t.err = fmt.Errorf("%w: writes", container.ErrInvalid)
	}
	if t.store.faults.liveOwnScans {
		for _, it := range t.iters {
			it.fill()
		}
	}
}

func (t *refTxn) Scan(ctx context.Context, lower, upper []byte) (catalog.Iterator, error) {
	it := &refIterator{ctx: ctx, txn: t, rows: t.snapshot(), lower: string(lower), upper: string(upper), at: -1, seen: string(lower)}
	it.fill()
	t.iters = append(t.iters, it)
	return it, nil
}

type refIterator struct {
	ctx          context.Context
	txn          *refTxn
	rows         map[string]row
	lower, upper string
	keys         []string
	values       map[string][]byte
	at           int
	seen         string
	err          error
}

func (it *refIterator) fill() {
	f := it.txn.store.faults
	it.keys, it.values = nil, map[string][]byte{}
	if it.lower >= it.upper {
		return
	}
	all := maps.Clone(it.rows)
	if !f.ownScansHidden {
		for key, w := range it.txn.writes {
			old, ok := all[key]
			if value, there := w.over(old.value, ok); there {
				all[key] = row{value: value}
			} else {
				delete(all, key)
			}
		}
	}
	for key, row := range all {
		switch {
		case key == it.upper && f.inclusiveUpper:
		case key == it.lower && f.exclusiveLower, key >= it.upper, key < it.lower && !f.seekLeavesBounds:
			continue
		}
		it.keys = append(it.keys, key)
		it.values[key] = row.value
	}
	slices.SortFunc(it.keys, func(a, b string) int {
		if f.caseFolded {
			return bytes.Compare(bytes.ToLower([]byte(a)), bytes.ToLower([]byte(b)))
		}
		return bytes.Compare([]byte(a), []byte(b))
	})
	if f.seekLeavesBounds && it.at < 0 {
		it.at = sort.SearchStrings(it.keys, it.lower) - 1
	}
}

func (it *refIterator) Next() bool {
	if it.err = it.ctx.Err(); it.err != nil && !it.txn.store.faults.ignoredContext {
		return false
	}
	it.err = nil
	if it.at < len(it.keys) {
		it.at++
	}
	if it.at == len(it.keys) && it.txn.store.faults.restartsAtEnd {
		it.at = -1
		return false
	}
	return it.at < len(it.keys)
}

func (it *refIterator) SeekGE(key []byte) bool {
	it.record()
	at := sort.SearchStrings(it.keys, string(key))
	if !it.txn.store.faults.seekOnlyForward || at > it.at {
		it.at = at
	}
	it.seen = max(string(key), it.lower)
	return it.at < len(it.keys)
}

func (it *refIterator) record() {
	switch {
	case it.at < 0:
	case it.at >= len(it.keys):
		it.txn.ranges = append(it.txn.ranges, [2]string{it.seen, it.upper})
	default:
		it.txn.ranges = append(it.txn.ranges, [2]string{it.seen, it.keys[it.at] + "\x00"})
	}
}

func (it *refIterator) Key() []byte   { return []byte(it.keys[it.at]) }
func (it *refIterator) Value() []byte { return it.values[it.keys[it.at]] }
func (it *refIterator) Close() error  { return it.err }
