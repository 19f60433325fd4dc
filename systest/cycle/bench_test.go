package cycle

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"dragg/systest/history"
)

// million makes a long history of a right database: ten clients, ten keys at a time with 64 writes each, one to four steps.
func million(n int) []*Txn {
	type element struct {
		value int64
		at    int // the commit that put it there
	}
	rng := rand.New(rand.NewPCG(3, 3))
	lists := map[string][]element{}
	clients := make([]struct {
		t        *Txn
		snapshot int
	}, 10)
	names := make([]string, 10)
	next, commits, value := 0, 0, int64(0)
	for i := range names {
		names[i] = fmt.Sprint("k", next)
		next++
	}
	var out []*Txn
	for now := time.Duration(1); len(out) < n; now++ {
		c := &clients[rng.IntN(len(clients))]
		if c.t == nil {
			c.t, c.snapshot = &Txn{Process: int(now), Invoke: now}, commits
			for range 1 + rng.IntN(4) {
				i := rng.IntN(len(names))
				c.t.Ops = append(c.t.Ops, Op{Does: []Act{Read, Append}[rng.IntN(2)], Key: names[i]})
			}
			continue
		}
		t := c.t
		c.t = nil
		t.Return, t.Outcome = now, history.OK
		own := map[string][]int64{}
		for i := range t.Ops {
			op := &t.Ops[i]
			if op.Does == Append {
				value++
				op.Value = value
				own[op.Key] = append(own[op.Key], value)
				l := lists[op.Key]
				if len(l) > 0 && l[len(l)-1].at > c.snapshot {
					t.Outcome = history.Fail
				}
				continue
			}
			op.List = []int64{}
			for _, e := range lists[op.Key] {
				if e.at <= c.snapshot {
					op.List = append(op.List, e.value)
				}
			}
			op.List = slices.Clip(append(op.List, own[op.Key]...))
		}
		out = append(out, t)
		if t.Outcome == history.Fail {
			continue
		}
		commits++
		for k, values := range own {
			for _, v := range values {
				lists[k] = append(lists[k], element{v, commits})
			}
			if i := slices.Index(names, k); i >= 0 && len(lists[k]) >= 64 {
				names[i] = fmt.Sprint("k", next)
				next++
			}
		}
	}
	return out
}

// A million transactions are checked in less than a minute and less than 4 GiB, the history included.
func BenchmarkCheckAppend(b *testing.B) {
	txns := million(1_000_000)
	for b.Loop() {
		r, err := CheckAppend(txns)
		if err != nil || len(r.Violations) > 0 {
			b.Fatal(err, r)
		}
		b.ReportMetric(float64(r.Edges), "edges")
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MiB")
}
