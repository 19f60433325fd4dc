package slab

import (
	"math/rand/v2"
	"testing"
)

// Whatever was taken before, and however it was used, what is taken is zero, nobody else's, and cannot grow into its neighbour.
func TestTake(t *testing.T) {
	var s Slab[int]
	rng := rand.New(rand.NewPCG(1, 1))
	for round := range 200 {
		var parts [][]int
		for i := range rng.IntN(20) {
			part := s.Take(rng.IntN(1 << rng.IntN(10)))
			for j, v := range part {
				if v != 0 {
					t.Fatalf("round %d: element %d of piece %d is %d", round, j, i, v)
				}
				part[j] = i + 1
			}
			if cap(part) != len(part) {
				t.Fatalf("a piece of %d elements has room for %d", len(part), cap(part))
			}
			parts = append(parts, part)
		}
		for i, part := range parts {
			for _, v := range part {
				if v != i+1 {
					t.Fatalf("round %d: piece %d holds %d", round, i, v)
				}
			}
		}
		s.Reset()
	}
}

// In the long run nothing is allocated, and what was large once is not kept.
func TestReset(t *testing.T) {
	var s Slab[int]
	if n := testing.AllocsPerRun(100, func() { s.Take(5); s.Take(7); s.Reset() }); n != 0 {
		t.Errorf("%v allocations a round", n)
	}
	s.Take(10 * most)
	s.Reset()
	if len(s.piece) > most {
		t.Errorf("%d elements are kept", len(s.piece))
	}
}
