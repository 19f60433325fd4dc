package shard

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/storage/memkv"
)

// Goal: replicas of a group have the same digest at every timestamp that both can read, however they have rolled up, split and
// forgotten; and a change that only one has shows. Method: random commits; one replica keeps every version, the other one ages.
func TestDigestAt(t *testing.T) {
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 9))
		r := newRig(t, memkv.New(memkv.Config{}), fullSchema)
		now := time.Unix(0, 0)
		for range 60 {
			r.do(randomEdge(rng))
			switch rng.IntN(4) {
			case 0:
				r.age(&now)
			case 1:
				r.rollup()
			}
		}
		other := replica(t, memkv.New(memkv.Config{}))
		other.follow(r.log)
		compared := 0
		for ts := max(1, r.s.horizon.snapshots()); ts <= r.s.Watermark(); ts++ {
			for _, c := range r.s.Copies() {
				name := c.Predicate.Name
				a, err1 := r.s.DigestAt(t.Context(), name, ts)
				b, err2 := other.s.DigestAt(t.Context(), name, ts)
				if err1 != nil || err2 != nil || a != b {
					t.Fatalf("seed %d: %s at %d: %v %v, %v %v", seed, name, ts, a, err1, b, err2)
				}
				compared++
			}
		}
		before, err := other.s.DigestAt(t.Context(), graph.Pred("name"), other.s.Watermark())
		if err != nil {
			t.Fatal(err)
		}
		r.do(fmt.Sprintf("9 name only%d", seed))
		if after, err := r.s.DigestAt(t.Context(), graph.Pred("name"), r.s.Watermark()); err != nil || after == before || compared == 0 {
			t.Errorf("seed %d: after a change %v, %v; %d compared", seed, after, err, compared)
		}
		if _, err := r.s.DigestAt(t.Context(), graph.Pred("nobody"), r.s.Watermark()); fault.ClassOf(err) != fault.Unavailable {
			t.Errorf("of no predicate: %v", err)
		}
	}
}
