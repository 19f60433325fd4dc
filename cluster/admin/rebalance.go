package admin

import (
	"net/http"
	"strings"

	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/zero/placement"
)

// Policy is when tablets are moved to even out the groups.
type Policy struct {
	Off        bool   `json:"off"`
	IntervalMs uint64 `json:"interval_ms"` // between two moves
	LeastGain  uint32 `json:"least_gain"`  // how much of everything a move must even out, in thousandths
	LeastBytes int64  `json:"least_bytes"` // by how much groups must differ
}

func policyOf(s *pb.ZeroState) Policy {
	p := s.Policy
	return Policy{Off: p.GetOff(), IntervalMs: p.GetIntervalMs(), LeastGain: p.GetLeastGain(), LeastBytes: p.GetLeastBytes()}
}

// setPolicy sets what is named; the rest stays.
func (v *V1) setPolicy(r *http.Request) (any, error) {
	st, err := v.zeros.State(r.Context())
	if err != nil {
		return nil, err
	}
	p := policyOf(st)
	if err := readBody(r, &p); err != nil {
		return nil, err
	}
	if err := v.zeros.SetPolicy(r.Context(), &pb.RebalancePolicy{
		Off: p.Off, IntervalMs: p.IntervalMs, LeastGain: p.LeastGain, LeastBytes: p.LeastBytes,
	}); err != nil {
		return nil, err
	}
	return p, nil
}

// PlannedMove is a move that would even out the groups.
type PlannedMove struct {
	Namespace uint64 `json:"namespace"`
	Predicate string `json:"predicate"`
	From      uint32 `json:"from"`
	To        uint32 `json:"to"`
	Bytes     int64  `json:"bytes"`
	Gain      int    `json:"gain"` // in thousandths of everything
	Why       string `json:"why"`
}

// PlanOf is the answer of GET /v1/rebalance/plan: the moves that would be made, one after the other, if sizes and load stayed as they
// are.
type PlanOf struct {
	Off     bool          `json:"off"`     // by the policy: nothing is moved unless it is asked for
	Blocked []string      `json:"blocked"` // what keeps the first from being made now
	Moves   []PlannedMove `json:"moves"`
}

// planLimit bounds a plan that is shown.
const planLimit = 100

func planOf(s *pb.ZeroState) PlanOf {
	out := PlanOf{Off: s.Policy.GetOff(), Blocked: append([]string{}, placement.Obstacles(s)...), Moves: []PlannedMove{}}
	for _, m := range plan(s, planLimit) {
		out.Moves = append(out.Moves, PlannedMove{
			Namespace: uint64(m.Predicate.Namespace), Predicate: m.Predicate.Name, From: uint32(m.From), To: uint32(m.To),
			Bytes: m.Bytes, Gain: m.Gain, Why: m.Why,
		})
	}
	return out
}

func plan(s *pb.ZeroState, limit int) []placement.Move {
	return placement.Plan(placement.GroupsOf(s), placement.TabletsOf(s), placement.PolicyOf(s.Policy), limit)
}

// runPlan begins the first move of the plan now, also where the policy is off or the last move was a moment ago.
func (v *V1) runPlan(r *http.Request) (any, error) {
	st, err := v.zeros.State(r.Context())
	if err != nil {
		return nil, err
	}
	if obstacles := placement.Obstacles(st); len(obstacles) > 0 {
		return nil, fault.New(fault.Conflict, "nothing can be moved now: %s", strings.Join(obstacles, "; "))
	}
	moves := plan(st, 1)
	if len(moves) == 0 {
		return nil, fault.New(fault.Conflict, "no move is worth it, as the policy says: see GET /v1/rebalance/policy")
	}
	return v.beginMove(r, moves[0].Predicate, uint32(moves[0].To))
}
