package lookup

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting"
	"dragg/query/task"
	"dragg/schema"
	"dragg/storage/memkv"
)

// world is a schema and data in a real store over the in-memory engine.
type world struct {
	t      testing.TB
	store  *posting.Store
	schema schema.Snapshot
	incs   map[graph.Predicate]graph.Incarnation
	ts     graph.Timestamp
}

func newWorld(t testing.TB, schemaText string) *world {
	t.Helper()
	w := &world{t: t, ts: 1, incs: map[graph.Predicate]graph.Incarnation{}}
	w.store = posting.NewStore(memkv.New(memkv.Config{}), posting.Config{
		OldestReader: func() graph.Timestamp { return w.ts },
	})
	w.alter(schemaText)
	return w
}

// alter defines predicates. It rebuilds nothing.
func (w *world) alter(text string) {
	w.t.Helper()
	u, err := schema.Parse(text)
	if err != nil {
		w.t.Fatal(err)
	}
	w.schema = w.schema.With(u)
	for _, p := range u.Predicates {
		if w.incs[p.Name] == 0 {
			w.incs[p.Name] = graph.Incarnation(len(w.incs) + 1)
		}
	}
}

// Tablet implements Tablets.
func (w *world) Tablet(name graph.Predicate) (p Tablet, err error) {
	p.Predicate, _ = w.schema.Predicate(name)
	p.Incarnation, p.Placed = w.incs[name]
	return p, nil
}

// quad is `1 name "v"@de (k=1, l=x)` or `1 friend 2 (k=1)`; a leading minus deletes.
var quad = regexp.MustCompile(`^(-?)(\d+) (\S+) (?:"([^"]*)"(?:@(\S+))?|(\d+|\*))(?: \((.*)\))?$`)

// pending derives the changes of quads, one a line, on top of own.
func (w *world) pending(own *posting.Pending, quads string) *posting.Pending {
	w.t.Helper()
	byPred := map[*schema.Predicate][]graph.Edge{}
	for line := range strings.Lines(quads) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		m := quad.FindStringSubmatch(line)
		if m == nil {
			w.t.Fatalf("bad quad %s", line)
		}
		def, ok := w.schema.Predicate(graph.Pred(m[3]))
		if !ok {
			w.t.Fatalf("unknown predicate in %s", line)
		}
		byPred[def] = append(byPred[def], w.edge(def, m))
	}
	view := w.store.View(w.ts, own)
	defer view.Close()
	all := own
	for def, edges := range byPred {
		d, err := posting.Derive(view, def, w.incs[def.Name], edges)
		if err != nil {
			w.t.Fatal(err)
		}
		if all, err = all.Merge(d.Pending); err != nil {
			w.t.Fatal(err)
		}
	}
	return all
}

func (w *world) edge(def *schema.Predicate, m []string) graph.Edge {
	w.t.Helper()
	subject, _ := strconv.ParseUint(m[2], 10, 64)
	e := graph.Edge{Subject: graph.UID(subject), Predicate: def.Name, Lang: m[5]}
	if m[1] == "-" {
		e.Op = graph.Delete
	}
	switch {
	case m[6] == "*":
		e.Op = graph.DeleteAll
	case m[6] != "":
		object, _ := strconv.ParseUint(m[6], 10, 64)
		e.Object = graph.UID(object)
	default:
		v, err := types.Parse(m[4], def.Type)
		if err != nil {
			w.t.Fatal(err)
		}
		e.Value = v
	}
	for _, f := range strings.Split(m[7], ", ") {
		key, text, ok := strings.Cut(f, "=")
		if !ok {
			continue
		}
		v := types.OfString(text)
		for _, id := range []types.ID{types.Int, types.Float, types.Bool, types.DateTime} {
			if parsed, err := types.Parse(text, id); err == nil {
				v = parsed
				break
			}
		}
		e.Facets = append(e.Facets, graph.Facet{Key: key, Value: v})
	}
	return e
}

