package sim

import (
	"flag"
	"fmt"
	"testing"
)

var (
	seeds = flag.Int("seeds", 300, "how many seeds are run")
	first = flag.Uint64("seed", 1, "the first seed")
)

// Goal: whatever goes wrong, and wherever tablets are on their way, a cluster keeps its word. Method: see the package's comment. To
// see one seed again: -seed N -seeds 1 -v.
func TestSeeds(t *testing.T) {
	total := map[string]int{}
	var trace func(string)
	if *seeds == 1 {
		trace = func(line string) { t.Log(line) }
	}
	for seed := *first; seed < *first+uint64(*seeds); seed++ {
		r, err := Run(t.Context(), Plan{Seed: seed, Dir: t.TempDir(), Trace: trace})
		if err != nil {
			t.Fatalf("seed %d: %v\n%v", seed, err, r)
		}
		for what, n := range r.Counts {
			total[what] += n
		}
	}
	t.Log(Result{Counts: total})
}

// A seed runs the same each time.
func TestReplay(t *testing.T) {
	for seed := range uint64(5) {
		var once string
		for i := range 2 {
			r, err := Run(t.Context(), Plan{Seed: seed, Dir: t.TempDir()})
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if i == 1 && fmt.Sprint(r) != once {
				t.Errorf("seed %d: first %s, then %v", seed, once, r)
			}
			once = fmt.Sprint(r)
		}
	}
}

// Goal: the simulation would have found what it is there to find. Method: bugs are planted, each must be found within some seeds.
func TestPlantedBugs(t *testing.T) {
	from := map[Bug]uint64{bugDrawnFence: 70, bugUnapplied: 225} // these take long to be found from 1 on
	for bug := noBug + 1; bug < bugs; bug++ {
		found := false
		for seed := max(from[bug], 1); seed <= from[bug]+400 && !found; seed++ {
			_, err := Run(t.Context(), Plan{Seed: seed, Dir: t.TempDir(), Bug: bug})
			if found = err != nil; found {
				t.Logf("bug %d is found by seed %d: %v", bug, seed, err)
			}
		}
		if !found {
			t.Errorf("bug %d was not found", bug)
		}
	}
}
