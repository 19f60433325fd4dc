package workload

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dragg/systest/cycle"
	"dragg/systest/history"
)

// txn is a transaction at a time, in nanoseconds, which ended somehow.
func txn(invoke, end int, o history.Outcome, ops ...cycle.Op) *cycle.Txn {
	return &cycle.Txn{Invoke: time.Duration(invoke), Return: time.Duration(end), Outcome: o, Ops: ops}
}

func does(act cycle.Act, key string, value int64, list ...int64) cycle.Op {
	return cycle.Op{Does: act, Key: key, Value: value, List: list}
}

const (
	ok   = history.OK
	fail = history.Fail
	open = history.Unknown
)

func read(key string, list ...int64) cycle.Op { return does(cycle.Read, key, 0, list...) }

func write(key string, v int64) cycle.Op { return does(cycle.Write, key, v) }

func seen(key string, v int64) cycle.Op { return does(cycle.Read, key, v) }

func ups(key string) cycle.Op { return does(makeNode, key, 1) }

func add(v int64) cycle.Op { return does(cycle.Append, "set", v) }

func cas(key string, old, next int64) cycle.Op { return does(compareAndSet, key, 0, old, next) }

// Goal: every checker finds what its workload is for, and lets pass what must pass. Method: records made by hand; good is what passes,
// every other name is in what is found.
func TestChecks(t *testing.T) {
	for _, c := range []struct {
		name, finds string
		w           func(log) Workload
		txns        []*cycle.Txn
	}{
		{"delete, one or none", "", del, []*cycle.Txn{txn(1, 2, ok, read("5", 5)), txn(3, 4, ok, read("5"))}},
		{"delete, two records", "led to records with [5 5]", del, []*cycle.Txn{txn(1, 2, ok, read("5", 5, 5))}},
		{"delete, no key", "led to records with [-1]", del, []*cycle.Txn{txn(1, 2, ok, read("5", -1))}},
		{"delete, another key", "led to records with [6]", del, []*cycle.Txn{txn(1, 2, ok, read("5", 6))}},
		{"delete, by one that failed later", "led to records", del, []*cycle.Txn{txn(1, 2, fail, read("5", 5, 5))}},

		{"upsert, once", "", upsert, []*cycle.Txn{txn(1, 5, ok, ups("a")), txn(1, 5, open, ups("a")), txn(6, 7, ok, read("a", 9))}},
		{"upsert, read while it is made", "", upsert, []*cycle.Txn{txn(1, 5, ok, ups("a")), txn(2, 3, ok, read("a"))}},
		{"upsert, unknown", "", upsert, []*cycle.Txn{txn(1, 5, open, ups("a")), txn(6, 7, ok, read("a", 9))}},
		{"upsert, twice", "made 2 times", upsert, []*cycle.Txn{txn(1, 5, ok, ups("a")), txn(1, 5, ok, ups("a"))}},
		{"upsert, two nodes", "was 2 nodes", upsert, []*cycle.Txn{txn(1, 5, ok, ups("a")), txn(6, 7, ok, read("a", 8, 9))}},
		{"upsert, lost", "was not there", upsert, []*cycle.Txn{txn(1, 5, ok, ups("a")), txn(6, 7, ok, read("a"))}},
		{"upsert, another node", "before it was", upsert, []*cycle.Txn{
			txn(1, 5, ok, ups("a")), txn(6, 7, ok, read("a", 8)), txn(8, 9, ok, read("a", 9)),
		}},
		{"upsert, from nowhere", "nobody made it", upsert, []*cycle.Txn{txn(1, 5, fail, ups("a")), txn(6, 7, ok, read("a", 8))}},

		{"set, all there", "", set1, []*cycle.Txn{
			txn(1, 2, ok, add(1)), txn(1, 2, open, add(2)), txn(1, 2, open, add(3)), txn(1, 2, fail, add(4)), txn(3, 4, ok, read("set", 1, 3)),
		}},
		{"set, lost", "1 of 2 acknowledged", set1, []*cycle.Txn{txn(1, 2, ok, add(1)), txn(1, 2, ok, add(2)), txn(3, 4, ok, read("set", 1))}},
		{"set, acknowledged too late to count", "", set1, []*cycle.Txn{txn(1, 4, ok, add(1)), txn(3, 5, ok, read("set"))}},
		{"set, twice", "more than once", set1, []*cycle.Txn{txn(1, 2, ok, add(1)), txn(3, 4, ok, read("set", 1, 1))}},
		{"set, failed", "nobody added", set1, []*cycle.Txn{txn(1, 2, fail, add(1)), txn(3, 4, ok, read("set", 1))}},
		{"set, unexpected", "nobody added", set1, []*cycle.Txn{txn(3, 4, ok, read("set", 7))}},
		{"set, never read", "never read", set1, []*cycle.Txn{txn(1, 2, ok, add(1))}},
		{"uid-set, lost", "acknowledged were not there", uidSet, []*cycle.Txn{txn(1, 2, ok, add(1)), txn(3, 4, ok, read("set"))}},

		{"sequential, counting", "", sequential, []*cycle.Txn{
			txn(1, 2, ok, seen("a", 0), write("a", 1)), txn(3, 6, ok, seen("a", 1), write("a", 2)), txn(4, 5, ok, seen("a", 2)),
			txn(5, 6, ok, seen("a", 2)),
		}},
		{"sequential, overlapping reads", "", sequential, []*cycle.Txn{
			txn(1, 9, ok, seen("a", 0), write("a", 1)), txn(2, 5, ok, seen("a", 1)), txn(3, 6, ok, seen("a", 0)),
		}},
		{"sequential, backwards", "saw a at 1", sequential, []*cycle.Txn{txn(1, 2, ok, seen("a", 2)), txn(3, 4, ok, seen("a", 1))}},
		{"sequential, a write forgotten", "saw a at 0", sequential, []*cycle.Txn{
			txn(1, 2, ok, seen("a", 0), write("a", 1)), txn(3, 4, ok, seen("a", 0)),
		}},
		{"sequential, an unknown count is nothing seen", "", sequential, []*cycle.Txn{
			txn(1, 2, open, seen("a", 0), write("a", 1)), txn(3, 4, ok, seen("a", 0)),
		}},
		{"sequential, a count taken twice", "twice", sequential, []*cycle.Txn{
			txn(1, 9, ok, seen("a", 0), write("a", 1)), txn(1, 9, ok, seen("a", 0), write("a", 1)),
		}},
		{"sequential, two counters", "was two", sequential, []*cycle.Txn{txn(1, 2, ok, seen("a", -1))}},

		{"register, one after the other", "", register, []*cycle.Txn{
			txn(1, 2, ok, write("1", 3)), txn(3, 4, ok, cas("1", 3, 4)), txn(5, 6, ok, seen("1", 4)),
		}},
		{"register, stale", "register 1", register, []*cycle.Txn{
			txn(1, 2, ok, write("1", 3)), txn(3, 4, ok, write("1", 4)), txn(5, 6, ok, seen("1", 3)),
		}},
		{"register, an unknown write comes late", "", register, []*cycle.Txn{
			txn(1, 2, open, write("1", 3)), txn(3, 4, ok, seen("1", 0)), txn(5, 6, ok, seen("1", 3)),
		}},
		{"register, an unknown write comes and goes", "register 1", register, []*cycle.Txn{
			txn(1, 2, open, write("1", 3)), txn(3, 4, ok, seen("1", 3)), txn(5, 6, ok, seen("1", 0)),
		}},
		{"register, both swapped", "register 1", register, []*cycle.Txn{
			txn(1, 2, ok, write("1", 3)), txn(3, 9, ok, cas("1", 3, 4)), txn(3, 9, ok, cas("1", 3, 5)),
		}},
		{"register, an unknown swap that could not be", "", register, []*cycle.Txn{
			txn(1, 2, ok, write("1", 3)), txn(3, 9, open, cas("1", 2, 4)), txn(10, 11, ok, seen("1", 3)),
		}},
		{"register, two of one name", "register 1", register, []*cycle.Txn{txn(1, 2, ok, write("1", 3)), txn(3, 4, ok, seen("1", -1))}},
		{"registers are apart", "", uidRegister, []*cycle.Txn{txn(1, 2, ok, write("1", 3)), txn(3, 4, ok, seen("2", 0))}},
		{"register, a failed write is seen", "register 1", uidRegister, []*cycle.Txn{txn(1, 2, fail, write("1", 3)), txn(3, 4, ok, seen("1", 3))}},

		{"long fork, growing", "", longFork, []*cycle.Txn{
			txn(1, 9, ok, write("0", 1)), txn(1, 9, ok, write("1", 1)), txn(2, 9, ok, seen("0", 1), seen("1", 0), seen("2", 0)),
			txn(2, 9, ok, seen("0", 1), seen("1", 1), seen("2", 0)),
		}},
		{"long fork", "a fork", longFork, []*cycle.Txn{
			txn(1, 9, ok, write("0", 1)), txn(1, 9, ok, write("1", 1)), txn(2, 9, ok, seen("0", 1), seen("1", 0), seen("2", 0)),
			txn(2, 9, ok, seen("0", 0), seen("1", 1), seen("2", 0)),
		}},
		{"long fork, a key without value", "no value", longFork, []*cycle.Txn{txn(2, 9, ok, seen("0", -1), seen("1", 0), seen("2", 0))}},

		{"wr, lost update", "lost-update", readWrite, []*cycle.Txn{
			txn(1, 9, ok, seen("0", 0), write("0", 1)), txn(1, 9, ok, seen("0", 0), write("0", 2)),
		}},
		{"list-append, read skew", "G-single", listAppend, []*cycle.Txn{
			txn(1, 9, ok, does(cycle.Append, "0", 1), does(cycle.Append, "1", 2)), txn(2, 9, ok, read("0"), read("1", 2)),
			txn(10, 11, ok, read("0", 1), read("1", 2)),
		}},

		{"types, the same", "", types, []*cycle.Txn{txn(1, 2, ok, write("-5", 0), seen("-5", 0)), txn(1, 2, fail, write("7", 0))}},
		{"types, rounded", "wrote 9007199254740993, read 9007199254740992", types, []*cycle.Txn{
			txn(1, 2, ok, write("9007199254740993", 0), seen("9007199254740992", 0)),
		}},
	} {
		l := log{cycle.NewRecorder()}
		w := c.w(l)
		for _, x := range c.txns {
			l.rec.Add(x)
		}
		wrong, summary := w.Check()
		found := strings.Join(wrong, "\n")
		if (c.finds == "") != (found == "") || !strings.Contains(found, c.finds) || summary == "" {
			t.Errorf("%s: want %q, found %q; %s", c.name, c.finds, found, summary)
		}
	}
}

