package query

import (
	"encoding/json"
	"strings"
	"testing"

	"dragg/dql"
	"dragg/graph"
)

// planOf returns the steps of a text, one a line.
func planOf(t *testing.T, f *fake, text string) string {
	t.Helper()
	doc, err := dql.Parse(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := Build(doc, f.schema)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range plan.Explain() {
		s.write(&b, "")
	}
	return b.String()
}

func (s *Step) write(b *strings.Builder, indent string) {
	b.WriteString(indent + s.Name + ": " + s.Ask)
	if s.Filter != "" {
		b.WriteString(" | " + s.Filter)
	}
	for _, n := range append(s.Notes, s.After...) {
		b.WriteString(" | " + n)
	}
	b.WriteString("\n")
	for _, c := range s.Steps {
		c.write(b, indent+"  ")
	}
}

// A plan says what is asked and what was decided; nothing runs.
func TestExplain(t *testing.T) {
	f := oneGraph(t)
	for text, want := range map[string]string{
		`{ q(func: has(age), first: 3) { n: name c: count(friend) friend @filter(ge(age, 3)) (first: 2) { uid } } }`: `
q: has(age) by all its nodes | the page is cut where the list is read
  n: values of name
  c: counts of friend
  friend: edges of friend | ge(age, "3") | the page is cut after filter and order
    uid: nothing: computed here
`,
		`{ v as var(func: uid(1)) q(func: uid(v), orderasc: age) { nowhere } }`: `
v: uid(0x1): known here
q: uid(v): known here | ordered without first: only so many are kept as the limit of sorted rows says | v
  nowhere: nothing: the predicate is unknown
`,
		`{ shortest(from: 1, to: 4) { friend } }`: `
shortest: a search for shortest paths, one round for each frontier
  friend: edges of friend
`,
	} {
		if got := planOf(t, f, text); got != want[1:] {
			t.Errorf("%s\ngot\n%swant%s", text, got, want)
		}
	}
	if f.runs != 0 {
		t.Errorf("%d calls", f.runs)
	}
}

// A profile holds for each step what came back and in how many rounds; it is gathered only where it was asked for.
func TestProfile(t *testing.T) {
	const text = `{ q(func: uid(1)) { name friend @filter(has(age)) { name } nowhere } }`
	res, err := execute(t, oneGraph(t), text, Options{})
	if err != nil || res.Profile != nil {
		t.Fatalf("%v, %v", res.Profile, err)
	}
	f := oneGraph(t)
	res, err = execute(t, f, text, Options{Profile: true})
	if err != nil || len(res.Profile) != 1 {
		t.Fatal(res, err)
	}
	fields := res.Profile[0].Steps
	if c := fields[0].Cost; c == nil || c.Rows != 1 || c.Rounds != 1 || c.Time <= 0 {
		t.Errorf("name: %+v", c)
	}
	friends := len(f.data[graph.Pred("friend")][1])
	if c := fields[1].Cost; c == nil || c.Rows < friends || c.Rounds != 2 { // the edges, then the filter
		t.Errorf("friend: %+v, %d friends", c, friends)
	}
	if c := fields[1].Steps[0].Cost; c == nil || c.Rounds != 1 {
		t.Errorf("friend.name: %+v", c)
	}
	if c := fields[2].Cost; c != nil {
		t.Errorf("what is not asked costs %+v", c)
	}
	if b, err := json.Marshal(res.Profile); err != nil || !strings.Contains(string(b), `"cost":{"rows":1,"lists":`) {
		t.Errorf("%s %v", b, err)
	}
}

// Every level of a recursion is part of the one step.
func TestProfileOfRecursion(t *testing.T) {
	res, err := execute(t, oneGraph(t), `{ q(func: uid(1)) @recurse(depth: 3) { name friend } }`, Options{Profile: true})
	if err != nil {
		t.Fatal(err)
	}
	if c := res.Profile[0].Steps[0].Cost; c == nil || c.Rounds < 2 || c.Rounds > res.Rounds {
		t.Errorf("name: %+v of %d rounds", c, res.Rounds)
	}
}
