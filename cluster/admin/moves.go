package admin

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// MoveOf is a move that goes on, of GET /v1/moves.
type MoveOf struct {
	ID        uint64 `json:"id"`
	Namespace uint64 `json:"namespace"`
	Predicate string `json:"predicate"`
	From      uint32 `json:"from"`
	To        uint32 `json:"to"`
	Phase     string `json:"phase"` // copy, or fenced: writers wait
	Step      string `json:"step"`  // as the receiving group last told
	Bytes     int64  `json:"bytes"` // received by who leads the receiving group now
	Tries     uint32 `json:"tries"` // fences that were lifted, because they took too long
	Since     string `json:"since"` // RFC 3339
}

// Moves is the answer of GET /v1/moves.
type Moves struct {
	Moves []MoveOf `json:"moves"`
}

func movesOf(s *pb.ZeroState) Moves {
	out := Moves{Moves: []MoveOf{}}
	for _, t := range s.Tablets {
		if t.Move == nil {
			continue
		}
		m := MoveOf{
			ID: t.Move.Id, Namespace: t.Namespace, Predicate: t.Predicate, From: t.Group, To: t.Move.To, Phase: "copy",
			Tries: t.Move.Tries, Since: clock(t.Move.BeganMs),
		}
		if t.Move.Fence != 0 {
			m.Phase = "fenced"
		}
		for _, p := range s.Progress {
			if p.Id == m.ID {
				m.Step, m.Bytes = p.Step, p.Bytes
			}
		}
		out.Moves = append(out.Moves, m)
	}
	slices.SortFunc(out.Moves, func(a, b MoveOf) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// clock writes a time, "" where it is not known.
func clock(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano)
}

// Destination is the body of POST /v1/tablets/{name}/move.
type Destination struct {
	Group     uint32 `json:"group"`
	Namespace uint64 `json:"namespace"`
}

// move begins to move a tablet. Asked twice, it answers with the same operation.
func (v *V1) move(r *http.Request) (any, error) {
	var want Destination
	if err := readBody(r, &want); err != nil {
		return nil, err
	}
	st, err := v.zeros.State(r.Context())
	if err != nil {
		return nil, err
	}
	p := graph.Predicate{Namespace: graph.Namespace(want.Namespace), Name: r.PathValue("name")}
	switch {
	case want.Group == 0:
		return nil, fault.New(fault.Invalid, "group: say which group shall serve %s; GET /v1/groups lists them", p)
	case !slices.ContainsFunc(st.Members, func(m *pb.Member) bool { return m.Group == want.Group }):
		return nil, fault.New(fault.NotFound, "group: there is no group %d; GET /v1/groups lists those that there are", want.Group)
	case !slices.ContainsFunc(st.Tablets, func(t *pb.Tablet) bool { return t.Namespace == want.Namespace && t.Predicate == p.Name }):
		return nil, fault.New(fault.NotFound, "name: there is no predicate %s; GET /v1/tablets lists those that there are", p)
	}
	return v.beginMove(r, p, want.Group)
}

func (v *V1) beginMove(r *http.Request, p graph.Predicate, to uint32) (any, error) {
	reply, err := v.zeros.Move(r.Context(), &pb.MoveStep{
		Kind: pb.MoveKind_MOVE_BEGIN, Namespace: uint64(p.Namespace), Predicate: p.Name, To: to,
	})
	if err != nil {
		return nil, err
	}
	return begun{moving(reply.Tablet)}, nil
}

// cancel ends a move that goes on: the tablet stays where it is.
func (v *V1) cancel(r *http.Request) (any, error) {
	id, err := pathNumber(r, "id", 64)
	if err != nil {
		return nil, err
	}
	st, err := v.zeros.State(r.Context())
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(st.Tablets, func(t *pb.Tablet) bool { return t.Move.GetId() == id && id != 0 })
	if i < 0 {
		for _, e := range st.Ended {
			if e.Id == id {
				return nil, fault.New(fault.Conflict, "id: move %d is over already: %s", id, outcomeOf(e))
			}
		}
		return nil, fault.New(fault.NotFound, "id: there is no move %d; GET /v1/moves lists those that go on", id)
	}
	t := st.Tablets[i]
	if _, err := v.zeros.Move(r.Context(), &pb.MoveStep{
		Kind: pb.MoveKind_MOVE_ABORT, Id: id, Namespace: t.Namespace, Predicate: t.Predicate,
		Reason: cmp.Or(r.URL.Query().Get("reason"), "an operator cancelled it"),
	}); err != nil {
		return nil, err
	}
	return v.operationBy(r, idOf(id))
}
