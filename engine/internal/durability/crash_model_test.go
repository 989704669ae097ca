package durability

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// A crashName is a container, if its key is empty, or an artifact.
type crashName struct{ container, key string }

func (n crashName) String() string { return n.container + "/" + n.key }

// A crashValue is what is under a name: nil is nothing. Each put has a value of
// its own, of which its bytes, its tag and its metadata tell.
type crashValue struct {
	id   uint64
	body []byte
}

// aContainer is the value of each container.
var aContainer = new(crashValue)

func (v *crashValue) tag() string { return fmt.Sprintf("value-%d", v.id) }

func (v *crashValue) String() string {
	if v == nil {
		return "nothing"
	}
	return fmt.Sprintf("value %d of %d bytes", v.id, len(v.body))
}

// A crashModel is what a workload was told of its engine. Its methods may be
// called concurrently.
type crashModel struct {
	mu   sync.Mutex
	told map[crashName]crashSlot
	view crashView // of told; nil if told has changed since
	next uint64    // id of the next value
}

// A crashSlot is what may be under a name.
type crashSlot struct {
	is *crashValue // acknowledged
	// Of calls that run, or whose outcome nobody knows, and that may be there in
	// its place.
	maybe []*crashValue
}

// A crashView is what may be under each name: at first what is acknowledged,
// and then what is not. Names that are not in it have nothing.
type crashView map[crashName][]*crashValue

func newCrashModel() *crashModel { return &crashModel{told: make(map[crashName]crashSlot)} }

// clone returns a model that goes its own way.
func (m *crashModel) clone() *crashModel {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &crashModel{told: maps.Clone(m.told), next: m.next}
}

// value returns a new value.
func (m *crashModel) value(size int) *crashValue {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next++
	return &crashValue{id: m.next, body: pattern(m.next, size)}
}

// is returns what is acknowledged to be under a name.
func (m *crashModel) is(name crashName) *crashValue {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.told[name].is
}

// isKnown reports whether nobody doubts what is under the name, under that of
// its container and, if it is one, under those in it.
func (m *crashModel) isKnown(name crashName) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n, slot := range m.told {
		related := n == name || n.container == name.container && (n.key == "" || name.key == "")
		if related && len(slot.maybe) > 0 {
			return false
		}
	}
	return true
}

// keys returns the keys of a container that are known to have an artifact.
func (m *crashModel) keys(name string) (keys []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n, slot := range m.told {
		if n.container == name && n.key != "" && slot.is != nil {
			keys = append(keys, n.key)
		}
	}
	slices.Sort(keys)
	return keys
}

// begin notes that a call begins which is to put v under name.
func (m *crashModel) begin(name crashName, v *crashValue) {
	m.mu.Lock()
	defer m.mu.Unlock()
	slot := m.told[name]
	slot.maybe = append(slices.Clip(slot.maybe), v)
	m.told[name], m.view = slot, nil
}

// An outcome is how a call ended.
type outcome int

const (
	done       outcome = iota
	notDone            // it changed nothing
	perhapDone         // nobody knows
)

// end notes how the call ended that was to put v under name. If it is done,
// nothing that was there perhaps is there any more.
func (m *crashModel) end(name crashName, v *crashValue, o outcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	slot := m.told[name]
	switch o {
	case done:
		slot = crashSlot{is: v}
	case notDone:
		i := slices.Index(slot.maybe, v)
		slot.maybe = slices.Delete(slices.Clone(slot.maybe), i, i+1)
	}
	m.told[name], m.view = slot, nil
}

// expect calls f with what may be under each name. No call begins or ends
// meanwhile, as far as the model is told.
func (m *crashModel) expect(f func(crashView)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.view == nil {
		m.view = make(crashView, len(m.told))
		for name, slot := range m.told {
			m.view[name] = append([]*crashValue{slot.is}, slot.maybe...)
		}
	}
	f(m.view)
}

// acknowledged returns what is acknowledged to be under a name.
func (v crashView) acknowledged(name crashName) *crashValue {
	if len(v[name]) == 0 {
		return nil
	}
	return v[name][0]
}

// mayHold reports whether the name may have the value.
func (v crashView) mayHold(name crashName, value *crashValue) bool {
	if len(v[name]) == 0 {
		return value == nil
	}
	return slices.Contains(v[name], value)
}

// containers returns the names of containers, sorted.
func (v crashView) containers() (names []string) {
	for name := range v {
		if name.key == "" {
			names = append(names, name.container)
		}
	}
	slices.Sort(names)
	return names
}

// keys returns the keys of a container, sorted.
func (v crashView) keys(container string) (keys []string) {
	for name := range v {
		if name.container == container && name.key != "" {
			keys = append(keys, name.key)
		}
	}
	slices.Sort(keys)
	return keys
}
