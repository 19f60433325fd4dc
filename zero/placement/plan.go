package placement

import (
	"cmp"
	"fmt"
	"slices"

	"dragg/graph"
	"dragg/schema"
)

// Tablet is a tablet that may be moved.
type Tablet struct {
	Predicate graph.Predicate
	Group     graph.GroupID
	Bytes     int64
	Load      float64 // reads and writes a second, of late
	Fixed     bool    // it must stay where it is for now
}

// Policy says what is worth a move.
type Policy struct {
	// LeastGain is how much of everything a move must even out, in thousandths.
	LeastGain int
	// LeastBytes is by how much groups must differ before anything is moved because of sizes.
	LeastBytes int64
}

// DefaultPolicy moves what makes a difference.
var DefaultPolicy = Policy{LeastGain: 30, LeastBytes: 64 << 20}

// Move is a planned move.
type Move struct {
	Predicate graph.Predicate
	From, To  graph.GroupID
	Bytes     int64
	// Gain is how much of everything it evens out, in thousandths.
	Gain int
	Why  string
}

// Groups are who may serve tablets; those that are to be emptied only give.
type Groups struct {
	Serving  []graph.GroupID
	Emptying []graph.GroupID
}

// weights knows what tablets weigh.
type weights struct {
	bytes int64
	load  float64 // 0 where there is next to none
}

// leastLoad is how many reads and writes a second all tablets together must have for the load to count: a query now and then is noise,
// and would have gigabytes follow it.
const leastLoad = 20

func weigh(tablets []Tablet) (w weights) {
	for _, t := range tablets {
		w.bytes += t.Bytes
		w.load += t.Load
	}
	if w.load < leastLoad {
		w.load = 0
	}
	return w
}

// of returns the weight of a tablet in thousandths of everything.
func (w weights) of(t Tablet) float64 {
	switch {
	case w.bytes == 0 && w.load == 0:
		return 0
	case w.load == 0:
		return 1000 * float64(t.Bytes) / float64(w.bytes)
	case w.bytes == 0:
		return 1000 * t.Load / w.load
	}
	return 500*float64(t.Bytes)/float64(w.bytes) + 500*t.Load/w.load
}

// side is one group with what it weighs.
type side struct {
	group  graph.GroupID
	weight float64
	bytes  int64
	count  int
}

// Next returns the next move that is worth it, false if there is none. The same input gives the same move.
func Next(groups Groups, tablets []Tablet, policy Policy) (Move, bool) {
	tablets = slices.SortedFunc(slices.Values(tablets), func(a, b Tablet) int { return a.Predicate.Compare(b.Predicate) })
	w := weigh(tablets)
	sides := sidesOf(groups.Serving, tablets, w)
	if len(sides) == 0 {
		return Move{}, false
	}
	lightest := sides[0]
	for _, t := range tablets {
		if slices.Contains(groups.Emptying, t.Group) && !t.Fixed {
			return Move{
				Predicate: t.Predicate, From: t.Group, To: lightest.group, Bytes: t.Bytes, Gain: int(w.of(t)),
				Why: fmt.Sprintf("group %d is being emptied", t.Group),
			}, true
		}
	}
	heaviest := sides[len(sides)-1]
	gap := heaviest.weight - lightest.weight
	if heaviest.bytes-lightest.bytes < policy.LeastBytes {
		return Move{}, false
	}
	var best Move
	for _, t := range tablets {
		if t.Group != heaviest.group || t.Fixed {
			continue
		}
		x := w.of(t)
		if gain := int(min(x, gap-x)); gain > best.Gain {
			best = Move{
				Predicate: t.Predicate, From: heaviest.group, To: lightest.group, Bytes: t.Bytes, Gain: gain,
				Why: fmt.Sprintf("group %d has %.1f %% of everything, group %d %.1f %%",
					heaviest.group, heaviest.weight/10, lightest.group, lightest.weight/10),
			}
		}
	}
	return best, best.Gain >= max(policy.LeastGain, 1)
}

// sidesOf returns the groups, the lightest first; of groups that weigh the same the one with fewer tablets.
func sidesOf(groups []graph.GroupID, tablets []Tablet, w weights) []side {
	sides := make([]side, len(groups))
	for i, g := range groups {
		sides[i].group = g
		for _, t := range tablets {
			if t.Group == g {
				sides[i].weight += w.of(t)
				sides[i].bytes += t.Bytes
				if !schema.IsReserved(t.Predicate.Name) { // which are many, and next to nothing
					sides[i].count++
				}
			}
		}
	}
	slices.SortFunc(sides, func(a, b side) int {
		return cmp.Or(cmp.Compare(a.weight, b.weight), cmp.Compare(a.count, b.count), cmp.Compare(a.group, b.group))
	})
	return sides
}

// Plan returns the moves that Next would lead to, one after the other, if sizes and load stayed as they are; at most limit.
func Plan(groups Groups, tablets []Tablet, policy Policy, limit int) (moves []Move) {
	tablets = slices.Clone(tablets)
	for len(moves) < limit {
		m, ok := Next(groups, tablets, policy)
		if !ok {
			break
		}
		moves = append(moves, m)
		i := slices.IndexFunc(tablets, func(t Tablet) bool { return t.Predicate == m.Predicate })
		tablets[i].Group = m.To
	}
	return moves
}

// For returns the group for a new tablet: the one that weighs least, and of those the one with the fewest tablets.
func For(groups Groups, tablets []Tablet) (graph.GroupID, bool) {
	sides := sidesOf(groups.Serving, tablets, weigh(tablets))
	if len(sides) == 0 {
		return 0, false
	}
	// What is small weighs nothing yet: groups that differ little are filled by number.
	least := sides[0]
	for _, s := range sides {
		if s.weight < sides[0].weight+nearly && s.count < least.count {
			least = s
		}
	}
	return least.group, true
}

// nearly is a difference in weight, in thousandths, that does not matter for a tablet without data.
const nearly = 100
