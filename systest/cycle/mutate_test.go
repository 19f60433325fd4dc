package cycle

import (
	"math/rand/v2"
	"slices"
	"testing"

	"dragg/systest/history"
)

// clone copies a history so that it can be changed.
func clone(txns []*Txn) []*Txn {
	var out []*Txn
	for _, t := range txns {
		u := *t
		u.Ops = slices.Clone(t.Ops)
		for i := range u.Ops {
			u.Ops[i].List = slices.Clone(u.Ops[i].List)
		}
		out = append(out, &u)
	}
	return out
}

// pick returns a random step for which is holds, of a committed transaction that is not the last.
func pick(rng *rand.Rand, txns []*Txn, is func(t *Txn, op *Op) bool) *Op {
	var found []*Op
	for _, t := range txns[:len(txns)-1] {
		for i := range t.Ops {
			if t.Outcome == history.OK && is(t, &t.Ops[i]) {
				found = append(found, &t.Ops[i])
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	return found[rng.IntN(len(found))]
}

// mutation breaks a history; it reports false when there is nothing to break.
type mutation func(rng *rand.Rand, txns []*Txn) bool

// abortSeen turns a transaction whose write is in the last read into one that was aborted.
func abortSeen(_ *rand.Rand, txns []*Txn) bool {
	for _, op := range txns[len(txns)-1].Ops {
		for _, t := range txns {
			for _, w := range t.Ops {
				if w.Does != Read && w.Key == op.Key && (slices.Contains(op.List, w.Value) || op.Value == w.Value) {
					t.Outcome = history.Fail
					return true
				}
			}
		}
	}
	return false
}

// onList changes one read of a list of at least n values.
func onList(n int, change func(rng *rand.Rand, list []int64) []int64) mutation {
	return func(rng *rand.Rand, txns []*Txn) bool {
		op := pick(rng, txns, func(_ *Txn, op *Op) bool { return op.Does == Read && len(op.List) >= n })
		if op == nil {
			return false
		}
		op.List = change(rng, op.List)
		return true
	}
}

func mutations() map[Act]map[string]mutation {
	return map[Act]map[string]mutation{
		Append: {
			"a writer that was seen is aborted": abortSeen,
			"a value is there twice": onList(1, func(rng *rand.Rand, l []int64) []int64 {
				return append(l, l[rng.IntN(len(l))])
			}),
			"two values are swapped": onList(2, func(rng *rand.Rand, l []int64) []int64 {
				i := rng.IntN(len(l) - 1)
				l[i], l[i+1] = l[i+1], l[i]
				return l
			}),
			"a value is missing": onList(2, func(rng *rand.Rand, l []int64) []int64 {
				i := rng.IntN(len(l) - 1)
				return slices.Delete(l, i, i+1)
			}),
			"a value is strange": onList(0, func(_ *rand.Rand, l []int64) []int64 { return append(l, 1<<40) }),
			"the last read is of a beginning": func(_ *rand.Rand, txns []*Txn) bool {
				for i := range txns[len(txns)-1].Ops {
					if op := &txns[len(txns)-1].Ops[i]; len(op.List) > 0 && acked(txns, op.Key, op.List[len(op.List)-1]) {
						op.List = op.List[:len(op.List)-1]
						return true
					}
				}
				return false
			},
		},
		Write: {
			"a writer that was seen is aborted": abortSeen,
			"a value is strange": func(rng *rand.Rand, txns []*Txn) bool {
				op := pick(rng, txns, func(_ *Txn, op *Op) bool { return op.Does == Read })
				if op != nil {
					op.Value = 1 << 40
				}
				return op != nil
			},
			"the last read finds nothing": func(_ *rand.Rand, txns []*Txn) bool {
				for i := range txns[len(txns)-1].Ops {
					if op := &txns[len(txns)-1].Ops[i]; acked(txns, op.Key, op.Value) {
						op.Value = 0
						return true
					}
				}
				return false
			},
		},
	}
}

// acked reports whether whoever wrote a value was told so.
func acked(txns []*Txn, key string, value int64) bool {
	return slices.ContainsFunc(txns, func(t *Txn) bool {
		return t.Outcome == history.OK && slices.ContainsFunc(t.Ops, func(op Op) bool {
			return op.Does != Read && op.Key == key && op.Value == value
		})
	})
}

// Goal: no false alarm on long histories, and nothing that is broken in them passes. Method: histories of a right database; each is
// checked as it is, and after every one of the changes that no schedule could explain.
func TestMutations(t *testing.T) {
	for act, changes := range mutations() {
		made := map[string]int{}
		for seed := range uint64(60) {
			rng := rand.New(rand.NewPCG(seed, 1))
			d := &sloppy{rng: rng, writes: act}
			good := d.run(20 + rng.IntN(200))
			check := func(txns []*Txn) *Report {
				c := named{data: map[Act]string{Append: "append", Write: "register"}[act], txns: txns}
				r, err := c.check()
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			if r := check(good); len(r.Violations) > 0 {
				t.Fatalf("seed %d: a false alarm: %v\n%s", seed, r, render(good))
			}
			for name, change := range changes {
				bad := clone(good)
				if !change(rng, bad) {
					continue
				}
				made[name]++
				if r := check(bad); len(r.Violations) == 0 {
					t.Errorf("seed %d: %s, and nobody notices\n%s", seed, name, render(bad))
				}
			}
		}
		for name := range changes {
			if made[name] < 40 {
				t.Errorf("%s: made %d times only", name, made[name])
			}
		}
	}
}
