package history

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dragg/graph"
)

// named is one case of testdata/histories.txt.
type named struct {
	name string
	want []Kind
	txns []*Txn
}

func readCases(t *testing.T) []named {
	t.Helper()
	text, err := os.ReadFile("testdata/histories.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []named
	for n, line := range strings.Split(string(text), "\n") {
		switch head, ok := strings.CutPrefix(line, "== "); {
		case ok:
			at := strings.LastIndex(head, ": ")
			c := named{name: head[:at]}
			for _, k := range strings.Split(head[at+2:], ", ") {
				if k != "none" {
					c.want = append(c.want, Kind(k))
				}
			}
			out = append(out, c)
		case line == "" || line[0] == '#':
		default:
			c := &out[len(out)-1]
			txn, err := parseTxn(line)
			if err != nil {
				t.Fatalf("line %d: %v", n+1, err)
			}
			txn.ID = len(c.txns) + 1
			c.txns = append(c.txns, txn)
		}
	}
	return out
}

func parseTxn(line string) (*Txn, error) {
	head, steps, ok := strings.Cut(line, ":")
	f := strings.Fields(head)
	if !ok || len(f) < 3 {
		return nil, fmt.Errorf("%q", line)
	}
	start, err := strconv.ParseUint(f[0], 10, 64)
	if err != nil {
		return nil, err
	}
	t := &Txn{Start: graph.Timestamp(start), Outcome: Outcome(f[2])}
	if f[1] != "-" {
		commit, err := strconv.ParseUint(f[1], 10, 64)
		if err != nil {
			return nil, err
		}
		t.Commit = graph.Timestamp(commit)
	}
	t.Invoke, t.Return = time.Duration(t.Start), time.Duration(max(t.Start, t.Commit))
	for _, option := range f[3:] {
		if option == "stale" {
			t.Stale = true
		} else if _, err := fmt.Sscanf(option, "@%d-%d", &t.Invoke, &t.Return); err != nil {
			return nil, err
		}
	}
	for _, step := range strings.Split(steps, ";") {
		if err := parseStep(t, strings.TrimSpace(step)); err != nil {
			return nil, err
		}
	}
	return t, t.check()
}

func parseStep(t *Txn, step string) error {
	if step == "" {
		return nil
	}
	what, rest, _ := strings.Cut(step, " ")
	key, value, _ := strings.Cut(rest, "=")
	switch what {
	case "w":
		t.Write(key, value)
	case "s":
		t.WriteShared(key, value)
	case "r":
		t.Read(key, value)
	case "c":
		t.Claim(rest)
	case "n":
		keys, among, _ := strings.Cut(key, " among ")
		n, err := strconv.Atoi(strings.TrimSpace(value))
		t.Match(strings.Split(keys, ","), strings.Split(strings.TrimSpace(among), ","), n)
		return err
	default:
		return fmt.Errorf("step %q", step)
	}
	return nil
}

// Goal: every anomaly is found and named, and what snapshot isolation allows passes. Method: one small history each.
func TestNamedHistories(t *testing.T) {
	cases := readCases(t)
	if len(cases) < 40 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			r := Check(c.txns)
			var got []Kind
			for k := range r.Kinds() {
				got = append(got, k)
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("want %q, found %v", c.want, r)
			}
			for _, v := range r.Violations {
				if len(v.Txns) == 0 || v.Detail == "" {
					t.Errorf("a finding that does not say what: %v", v)
				}
			}
		})
	}
}

// Each kind of violation has a case that finds it.
func TestEveryKindHasACase(t *testing.T) {
	found := map[Kind]bool{}
	for _, c := range readCases(t) {
		for _, k := range c.want {
			found[k] = true
		}
	}
	for _, k := range []Kind{
		StaleRead, FutureRead, DirtyRead, IntermediateRead, UnwrittenRead, OwnWriteMissed, WrongMatch, FracturedRead, LostUpdate,
		StaleStart, DuplicateTimestamp, BackwardCommit,
	} {
		if !found[k] {
			t.Errorf("no case finds a %s", k)
		}
	}
}
