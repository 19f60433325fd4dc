package query

import (
	"time"

	"dragg/query/task"
)

// profile is what the steps of a run cost. A nil profile gathers nothing.
type profile map[*node]*Cost

func newProfile(p *Plan) profile {
	costs := profile{}
	for _, b := range p.blocks {
		b.root.walk(func(n *node) { costs[n] = &Cost{} })
	}
	return costs
}

// of returns the cost of the step that a level belongs to. What expand finds belongs to the expand.
func (p profile) of(l *level) *Cost {
	for ; l != nil; l = l.parent {
		if c := p[l.node]; c != nil {
			return c
		}
	}
	return &Cost{}
}

// took notes a batch that a job had a part in, with its answers.
func (p profile) took(l *level, results []task.Result, batch time.Duration) {
	if p == nil {
		return
	}
	c := p.of(l)
	c.Rounds++
	c.Time += batch
	for i := range results {
		res := &results[i]
		c.Lists += res.Lists
		c.CacheHits += res.CacheHits
		c.Rows += len(res.Targets) + len(res.Values) + len(res.Counts) + res.Set.Len()
	}
}

// since notes what was made of the answers.
func (p profile) since(l *level, began time.Time) {
	if p != nil {
		p.of(l).Time += time.Since(began)
	}
}

// clock is the time where a profile is gathered.
func (p profile) clock() (t time.Time) {
	if p != nil {
		t = time.Now()
	}
	return t
}
