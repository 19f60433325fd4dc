package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/zero/placement"
)

// Operation is something that takes its time. It is what the replicated state says, so that it survives whoever leads.
type Operation struct {
	// ID of a move is the move's, of a drain "drain-" and the node's.
	ID        string `json:"id"`
	Kind      string `json:"kind"`  // move or drain
	State     string `json:"state"` // running, done or failed
	Why       string `json:"why"`   // it is not done, for people
	Namespace uint64 `json:"namespace"`
	Predicate string `json:"predicate"` // of a move
	From      uint32 `json:"from"`      // the group
	To        uint32 `json:"to"`        // of a move
	Node      uint64 `json:"node"`      // of a drain
	Outcome   string `json:"outcome"`   // of a move that is over, for programs
	Began     string `json:"began"`     // of a move, RFC 3339
	Ended     string `json:"ended"`
}

// Operations is the answer of GET /v1/operations: what goes on, then what is over, the newest first.
type Operations struct {
	Operations []Operation `json:"operations"`
}

// The states of an operation.
const (
	Running = "running"
	Done    = "done"
	Failed  = "failed"
)

func operationsOf(s *pb.ZeroState) Operations {
	out := Operations{Operations: []Operation{}}
	for _, t := range s.Tablets {
		if t.Move != nil {
			out.Operations = append(out.Operations, moving(t))
		}
	}
	for _, m := range members(s) {
		if m.Draining {
			out.Operations = append(out.Operations, drainOf(s, m))
		}
	}
	for _, e := range slices.Backward(s.Ended) {
		out.Operations = append(out.Operations, moved(e))
	}
	return out
}

func (v *V1) operation(r *http.Request) (any, error) { return v.operationBy(r, r.PathValue("id")) }

func (v *V1) operationBy(r *http.Request, id string) (any, error) {
	st, err := v.zeros.State(r.Context())
	if err != nil {
		return nil, err
	}
	all := operationsOf(st).Operations
	i := slices.IndexFunc(all, func(o Operation) bool { return o.ID == id })
	if i < 0 {
		return nil, fault.New(fault.NotFound, "id: there is no operation %q; GET /v1/operations lists those that are known", id)
	}
	return all[i], nil
}

func idOf(move uint64) string { return strconv.FormatUint(move, 10) }

// moving is the move of a tablet that moves.
func moving(t *pb.Tablet) Operation {
	return Operation{
		ID: idOf(t.Move.Id), Kind: "move", State: Running, Namespace: t.Namespace, Predicate: t.Predicate, From: t.Group, To: t.Move.To,
		Began: clock(t.Move.BeganMs),
	}
}

// moved is a move that is over.
func moved(e *pb.MoveEnd) Operation {
	o := Operation{
		ID: idOf(e.Id), Kind: "move", State: Failed, Namespace: e.Namespace, Predicate: e.Predicate, From: e.From, To: e.To,
		Outcome: outcomeOf(e), Why: e.Reason, Began: clock(e.BeganMs), Ended: clock(e.EndedMs),
	}
	if e.Outcome == pb.MoveOutcome_ENDED_DONE {
		o.State = Done
	}
	return o
}

// outcomeOf returns done, cancelled, silent, slow, differed or changed.
func outcomeOf(e *pb.MoveEnd) string { return OutcomeName(e.Outcome) }

// OutcomeName returns the name of an outcome, as operators and metrics show it.
func OutcomeName(o pb.MoveOutcome) string {
	return strings.ToLower(strings.TrimPrefix(o.String(), "ENDED_"))
}

// drainOf says how far the draining of a node has come. It is done when the node leads nothing that others could, and its group
// serves nothing if all of it is drained: then the node may be stopped, or removed.
func drainOf(s *pb.ZeroState, m *pb.Member) Operation {
	o := Operation{ID: fmt.Sprintf("drain-%d", m.Id), Kind: "drain", State: Running, Node: m.Id, From: m.Group}
	groups := placement.GroupsOf(s)
	if !slices.Contains(groups.Emptying, graph.GroupID(m.Group)) {
		if s.Leaders[m.Group] == m.Id {
			o.Why = fmt.Sprintf("it still leads group %d", m.Group)
		} else {
			o.State = Done
		}
		return o
	}
	left := 0
	for _, t := range s.Tablets {
		if t.Group == m.Group {
			left++
		}
	}
	switch {
	case left == 0:
		o.State = Done
	case len(groups.Serving) == 0:
		o.Why = fmt.Sprintf("there is no other group for the %d tablets of group %d", left, m.Group)
	case len(s.Silent) > 0:
		o.Why = fmt.Sprintf("%d tablets are left; they wait until node %d of group %d answers again, or is removed",
			left, s.Silent[0].Id, s.Silent[0].Group)
	default:
		o.Why = fmt.Sprintf("%d tablets are left", left)
	}
	return o
}
