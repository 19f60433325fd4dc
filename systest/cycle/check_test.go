package cycle

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dragg/systest/history"
)

// named is one case of testdata/histories.txt.
type named struct {
	data, name string
	want       []Kind
	skew       bool
	txns       []*Txn
}

func (n *named) check() (*Report, error) {
	if n.data == "append" {
		return CheckAppend(n.txns)
	}
	return CheckRegister(n.txns)
}

func readCases(t *testing.T) []*named {
	t.Helper()
	text, err := os.ReadFile("testdata/histories.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []*named
	for n, line := range strings.Split(string(text), "\n") {
		switch head, ok := strings.CutPrefix(line, "== "); {
		case ok:
			parts := strings.Split(head, ": ")
			c := &named{data: parts[0], name: parts[1]}
			for _, k := range strings.Split(parts[2], ", ") {
				switch k {
				case "none":
				case "skew":
					c.skew = true
				default:
					c.want = append(c.want, Kind(k))
				}
			}
			slices.Sort(c.want)
			out = append(out, c)
		case line == "" || line[0] == '#':
		default:
			c := out[len(out)-1]
			txn, err := parseTxn(line)
			if err != nil {
				t.Fatalf("line %d: %v", n+1, err)
			}
			if txn.Process == 0 {
				txn.Process = 1000 + len(c.txns)
			}
			c.txns = append(c.txns, txn)
		}
	}
	return out
}

func parseTxn(line string) (*Txn, error) {
	head, steps, ok := strings.Cut(line, ": ")
	if !ok {
		return nil, fmt.Errorf("%q", line)
	}
	t := &Txn{Invoke: 0, Return: 100}
	for _, f := range strings.Fields(head) {
		switch f[0] {
		case 'p':
			p, err := strconv.Atoi(f[1:])
			if err != nil {
				return nil, err
			}
			t.Process = p
		case '@':
			if _, err := fmt.Sscanf(f, "@%d-%d", &t.Invoke, &t.Return); err != nil {
				return nil, err
			}
		default:
			t.Outcome = history.Outcome(f)
		}
	}
	for _, step := range strings.Split(steps, ";") {
		op, err := parseOp(strings.Fields(strings.NewReplacer("[", " [ ", "]", " ] ").Replace(step)))
		if err != nil {
			return nil, fmt.Errorf("step %q: %w", step, err)
		}
		t.Ops = append(t.Ops, op)
	}
	return t, nil
}

func parseOp(f []string) (Op, error) {
	op := Op{Does: Act(f[0]), Key: f[1]}
	if f[2] == "-" {
		return op, nil
	}
	for _, v := range f[2:] {
		if v == "[" || v == "]" {
			op.List = append([]int64{}, op.List...)
			continue
		}
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return op, err
		}
		if op.List == nil {
			op.Value = n
		} else {
			op.List = append(op.List, n)
		}
	}
	return op, nil
}

// Goal: every anomaly is found and named, and what snapshot isolation allows passes. Method: one small history each.
func TestNamedHistories(t *testing.T) {
	cases := readCases(t)
	if len(cases) < 60 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.data+"_"+strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			r, err := c.check()
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Sorted(maps.Keys(r.Kinds())); !slices.Equal(got, c.want) {
				t.Errorf("want %q, found %v", c.want, r)
			}
			for _, v := range r.Violations {
				if len(v.Txns) == 0 || v.Detail == "" {
					t.Errorf("a finding that does not say what: %v", v)
				}
			}
			if len(c.want) == 0 && c.skew != (r.Skews > 0) {
				t.Errorf("write skews: %d", r.Skews)
			}
		})
	}
}

// Each kind of finding has a case that finds it.
func TestEveryKindHasACase(t *testing.T) {
	found := map[Kind]bool{}
	for _, c := range readCases(t) {
		for _, k := range c.want {
			found[k] = true
		}
	}
	for _, k := range []Kind{
		G0, G1a, G1b, G1c, GSingle, GNonadjacent, Internal, LostUpdate, DuplicateElements, IncompatibleOrder, CyclicVersions,
		FutureRead, LostAppend, UnwrittenRead, G0 + inRealTime, G1c + inRealTime, GSingle + inRealTime, GSingle + inSession,
	} {
		if !found[k] {
			t.Errorf("no case finds %s", k)
		}
	}
}

// What is no history of lists or registers is refused, not judged.
func TestRefused(t *testing.T) {
	for name, txns := range map[string][]*Txn{
		"a value twice":         {{Ops: []Op{{Does: Append, Key: "x", Value: 1}, {Does: Append, Key: "x", Value: 1}}}},
		"a value of 0":          {{Ops: []Op{{Does: Append, Key: "x"}}}},
		"a write among appends": {{Ops: []Op{{Does: Write, Key: "x", Value: 1}}}},
	} {
		if _, err := CheckAppend(txns); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// A report names at most history.MaxViolations and counts the rest.
func TestManyFindings(t *testing.T) {
	var txns []*Txn
	for i := range int64(history.MaxViolations + 10) {
		at := time.Duration(10 * i)
		txns = append(txns, &Txn{Invoke: at, Return: at + 1, Outcome: history.OK, Ops: []Op{{Does: Read, Key: "x", List: []int64{7 + i}}}})
	}
	r, err := CheckAppend(txns)
	if err != nil || len(r.Violations) != history.MaxViolations || r.More < 10 {
		t.Errorf("%v: %v", err, r)
	}
}

func render(txns []*Txn) string {
	var b strings.Builder
	for i, t := range txns {
		fmt.Fprintf(&b, "%d: p%d @%d-%d %s %v\n", i, t.Process, t.Invoke, t.Return, t.Outcome, t.Ops)
	}
	return b.String()
}
