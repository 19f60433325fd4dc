package sim

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"dragg/systest/history"
)

// Result is what a run came to.
type Result struct {
	Steps  int
	Counts map[string]int
	Report *history.Report
}

// String tells what happened, for people.
func (r Result) String() string {
	var out []string
	for _, what := range slices.Sorted(maps.Keys(r.Counts)) {
		out = append(out, fmt.Sprintf("%d %s", r.Counts[what], what))
	}
	return fmt.Sprintf("%d steps: %s; %v", r.Steps, strings.Join(out, ", "), r.Report)
}

// quietTime bounds how long the cluster may take to come to rest when nothing is wrong any more.
const quietTime = 30 * time.Second

// Run runs a plan. The same plan runs the same each time. An error is a violation, and names what was violated.
func Run(ctx context.Context, p Plan) (Result, error) {
	if p.Lasting == 0 {
		p.Lasting = 3 * time.Second
	}
	w := &world{say: p.Trace, rng: rand.New(rand.NewPCG(p.Seed, 0xd7a66)), links: map[[2]*node]bool{}}
	defer w.end()
	c, err := newCluster(ctx, w, p)
	if err != nil {
		return Result{}, err
	}
	c.bank = &bank{}
	w.start("the bank", func(t *fiber) {
		c.bank.deposit(c, t)
		for i := range clients {
			w.start(fmt.Sprintf("client %d", i+1), func(t *fiber) { c.bank.client(c, t, i+1) })
		}
		until := w.now + p.Lasting
		w.start("faults", func(t *fiber) { c.disturb(t, until) })
		w.start("moves", func(t *fiber) { c.moveTablets(t, until) })
		w.start("upkeep", func(t *fiber) { c.upkeep(t) })
	})
	w.run(p.Lasting + time.Second)
	if w.err == nil {
		c.heal()
		acked := c.bank.acked
		w.run(w.now + time.Second)
		if w.err == nil && c.bank.acked == acked {
			w.fail("no transaction succeeds after everything was healed")
		}
	}
	if w.err == nil {
		c.closed = true
		for end := w.now + quietTime; w.err == nil && !c.quiet(); {
			if w.now > end {
				w.fail("the cluster does not come to rest")
			}
			w.run(w.now + 100*time.Millisecond)
		}
	}
	r := Result{Steps: w.steps, Counts: c.counts}
	if w.err != nil {
		return r, w.err
	}
	r.Report, err = c.check()
	return r, err
}
