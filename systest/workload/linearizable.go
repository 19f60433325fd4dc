package workload

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"time"

	"github.com/anishathalye/porcupine"

	"dragg/systest/cycle"
	"dragg/systest/history"
)

// answered is what a register operation came back with: known is false when nobody heard of it.
type answered struct {
	known bool
	value int64
}

// registerModel is a register with reads, writes and compare-and-set, which holds 0 at first.
func registerModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return int64(0) },
		Step: func(state, input, output any) (bool, any) {
			held, op, out := state.(int64), input.(cycle.Op), output.(answered)
			switch op.Does {
			case cycle.Read:
				return !out.known || out.value == held, held
			case cycle.Write:
				return true, op.Value
			}
			if held != op.List[0] {
				return !out.known, held
			}
			return true, op.List[1]
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprint(input, " -> ", output) },
	}
}

// linearizableTime bounds the search for one register. A register that takes longer counts as wrong: nothing was shown.
const linearizableTime = time.Minute

// checkRegisters checks each register by itself.
func checkRegisters(txns []*cycle.Txn) (wrong []string, summary string) {
	keys := map[int][]porcupine.Operation{}
	for i, t := range txns {
		op := t.Ops[0]
		if t.Outcome == history.Fail || t.Outcome == history.Unknown && op.Does == cycle.Read {
			continue
		}
		key, err := strconv.Atoi(op.Key)
		if err != nil {
			return []string{err.Error()}, ""
		}
		o := porcupine.Operation{
			ClientId: i, Input: op, Call: int64(t.Invoke), Output: answered{t.Outcome == history.OK, op.Value}, Return: int64(t.Return),
		}
		if t.Outcome == history.Unknown {
			o.Return = math.MaxInt64 // it may take effect at any time
		}
		keys[key] = append(keys[key], o)
	}
	most := 0
	for key, ops := range keys {
		most = max(most, len(ops))
		if r := porcupine.CheckOperationsTimeout(registerModel(), ops, linearizableTime); r != porcupine.Ok {
			wrong = append(wrong, fmt.Sprintf("register %d: %s: %s", key, r, timeline(ops)))
		}
	}
	return wrong, fmt.Sprintf("%d registers, %d operations on one at most", len(keys), most)
}

// timeline renders operations in the order in which they began.
func timeline(ops []porcupine.Operation) (out string) {
	sort.Slice(ops, func(i, j int) bool { return ops[i].Call < ops[j].Call })
	for _, o := range ops[:min(len(ops), 200)] {
		end := "?"
		if o.Return != math.MaxInt64 {
			end = time.Duration(o.Return).String()
		}
		op := o.Input.(cycle.Op)
		what := op.String()
		if op.Does == compareAndSet {
			what = fmt.Sprintf("cas %s %v", op.Key, op.List)
		}
		out += fmt.Sprintf("\n    [%v-%v] %s", time.Duration(o.Call), end, what)
	}
	return out
}