func del(l log) Workload         { return &Delete{log: l} }
func upsert(l log) Workload      { return &Upsert{log: l} }
func set1(l log) Workload        { return &Set{log: l} }
func uidSet(l log) Workload      { return &UIDSet{log: l} }
func sequential(l log) Workload  { return &Sequential{log: l} }
func register(l log) Workload    { return &Register{log: l} }
func uidRegister(l log) Workload { return &UIDRegister{log: l} }
func longFork(l log) Workload    { return &LongFork{log: l} }
func readWrite(l log) Workload   { return newReadWrite(l) }
func listAppend(l log) Workload  { return newListAppend(l, 1) }
func types(l log) Workload       { return &Types{log: l} }

// An operation has failed only if it surely did nothing.
func TestOutcomes(t *testing.T) {
	e := NewErrors()
	for _, c := range []struct {
		err  error
		want history.Outcome
	}{
		{nil, ok},
		{errDeclined, fail},
		{dgo.ErrAborted, fail},
		{status.Error(codes.Aborted, ""), fail},
		{status.Error(codes.Unavailable, "connection reset"), open},
		{status.Error(codes.DeadlineExceeded, ""), open},
		{context.Canceled, open},
		{fmt.Errorf("asking: %w", context.DeadlineExceeded), open},
		{surely(status.Error(codes.Unavailable, "connection reset")), fail},
		{surely(context.DeadlineExceeded), fail},
		{status.Error(codes.Internal, "bug"), open},
		{errors.New("no code"), open},
	} {
		if got := e.classify(c.err); got != c.want {
			t.Errorf("%v: %s, want %s", c.err, got, c.want)
		}
	}
	if s := e.Strange(); len(s) != 2 {
		t.Errorf("what no client should be told: %q", s)
	}
	if n := e.Counts(); n[codes.Aborted] != 2 || n[codes.DeadlineExceeded] != 3 {
		t.Errorf("counted %v", n)
	}
}

// No predicate belongs to two workloads, and every name is its own.
func TestDisjoint(t *testing.T) {
	predicates, names := map[string]string{}, map[string]bool{}
	for _, w := range All(1) {
		if names[w.Name()] {
			t.Errorf("two are called %s", w.Name())
		}
		names[w.Name()] = true
		for _, line := range w.Schema() {
			predicate, _, _ := strings.Cut(line, ":")
			if by := predicates[predicate]; by != "" {
				t.Errorf("%s is of %s and %s", predicate, by, w.Name())
			}
			predicates[predicate] = w.Name()
		}
	}
}
