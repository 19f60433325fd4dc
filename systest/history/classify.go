package history

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// describe renders a read.
func describe(r *Read) string {
	asked := ""
	if r.Asked != "" {
		asked = r.Asked + ": "
	}
	if len(r.Keys) == 1 && len(r.Among) == 1 && r.Count == 1 {
		return asked + fmt.Sprintf("%s = %q", r.Keys[0], r.Among[0])
	}
	return asked + fmt.Sprintf("%d of [%s] among %q", r.Count, strings.Join(r.Keys, " "), r.Among)
}

// classify says what is wrong with a read that does not fit its snapshot.
func (c *checker) classify(t *Txn, r *Read, own map[string]string) (kind Kind, who []int, why string) {
	if len(r.Keys) != 1 {
		return c.classifyMany(t, r, own)
	}
	key := r.Keys[0]
	if v, ok := own[key]; ok {
		return OwnWriteMissed, nil, fmt.Sprintf("it had written %q", v)
	}
	fits := func(value string) bool { return r.counts(value) == (r.Count == 1) }
	newest := c.at(key, t.Start)
	why = fmt.Sprintf("the newest commit is %q at %d", newest.value, newest.ts)
	vs := c.versions[key]
	for i := len(vs) - 1; i >= 0; i-- {
		if v := vs[i]; v.ts < newest.ts && fits(v.value) {
			return StaleRead, []int{v.by.ID}, fmt.Sprintf("%s, this is that of %d", why, v.ts)
		}
	}
	for _, v := range vs {
		if v.ts > t.Start && fits(v.value) {
			return FutureRead, []int{v.by.ID}, fmt.Sprintf("%s, this is that of %d", why, v.ts)
		}
	}
	for _, value := range c.written(key) {
		if !fits(value) {
			continue
		}
		for _, by := range c.authors[key][value] {
			switch {
			case by == t:
			case by.committed():
				return IntermediateRead, []int{by.ID}, fmt.Sprintf("%s, its writer replaced this value", why)
			case by.Outcome == Fail:
				return DirtyRead, []int{by.ID}, fmt.Sprintf("%s, this is from an aborted transaction", why)
			default:
				return FutureRead, []int{by.ID}, fmt.Sprintf("%s, the writer began at %d", why, by.Start)
			}
		}
	}
	if newest.by != nil && fits("") {
		return StaleRead, []int{newest.by.ID}, why + ", before that there was nothing"
	}
	return UnwrittenRead, nil, why + ", nobody wrote this"
}

// classifyMany looks for a snapshot in which the read would have been right.
func (c *checker) classifyMany(t *Txn, r *Read, own map[string]string) (kind Kind, who []int, why string) {
	var older, newer *Txn
	for _, key := range r.Keys {
		for _, v := range c.versions[key] {
			if c.countAt(r, own, v) != r.Count {
				continue
			}
			if v.ts <= t.Start && (older == nil || v.ts > older.Commit) {
				older = v.by
			}
			if v.ts > t.Start && (newer == nil || v.ts < newer.Commit) {
				newer = v.by
			}
		}
	}
	switch {
	case older != nil:
		return StaleRead, []int{older.ID}, fmt.Sprintf("it was so at snapshot %d", older.Commit)
	case newer != nil:
		return FutureRead, []int{newer.ID}, fmt.Sprintf("it is so at snapshot %d", newer.Commit)
	}
	return WrongMatch, nil, "it is so at no snapshot"
}

// countAt counts the read's registers in the snapshot that ends with v.
func (c *checker) countAt(r *Read, own map[string]string, v version) int {
	n := 0
	for _, key := range r.Keys {
		value, ok := own[key]
		if !ok {
			value = c.at(key, v.ts).value
		}
		if r.counts(value) {
			n++
		}
	}
	return n
}

// written returns every value that anybody ever wrote to a register.
func (c *checker) written(key string) []string {
	if c.authors == nil {
		c.authors = map[string]map[string][]*Txn{}
		for _, t := range c.txns {
			for i := range t.Ops {
				if w := t.Ops[i].Write; w != nil {
					if c.authors[w.Key] == nil {
						c.authors[w.Key] = map[string][]*Txn{}
					}
					c.authors[w.Key][w.Value] = append(c.authors[w.Key][w.Value], t)
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(c.authors[key]))
}
