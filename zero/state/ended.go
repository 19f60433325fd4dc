package state

import (
	"slices"

	"dragg/protos/pb"
)

// maxEnded is how many moves that are over are remembered, for people who ask what became of them.
const maxEnded = 100

// ended is what is known of the moves that are over, whoever leads.
type ended struct {
	moves  []*pb.MoveEnd // oldest first; what is in it is not changed any more
	counts []uint64      // by outcome
	begun  uint64
}

func newEnded(p *pb.ZeroState) ended {
	return ended{moves: p.GetEnded(), counts: p.GetEndedCounts(), begun: p.GetMovesBegun()}
}

// add notes that the move of t is over, if it moves.
func (e *ended) add(t *pb.Tablet, outcome pb.MoveOutcome, reason string, atMs int64) {
	if t.Move == nil {
		return
	}
	for len(e.counts) <= int(outcome) {
		e.counts = append(e.counts, 0)
	}
	e.counts[outcome]++
	e.moves = append(e.moves, &pb.MoveEnd{
		Id: t.Move.Id, Namespace: t.Namespace, Predicate: t.Predicate, From: t.Group, To: t.Move.To,
		Outcome: outcome, Reason: reason, BeganMs: t.Move.BeganMs, EndedMs: atMs,
	})
	if n := len(e.moves) - maxEnded; n > 0 {
		e.moves = slices.Delete(e.moves, 0, n)
	}
}

func (e *ended) save(p *pb.ZeroState) {
	p.Ended, p.EndedCounts, p.MovesBegun = slices.Clone(e.moves), slices.Clone(e.counts), e.begun
}
