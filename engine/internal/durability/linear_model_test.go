package durability

import (
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

// linearKeys is the most keys that a history is about.
const linearKeys = 4

// A linearState is what one container holds: for each key the value that its
// artifact stands for, and 0 if it has none. No two puts are of the same value.
type linearState [linearKeys]int

// A linearCall is a call as it was made.
type linearCall struct {
	kind  linearKind
	key   int
	value int // of a put
	cond  linearCondition
}

type linearKind string

const (
	callPut    linearKind = "put"
	callGet    linearKind = "get"
	callDelete linearKind = "delete"
	callList   linearKind = "list"
)

// A linearCondition is the part of container.Condition that histories use.
type linearCondition struct {
	match      int  // If-Match: this value; 0 asks nothing
	matchAny   bool // If-Match: *
	absentOnly bool // If-None-Match: *
}

// check returns how a put or a delete of a key that has value must end.
func (c linearCondition) check(value int) linearResult {
	switch {
	case (c.match != 0 || c.matchAny) && value == 0:
		return resultAbsent
	case c.match != 0 && c.match != value, c.absentOnly && value != 0:
		return resultPrecondition
	}
	return resultDone
}

// A linearAnswer is what a call returned.
type linearAnswer struct {
	result linearResult
	value  int         // of a get
	state  linearState // of a list
}

type linearResult string

const (
	resultDone         linearResult = "done"
	resultPrecondition linearResult = "precondition failed"
	resultAbsent       linearResult = "not found"
	// resultUnknown: nobody can know whether the call had its effect.
	resultUnknown linearResult = "unknown"
	// resultNothing: the call failed, so it had no effect.
	resultNothing linearResult = "failed"
)

// step returns the state after a call in a state, and whether the call may have
// had the answer.
func (s linearState) step(call linearCall, answer linearAnswer) (bool, linearState) {
	value := s[call.key]
	switch call.kind {
	case callGet:
		if answer.result == resultAbsent {
			return value == 0, s
		}
		return value != 0 && value == answer.value, s
	case callList:
		return s == answer.state, s
	}
	want := call.cond.check(value)
	if call.kind == callDelete && want == resultDone && value == 0 {
		want = resultAbsent
	}
	after := s
	if want == resultDone {
		after[call.key] = call.value // 0 for a delete
	}
	// A call of which nobody knows the outcome returns at the end of time, so it
	// may take effect behind everything else, which is never.
	return answer.result == want || answer.result == resultUnknown, after
}

func linearModel() porcupine.Model {
	return porcupine.Model{
		Partition: partition,
		Init:      func() any { return linearState{} },
		Step: func(state, call, answer any) (bool, any) {
			return state.(linearState).step(call.(linearCall), answer.(linearAnswer))
		},
		DescribeOperation: func(call, answer any) string { return describeCall(call.(linearCall), answer.(linearAnswer)) },
	}
}

// partition splits a history by key, which are independent of each other unless
// somebody looked at all of them at once.
func partition(history []porcupine.Operation) [][]porcupine.Operation {
	parts := make([][]porcupine.Operation, linearKeys)
	for _, op := range history {
		call := op.Input.(linearCall)
		if call.kind == callList {
			return [][]porcupine.Operation{history}
		}
		parts[call.key] = append(parts[call.key], op)
	}
	return parts
}

func describeCall(call linearCall, answer linearAnswer) string {
	text := string(call.kind)
	if call.kind != callList {
		text += fmt.Sprintf(" k%d", call.key)
	}
	if call.kind == callPut {
		text += fmt.Sprintf(" = %d", call.value)
	}
	if call.cond != (linearCondition{}) {
		text += fmt.Sprintf(" if %+v", call.cond)
	}
	text += ": " + string(answer.result)
	switch {
	case call.kind == callGet && answer.result == resultDone:
		text += fmt.Sprintf(" %d", answer.value)
	case call.kind == callList:
		text += fmt.Sprintf(" %v", answer.state)
	}
	return text
}

// describeHistory lists a history in the order in which its calls were made.
func describeHistory(history []porcupine.Operation) (text string) {
	history = slices.Clone(history)
	slices.SortFunc(history, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	for _, op := range history {
		text += fmt.Sprintf("%5d to %5d, client %2d: %s\n", op.Call, op.Return, op.ClientId,
			describeCall(op.Input.(linearCall), op.Output.(linearAnswer)))
	}
	return text
}
