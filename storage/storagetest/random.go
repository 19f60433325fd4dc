package storagetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/storage"
)

// model is the naive twin of an engine: every version ever written, by key and timestamp.
type model map[string]map[stamp]storage.Op

// stamp orders the versions of a key: of two at one timestamp the folded one is the newer.
type stamp struct {
	ts     graph.Timestamp
	folded bool
}

func (a stamp) compare(b stamp) int {
	switch {
	case a.ts != b.ts:
		return cmp.Compare(a.ts, b.ts)
	case a.folded == b.folded:
		return 0
	case a.folded:
		return 1
	}
	return -1
}

func (m model) apply(op storage.Op) {
	key := string(op.Key)
	if m[key] == nil {
		m[key] = make(map[stamp]storage.Op)
	}
	m[key][stamp{op.Ts, op.Folded}] = op
}

func (m model) versions(key string, at graph.Timestamp) []string {
	var stamps []stamp
	for s := range m[key] {
		if s.ts <= at {
			stamps = append(stamps, s)
		}
	}
	slices.SortFunc(stamps, func(a, b stamp) int { return b.compare(a) })
	var out []string
	for _, s := range stamps {
		op := m[key][s]
		if op.Delete {
			return out
		}
		out = append(out, line(s.ts, storage.Version{Value: op.Value, Complete: op.Complete}))
		if op.Complete {
			return out
		}
	}
	return out
}

func (m model) scan(from, to string, at graph.Timestamp) []string {
	var names []string
	for key := range m {
		if key >= from && (to == "" || key < to) {
			names = append(names, key)
		}
	}
	sort.Strings(names)
	var out []string
	for _, key := range names {
		if vs := m.versions(key, at); len(vs) > 0 {
			s := key
			for _, v := range vs {
				s += " " + v
			}
			out = append(out, s)
		}
	}
	return out
}

func (m model) history(from, to string, at, floor graph.Timestamp) []string {
	return m.passed(from, to, at, floor, 0)
}

func (m model) changes(from, to string, at, since graph.Timestamp) []string {
	return m.passed(from, to, at, since, since)
}

// passed is history, without the versions that are not above since.
func (m model) passed(from, to string, at, floor, since graph.Timestamp) []string {
	var names []string
	for key := range m {
		if key >= from && (to == "" || key < to) {
			names = append(names, key)
		}
	}
	sort.Strings(names)
	var out []string
	for _, key := range names {
		var stamps []stamp
		for s := range m[key] {
			if s.ts <= at && s.ts > since {
				stamps = append(stamps, s)
			}
		}
		slices.SortFunc(stamps, func(a, b stamp) int { return b.compare(a) })
		text := ""
		for _, s := range stamps {
			op := m[key][s]
			if op.Delete && s.ts <= floor {
				break
			}
			text += " " + historyLine(s.ts, storage.Version{
				Value: op.Value, Complete: op.Complete, Deleted: op.Delete, Folded: s.folded,
			})
			if op.Complete && s.ts <= floor {
				break
			}
		}
		if text != "" {
			out = append(out, key+text)
		}
	}
	return out
}

// down returns the keys of what a scan found, from its end.
func down(lines []string) (keys []string) {
	for _, line := range lines {
		key, _, _ := strings.Cut(line, " ")
		keys = append(keys, key)
	}
	slices.Reverse(keys)
	return keys
}

// testRandom runs one random history against the engine and the model, with reopenings and discards on the way.
func testRandom(t *testing.T, open Opener) {
	dir := t.TempDir()
	e := open(t, dir)
	m := make(model)
	rng := rand.New(rand.NewPCG(1, 2))
	var discard, now graph.Timestamp = 0, 100
	key := func() string { return fmt.Sprintf("%c%d", 'a'+rng.IntN(3), rng.IntN(12)) }
	for step := range 400 {
		now++
		switch n := rng.IntN(100); {
		case n < 70:
			var b storage.Batch
			for range 1 + rng.IntN(6) {
				k, ts := key(), max(discard+1, now-graph.Timestamp(rng.IntN(4)))
				op := storage.Op{Key: []byte(k), Ts: ts}
				switch rng.IntN(6) {
				case 0:
					op.Delete, op.Complete, op.Folded = true, true, rng.IntN(3) == 0
				case 1, 2:
					op.Complete, op.Folded = true, rng.IntN(2) == 0
					op.Value = fmt.Appendf(nil, "w%d", step)
				default:
					op.Value = fmt.Appendf(nil, "v%d", step)
				}
				if slices.ContainsFunc(b.Ops, func(o storage.Op) bool { return string(o.Key) == k && o.Ts == ts }) {
					continue
				}
				b.Ops = append(b.Ops, op)
				m.apply(op)
			}
			write(t, e, b.Ops...)
		case n < 75:
			if err := e.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
		case n < 77:
			discard = max(discard, now-graph.Timestamp(rng.IntN(20)))
			e.SetDiscardTs(discard)
		case n < 78:
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			e = open(t, dir)
			e.SetDiscardTs(discard)
		case n < 79: // what is there is copied to where it is again
			replaceBy(t, e, m)
		}
		at := max(discard, now-graph.Timestamp(rng.IntN(30)))
		k := key()
		equal(t, fmt.Sprintf("step %d: %s at %d", step, k, at), versions(t, e, k, at), m.versions(k, at)...)
		if from, to := key(), key(); step%10 == 0 && from < to {
			equal(t, fmt.Sprintf("step %d: scan at %d", step, at), scan(t, e, from, to, at), m.scan(from, to, at)...)
			equal(t, fmt.Sprintf("step %d: down at %d", step, at), keysDown(t, e, from, to, at), down(m.scan(from, to, at))...)
			equal(t, fmt.Sprintf("step %d: all down at %d", step, at), keysDown(t, e, from, "", at), down(m.scan(from, "", at))...)
			floor := max(discard, at-min(at, graph.Timestamp(rng.IntN(30))))
			equal(t, fmt.Sprintf("step %d: history at %d from %d on", step, at, floor),
				history(t, e, from, to, at, floor), m.history(from, to, at, floor)...)
			equal(t, fmt.Sprintf("step %d: changes at %d after %d", step, at, floor),
				changes(t, e, from, to, at, floor), m.changes(from, to, at, floor)...)
		}
		if t.Failed() {
			break
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}