// set commits quads.
func (w *world) set(quads string) {
	w.t.Helper()
	p := w.pending(nil, quads)
	c := w.store.Begin()
	w.ts++
	err := c.Commit(w.ts, p, func(inc graph.Incarnation) *schema.Predicate {
		for name, i := range w.incs {
			if i == inc {
				def, _ := w.schema.Predicate(name)
				return def
			}
		}
		return nil
	})
	if err == nil {
		err = c.Flush(context.Background())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) run(own *posting.Pending, batch ...task.Task) ([]task.Result, error) {
	view := w.store.View(w.ts, own)
	defer view.Close()
	return Run(context.Background(), new(Memory), view, w, batch)
}

// funcText is `eq(name@de, "a", "b")`, `le(count(~friend), 2)`, `uid_in(friend, 3)`, `regexp(name, /re/i)`.
var funcText = regexp.MustCompile(`^(\w+)\((count\()?(~?)([\w.]+)(?:@([\w:.*-]+))?\)?(?:, (.*))?\)$`)

// match reads a function as a task that lacks the frontier.
func match(t testing.TB, text string) task.Task {
	t.Helper()
	m := funcText.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("bad function %s", text)
	}
	k := task.Task{Kind: task.Match, Predicate: graph.Pred(m[4]), Reverse: m[3] != "", Func: task.Func{
		Name: task.FuncName(m[1]), Count: m[2] != "",
	}}
	if m[5] != "" {
		k.Langs = strings.Split(m[5], ":")
	}
	if m[6] == "" {
		return k
	}
	if k.Func.Name == task.Regexp {
		expr := m[6][1:]
		end := strings.LastIndexByte(expr, '/')
		k.Func.Args = []string{expr[:end], expr[end+1:]}
		return k
	}
	for _, arg := range strings.Split(m[6], ", ") {
		k.Func.Args = append(k.Func.Args, strings.Trim(arg, `"`))
	}
	if k.Func.Name == task.UIDIn {
		for _, arg := range k.Func.Args {
			u, err := strconv.ParseUint(arg, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			k.Func.UIDs = append(k.Func.UIDs, graph.UID(u))
		}
		k.Func.Args = nil
	}
	return k
}

func uidText(uids []graph.UID) string {
	parts := make([]string, len(uids))
	for i, u := range uids {
		parts[i] = strconv.FormatUint(uint64(u), 10)
	}
	return strings.Join(parts, " ")
}

// root returns the answer to a function at the root as text: uids, or the error.
func (w *world) root(own *posting.Pending, text string) string {
	k := match(w.t, text)
	k.AtRoot = true
	return w.answer(own, k)
}

// filter is root for a filter over src.
func (w *world) filter(own *posting.Pending, src []graph.UID, text string) string {
	k := match(w.t, text)
	k.Src = src
	return w.answer(own, k)
}

func (w *world) answer(own *posting.Pending, k task.Task) string {
	res, err := w.run(own, k)
	if err != nil {
		return "error: " + err.Error()
	}
	return uidText(res[0].Set.Slice())
}

// same reports whether an answer is the wanted one; errors are compared by fragment, in any letter case.
func same(got, want string) bool {
	fragment, ok := strings.CutPrefix(want, "error: ")
	if !ok {
		return got == want
	}
	return strings.HasPrefix(got, "error: ") && strings.Contains(strings.ToLower(got), strings.ToLower(fragment))
}

func upTo(n int) []graph.UID {
	uids := make([]graph.UID, n)
	for i := range uids {
		uids[i] = graph.UID(i + 1)
	}
	return uids
}

// rows shows a result of Edges, Values or Counts: rows separated by |, elements by blanks.
func rows(res task.Result) string {
	if res.Counts != nil {
		return strings.Trim(fmt.Sprint(res.Counts), "[]")
	}
	var out []string
	for i := range len(res.Offsets) - 1 {
		var row []string
		for j := res.Offsets[i]; j < res.Offsets[i+1]; j++ {
			text := ""
			if res.Targets != nil {
				text = uidText(res.Targets[j : j+1])
			} else {
				text = res.Values[j].Text()
			}
			if res.Langs != nil {
				text += "@" + res.Langs[j]
			}
			if res.Facets != nil {
				for _, f := range res.Facets[j] {
					text += "," + f.Key + "=" + f.Value.Text()
				}
			}
			row = append(row, text)
		}
		out = append(out, strings.Join(row, " "))
	}
	return strings.Join(out, "|")
}

func update(p *schema.Predicate) schema.Update {
	return schema.Update{Predicates: []*schema.Predicate{p}}
}
