package query

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"dragg/dql"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/query/answer"
	"dragg/query/task"
	"dragg/schema"
)

// Goal: a query that needs too much, or that nobody waits for, ends. Method: every bound on its own, and bombs that multiply.

func TestBounds(t *testing.T) {
	var limit *LimitError
	for name, c := range map[string]struct {
		text string
		opts Options
	}{
		"memory":  {`{ q(func: has(age)) { name friend { name } } }`, Options{MemoryBytes: 300}},
		"recurse": {`{ q(func: uid(1)) @recurse(depth: 9, loop: true) { friend } }`, Options{TraversedEdges: 5}},
		"depth":   {`{ q(func: uid(1)) @recurse { friend best } }`, Options{RecurseDepth: 2}},
		"paths":   {`{ shortest(from: 1, to: 4, numpaths: 5) { friend } }`, Options{PathCount: 4}},
		"edges":   {`{ q(func: has(age)) { friend { friend { name } } } }`, Options{QueryEdges: 3}},
		"deep":    {`{ q(func: uid(1)) @recurse(depth: 9, loop: true) { friend } }`, Options{RecurseDepth: 3}},
		"vals":    {`{ var(func: has(age)) { a as age } q(func: has(age)) { a: val(a) b: val(a) c: val(a) } }`, Options{MemoryBytes: 600}},
		"path":    {`{ shortest(from: 1, to: 4) { friend } }`, Options{TraversedEdges: 1}},
	} {
		if _, err := execute(t, oneGraph(t), c.text, c.opts); !errors.As(err, &limit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	res, err := execute(t, oneGraph(t), `{ q(func: has(age), orderasc: age) { age } }`, Options{SortedRows: 2})
	if err != nil || !res.Truncated {
		t.Fatal("the ordered list was not cut", err)
	}
	if b, err := res.Answer.AppendJSON(nil, answer.Options{}); err != nil || string(b) != `{"q":[{"age":-5},{"age":30}]}` {
		t.Errorf("%s %v", b, err)
	}
	var large *answer.TooLargeError
	if _, err := res.Answer.AppendJSON(nil, answer.Options{MaxBytes: 5}); !errors.As(err, &large) {
		t.Errorf("a long answer: %v", err)
	}
	res, err = execute(t, oneGraph(t), `{ q(func: has(age)) @normalize { x: age a: friend { y: age } b: friend { z: age } } }`,
		Options{})
	if err != nil {
		t.Fatal(err)
	}
	var many *answer.TooManyError
	if _, err := res.Answer.AppendJSON(nil, answer.Options{NormalizeNodes: 3}); !errors.As(err, &many) {
		t.Errorf("many flat objects: %v", err)
	}
}

func TestCancel(t *testing.T) {
	f := oneGraph(t)
	doc, err := dql.Parse(`{ q(func: has(age)) { friend { friend { name } } } }`, nil)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := Build(doc, f.schema)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Execute(ctx, plan, f, 1, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// quitting is a runner whose client leaves during the n-th call. The call itself still succeeds.
type quitting struct {
	*fake
	n     int
	leave context.CancelFunc
}

func (q *quitting) Run(ctx context.Context, ts graph.Timestamp, batch []task.Task) ([]task.Result, error) {
	if q.runs+1 == q.n {
		q.leave()
	}
	return q.fake.Run(context.WithoutCancel(ctx), ts, batch)
}

// After a cancel not one more task is asked for, and the cause comes out.
func TestNoTaskAfterTheCancel(t *testing.T) {
	gone := errors.New("the client has gone")
	for _, text := range []string{
		`{ q(func: has(age)) { friend { friend { friend { name } } } } }`,
		`{ q(func: has(age)) @recurse(depth: 9, loop: true) { friend } }`,
		`{ shortest(from: 1, to: 4, numpaths: 3) { friend } }`,
		`{ q(func: has(age), orderasc: age) @filter(has(name)) { friend @filter(has(age)) { name } } }`,
	} {
		f := oneGraph(t)
		plan := planned(t, f, text)
		ctx, cancel := context.WithCancelCause(t.Context())
		if _, err := Execute(ctx, plan, &quitting{f, 1, func() { cancel(gone) }}, 1, Options{}); !errors.Is(err, gone) {
			t.Errorf("%s: %v", text, err)
		}
		if f.runs != 1 {
			t.Errorf("%s: %d calls, the cancel came with the first", text, f.runs)
		}
	}
}

// product is a node with n targets of each of two edges, and a node that leads to it.
func product(t *testing.T, n int) *fake {
	t.Helper()
	f := newFake()
	update, err := schema.Parse("to: [uid] .\na: [uid] .\nb: [uid] .\nc: [uid] .\nnone: [uid] .")
	if err != nil {
		t.Fatal(err)
	}
	f.schema = f.schema.With(update)
	f.put(graph.Pred("to"), 1, entry{to: 2})
	for i := range n {
		for p, pred := range []string{"a", "b", "c"} {
			f.put(graph.Pred(pred), 2, entry{to: graph.UID(10 + 1000*p + i)})
		}
	}
	return f
}

// A few hundred edges of one node make millions of groups.
func TestGroupsAreAccountedFor(t *testing.T) {
	f := product(t, 200)
	text := `{ q(func: uid(1)) { to @groupby(a, b, c) { count(uid) } } }`
	var limit *LimitError
	budget := NewBudget(1 << 30)
	if _, err := execute(t, f, text, Options{MemoryBytes: 8 << 20, Budget: budget}); !errors.As(err, &limit) || limit.Limit != 8<<20 {
		t.Errorf("8 million groups in 8 MiB: %v", err)
	}
	if budget.Used() != 0 {
		t.Errorf("%d bytes were not given back", budget.Used())
	}
	plan := planned(t, f, text)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Execute(ctx, plan, &quitting{f, f.runs + 2, cancel}, 1, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("8 million groups for nobody: %v", err)
	}
}

// What texts hold counts, not only how many they are.
func TestTextsAreAccountedFor(t *testing.T) {
	f := oneGraph(t)
	f.put(graph.Pred("name"), 1, entry{value: types.OfString(strings.Repeat("x", 1<<20))})
	var limit *LimitError
	if _, err := execute(t, f, `{ q(func: uid(1)) { name } }`, Options{MemoryBytes: 1 << 20}); !errors.As(err, &limit) {
		t.Errorf("a long text: %v", err)
	}
}

// A long answer is not written to its end for nobody.
func TestStoppedAnswer(t *testing.T) {
	f := product(t, 2000)
	res, err := execute(t, f, `{ q(func: uid(2)) { a { uid } } }`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("the client has gone")
	if b, err := res.Answer.AppendJSON(nil, answer.Options{Room: func(int) error { return gone }}); !errors.Is(err, gone) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// Goal: texts of answers count, too, while several are written. Method: a budget that one text fits into beside what the query
// holds, in JSON and RDF, and afterwards all of it is there again.
func TestTextsShareTheBudget(t *testing.T) {
	f := product(t, 2000)
	b := NewBudget(1 << 20)
	for name, write := range map[string]func(*Result) ([]byte, error){
		"JSON": func(r *Result) ([]byte, error) { return r.Answer.AppendJSON(nil, answer.Options{Room: r.HoldText}) },
		"RDF":  func(r *Result) ([]byte, error) { return r.Answer.AppendRDF(nil, answer.Options{Room: r.HoldText}) },
	} {
		res, err := execute(t, f, `{ q(func: uid(2)) { a { uid } } }`, Options{Budget: b})
		if err != nil {
			t.Fatal(err)
		}
		before := b.Used()
		if text, err := write(res); err != nil || b.Used() < before+int64(len(text)) {
			t.Errorf("%s: %d bytes held after %d bytes of text, %d before; %v", name, b.Used(), len(text), before, err)
		}
		b.take(int(1<<20 - b.Used() - 100))
		other, err := execute(t, f, `{ q(func: uid(2)) { uid } }`, Options{})
		if err != nil {
			t.Fatal(err)
		}
		other.budget = b
		var limit *LimitError
		if err := other.HoldText(101); !errors.As(err, &limit) {
			t.Errorf("%s: more than there is: %v", name, err)
		}
		res.Release()
		b.used.Store(0)
	}
}

// Goal: what a text took is given back.
func TestTextIsGivenBack(t *testing.T) {
	f := product(t, 2000)
	b := NewBudget(1 << 20)
	res, err := execute(t, f, `{ q(func: uid(2)) { a { uid } } }`, Options{Budget: b})
	if err == nil {
		_, err = res.Answer.AppendJSON(nil, answer.Options{Room: res.HoldText})
	}
	if err != nil || b.Used() == 0 {
		t.Fatal(b.Used(), err)
	}
	if res.Release(); b.Used() != 0 {
		t.Errorf("%d bytes are still taken", b.Used())
	}
}

// Every task carries what is left for all of its batch.
func TestTasksCarryTheRoom(t *testing.T) {
	f := oneGraph(t)
	seen := &rooms{fake: f}
	doc, err := dql.Parse(`{ q(func: uid(1)) { friend { friend { name } } } }`, nil)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := Build(doc, f.schema)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Execute(t.Context(), plan, seen, 1, Options{QueryEdges: 50, MemoryBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	if len(seen.list) < 3 {
		t.Fatalf("%d tasks", len(seen.list))
	}
	for i, room := range seen.list {
		if room.Edges.Limit != 50 || room.Bytes.Limit != 1<<20 || i > 0 && (room.Edges.Used == 0 || room.Bytes.Used <= seen.list[i-1].Bytes.Used) {
			t.Error(fmt.Sprint(seen.list))
		}
	}
}

// rooms notes the room of each task.
type rooms struct {
	*fake
	list []task.Room
}

func (r *rooms) Run(ctx context.Context, ts graph.Timestamp, batch []task.Task) ([]task.Result, error) {
	for _, t := range batch {
		r.list = append(r.list, t.Room)
	}
	return r.fake.Run(ctx, ts, batch)
}

// planned builds the plan of a text.
func planned(t *testing.T, f *fake, text string) *Plan {
	t.Helper()
	doc, err := dql.Parse(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := Build(doc, f.schema)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}
