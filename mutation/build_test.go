package mutation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/mutation/nquad"
	"dragg/posting/uidset"
	"dragg/query/task"
	"dragg/schema"
)

const testSchema = `
	name: string @index(exact) @lang .
	age: int .
	score: float .
	born: datetime .
	alive: bool .
	nick: [string] .
	knows: [uid] @reverse .
	boss: uid .
	pwd: password .
	place: geo .
	vec: float32vector .
	mail: string @index(exact) @unique .
	big: string @index(exact) .
	plain: string .
	dgraph.type: [string] @index(exact) .
	type Person {
		name
		knows
		<~knows>
		gone
	}
	type Worker {
		boss
		name
	}
`

// vars are the variables of a query: uids, and values of some of them.
type vars struct {
	uids   map[string][]graph.UID
	values map[string]map[graph.UID]types.Value
}

func (v vars) UIDs(name string) ([]graph.UID, bool) { u, ok := v.uids[name]; return u, ok }

func (v vars) Value(name string, uid graph.UID) (types.Value, bool) {
	x, ok := v.values[name][uid]
	return x, ok
}

// world is what a builder asks: types of nodes, and who has which mail.
type world struct {
	types map[graph.UID][]string
	mails map[string][]graph.UID
	asked int
	next  graph.UID
}

func (w *world) NewUIDs(_ context.Context, n int) (graph.UID, error) {
	w.next += graph.UID(n)
	return w.next - graph.UID(n), nil
}

func (w *world) CheckUID(_ context.Context, u graph.UID) error {
	if u >= 0x10000 {
		return errors.New("nobody leased this uid")
	}
	return nil
}

func (w *world) Read(_ context.Context, batch []task.Task) ([]task.Result, error) {
	var out []task.Result
	for _, x := range batch {
		w.asked++
		switch x.Kind {
		case task.Values:
			r := task.Result{Offsets: []uint32{0}}
			for _, u := range x.Src {
				for _, name := range w.types[u] {
					r.Values = append(r.Values, types.OfString(name))
				}
				r.Offsets = append(r.Offsets, uint32(len(r.Values)))
			}
			out = append(out, r)
		case task.Match:
			out = append(out, task.Result{Set: uidset.Of(w.mails[x.Func.Args[0]])})
		default:
			return nil, fmt.Errorf("task %d was not expected", x.Kind)
		}
	}
	return out, nil
}

func newBuilder(t *testing.T) (*Builder, *world) {
	t.Helper()
	u, err := schema.Parse(testSchema)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		types: map[graph.UID][]string{1: {"Person"}, 2: {"Person", "Worker"}, 3: {"Nothing"}},
		mails: map[string][]graph.UID{"a@x": {1}, "b@x": {2}, "twice@x": {5, 6}},
	}
	w.next = 0x100
	return &Builder{
		Schema: schema.Snapshot{}.With(u), Source: w, MaxEdges: 12,
		Vars: vars{
			uids:   map[string][]graph.UID{"none": nil, "one": {1}, "two": {1, 2}, "ages": {1, 3}, "texts": {1}},
			values: map[string]map[graph.UID]types.Value{"ages": {1: types.OfInt(7), 3: types.OfInt(9)}, "texts": {1: types.OfString("x")}},
		},
	}, w
}

// show renders an edge.
func show(e graph.Edge) string {
	op := map[graph.EdgeOp]string{graph.Set: "", graph.Delete: "del ", graph.DeleteAll: "clear "}[e.Op]
	s := fmt.Sprintf("%s%s %s", op, e.Subject, e.Predicate.Name)
	if e.Lang != "" {
		s += "@" + e.Lang
	}
	switch {
	case e.Op == graph.DeleteAll:
	case e.Object != 0:
		s += " " + e.Object.String()
	case e.Value.Type() == types.Password && strings.HasPrefix(e.Value.Str(), "$2"):
		s += " password:encrypted"
	default:
		s += fmt.Sprintf(" %s:%s", e.Value.Type(), e.Value.Text())
	}
	for _, f := range e.Facets {
		s += fmt.Sprintf(" (%s=%s)", f.Key, f.Value.Text())
	}
	return s
}

func quads(t *testing.T, text string) []nquad.Quad {
	t.Helper()
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		n := 0
		q, err := nquad.ReadJSON([]byte(text), func() string { n++; return fmt.Sprintf("j%d", n) })
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	q, err := nquad.ReadRDF([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// Goal: what requests become, and what is refused. Method: one line each; edges are joined by semicolons, errors begin with !.
func TestBuild(t *testing.T) {
	long := strings.Repeat("x", maxTokenBytes)
	for name, c := range map[string]struct{ set, del, want string }{
		"values get the type of the schema": {
			set:  `<1> <age> "42" . ` + "\n" + `<1> <score> "2" .` + "\n" + `<1> <alive> "true" .` + "\n" + `<1> <plain> "7"^^<xs:int> .`,
			want: "0x1 age int:42; 0x1 score float:2; 0x1 alive bool:true; 0x1 plain string:7",
		},
		"a value that does not fit":       {set: `<1> <age> "old" .`, want: "!predicate age"},
		"a language":                      {set: `<1> <name> "Anna"@de .`, want: "0x1 name@de string:Anna"},
		"a language where there is none":  {set: `<1> <plain> "x"@de .`, want: "!@lang"},
		"a value where an edge belongs":   {set: `<1> <knows> "x" .`, want: "!of type uid is scalar"},
		"an edge where a value belongs":   {set: `<1> <age> <2> .`, want: "!of type scalar is uid"},
		"facets":                          {set: `<1> <knows> <2> (since=2006) .`, want: "0x1 knows 0x2 (since=2006)"},
		"facets mean nothing to deletion": {del: `<1> <knows> <2> (since=2006) .`, want: "del 0x1 knows 0x2"},
		"a password is encrypted":         {set: `<1> <pwd> "secret1" .`, want: "0x1 pwd password:encrypted"},
		"a short password":                {set: `<1> <pwd> "abc" .`, want: "!password"},
		"a password to delete":            {del: `<1> <pwd> "secret1" .`, want: "del 0x1 pwd default:secret1"},
		"a vector of json without quotes": {set: `{"uid":"1","vec":[1.0,2.0]}`, want: "!Did you forget to add quotes before []?"},
		"a text that is too long":         {set: `<1> <big> "` + long + `" .`, want: "!too large for the index"},
		"a long text without an index":    {set: `<1> <plain> "` + long + `" .`, want: "0x1 plain string:" + long},

		"blank nodes are one in a request": {
			set:  "_:a <name> \"ann\" .\n_:b <knows> _:a .\n_:a <knows> _:b .",
			want: "0x100 name string:ann; 0x101 knows 0x100; 0x100 knows 0x101 | a=0x100 b=0x101",
		},
		"a blank node in a deletion":   {del: `_:a <age> "1" .`, want: "!UID not found/generated for xid _:a"},
		"uid 0":                        {set: `<0x0> <age> "1" .`, want: "!greater than 0"},
		"a uid that nobody leased":     {set: `<0x10000> <age> "1" .`, want: "!nobody leased"},
		"an object that nobody leased": {set: `<1> <knows> <0x10000> .`, want: "!nobody leased"},
		"a subject that is no uid":     {set: `<alice> <age> "1" .`, want: "!alice"},
		"a reverse edge":               {set: `<1> <~knows> <2> .`, want: "!may not start with ~"},
		"a predicate with a space":     {set: `{"uid":"1","a b":"2"}`, want: "!key error"},
		"a predicate with a long name": {set: `<1> <` + strings.Repeat("p", 1<<16) + `> "2" .`, want: "!cannot be bigger than 2^16"},
		"the star cannot be set":       {set: `<1> <name> * .`, want: "!Cannot use star in set"},
		"a star as subject":            {del: `* <name> * .`, want: "!Only valid wildcard delete patterns"},
		"S * O":                        {del: `<1> * "x" .`, want: "!Only valid wildcard delete patterns"},

		"deletions come first": {
			set: `<1> <age> "2" .`, del: "<1> <age> \"1\" .\n<1> <nick> * .\n<1> <name> * .\n<1> <name@de> * .",
			want: "del 0x1 age int:1; clear 0x1 nick; clear 0x1 name; clear 0x1 name@de; 0x1 age int:2",
		},
		"a deletion of what nobody knows":    {del: "<1> <unknown> * .\n<1> <unknown> \"x\" .", want: ""},
		"a deletion that does not fit":       {del: `<1> <knows> "x" .`, want: ""},
		"S * * by the types of the node":     {del: `<1> * * .`, want: "clear 0x1 dgraph.type; clear 0x1 name; clear 0x1 knows"},
		"S * * of two types":                 {del: `<2> * * .`, want: "clear 0x2 dgraph.type; clear 0x2 name; clear 0x2 knows; clear 0x2 boss"},
		"S * * of an unknown type":           {del: `<3> * * .`, want: "clear 0x3 dgraph.type"},
		"S * * without a type":               {del: `<4> * * .`, want: ""},
		"S * * twice, then a set":            {del: "<1> * * .\n<1> * * .", set: `<1> <age> "1" .`, want: "clear 0x1 dgraph.type; clear 0x1 name; clear 0x1 knows; 0x1 age int:1"},
		"uid(v)":                             {set: `uid(two) <age> "1" .`, want: "0x1 age int:1; 0x2 age int:1"},
		"uid(v) on both sides":               {set: `uid(two) <knows> uid(two) .`, want: "0x1 knows 0x1; 0x2 knows 0x1; 0x1 knows 0x2; 0x2 knows 0x2"},
		"an empty uid(v) makes a node":       {set: "uid(none) <age> \"1\" .\n<1> <knows> uid(none) .", want: "0x100 age int:1; 0x1 knows 0x100 | uid(none)=0x100"},
		"an empty uid(v) deletes nothing":    {del: `uid(none) <age> * .`, want: ""},
		"an unknown variable":                {set: `uid(who) <age> "1" .`, want: "!not defined"},
		"val(v)":                             {set: `uid(ages) <score> val(ages) .`, want: "0x1 score float:7; 0x3 score float:9"},
		"val(v) for whom there is none":      {set: `uid(two) <age> val(ages) .`, want: "0x1 age int:7"},
		"val(v) that does not fit":           {set: `<1> <age> val(texts) .`, want: "!predicate age"},
		"val(v) that nobody defined":         {set: `<1> <age> val(who) .`, want: "!not defined"},
		"more edges than one may":            {set: "uid(two) <knows> uid(two) .\nuid(two) <knows> uid(two) .\nuid(two) <knows> uid(two) .\n<1> <age> \"1\" .", want: "!more than 12 N-Quads"},
		"json objects":                       {set: `{"name":"x","knows":[{"uid":"2"},{"name":"y"}]}`, want: "0x100 name string:x; 0x100 knows 0x2; 0x100 knows 0x101; 0x101 name string:y | j1=0x100 j2=0x101"},
		"json null deletes nothing in a set": {set: `{"uid":"1","name":null}`, want: ""},

		"a unique value that is free":       {set: `<3> <mail> "c@x" .`, want: "0x3 mail string:c@x"},
		"a unique value that is its own":    {set: `<1> <mail> "a@x" .`, want: "0x1 mail string:a@x"},
		"a unique value that another has":   {set: `<3> <mail> "a@x" .`, want: "!could not insert duplicate value [a@x] for predicate [mail]"},
		"one unique value for two nodes":    {set: "<3> <mail> \"c@x\" .\n<4> <mail> \"c@x\" .", want: "!could not insert duplicate value [c@x]"},
		"two swap their unique values":      {set: "<1> <mail> \"b@x\" .\n<2> <mail> \"a@x\" .", want: "0x1 mail string:b@x; 0x2 mail string:a@x"},
		"a unique value that is given up":   {set: `<3> <mail> "a@x" .`, del: `<1> <mail> * .`, want: "clear 0x1 mail; 0x3 mail string:a@x"},
		"a unique value for two, the last":  {set: "<3> <mail> \"a@x\" .\n<3> <mail> \"c@x\" .", want: "0x3 mail string:a@x; 0x3 mail string:c@x"},
		"a unique value that exists twice":  {set: `<5> <mail> "twice@x" .`, want: "!duplicates in existing data"},
		"a name in the place of a node":     {set: `<ann> <mail> "a@x" .`, want: `!"ann" is no node: a node is given by its uid, as _:name or as uid(v)`},
		"deleting a unique value asks none": {del: `<1> <mail> * .`, want: "clear 0x1 mail"},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := newBuilder(t)
			built, err := b.Build(t.Context(), []Step{{Set: quads(t, c.set), Delete: quads(t, c.del)}})
			if fragment, refused := strings.CutPrefix(c.want, "!"); refused || err != nil {
				if !refused || err == nil || !strings.Contains(err.Error(), fragment) {
					t.Fatalf("error %v, want %s", err, c.want)
				}
				return
			}
			var got []string
			for _, e := range built.Steps[0] {
				got = append(got, show(e))
			}
			text := strings.Join(got, "; ")
			want, uids, _ := strings.Cut(c.want, " | ")
			if text != want || built.Edges != len(got) {
				t.Errorf("%d edges:\n got %.500s\nwant %.500s", built.Edges, text, want)
			}
			if n := len(strings.Fields(uids)); len(built.UIDs) != n {
				t.Errorf("new nodes %v, want %s", built.UIDs, uids)
			}
			for _, f := range strings.Fields(uids) {
				name, uid, _ := strings.Cut(f, "=")
				if built.UIDs[name].String() != uid {
					t.Errorf("new nodes %v, want %s", built.UIDs, uids)
				}
			}
		})
	}
}

// Steps stay apart and in order, share their blank nodes, and may be empty.
func TestSteps(t *testing.T) {
	b, w := newBuilder(t)
	built, err := b.Build(t.Context(), []Step{
		{Set: quads(t, `_:a <age> "1" .`)},
		{},
		{Delete: quads(t, `<1> <age> * .`), Set: quads(t, `_:a <knows> <1> .`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, step := range built.Steps {
		for _, e := range step {
			got = append(got, show(e))
		}
		got = append(got, "/")
	}
	if want := "0x100 age int:1 / / clear 0x1 age 0x100 knows 0x1 /"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
	if w.asked != 0 {
		t.Errorf("%d questions for what needs none", w.asked)
	}
	if built, err = b.Build(t.Context(), nil); err != nil || built.Edges != 0 {
		t.Errorf("nothing: %+v %v", built, err)
	}
}

// Goal: what a request shows of predicates that nobody knows (dql.md fact 107).
func TestInference(t *testing.T) {
	for text, want := range map[string]string{
		`<1> <new> "x" .`:                      "new: default",
		`<1> <new> "1"^^<xs:int> .`:            "new: int",
		`<1> <new> "true"^^<xs:boolean> .`:     "new: bool",
		"<1> <new> \"x\" .\n<2> <new> \"y\" .": "new: default",
		"<1> <new> \"x\" .\n<1> <new> \"y\" .": "new: [default]",
		`<1> <new> <2> .`:                      "new: [uid]",
		`{"uid":"1","new":"x"}`:                "new: string",
		`{"uid":"1","new":7}`:                  "new: int",
		`{"uid":"1","new":7.5}`:                "new: float",
		`{"uid":"1","new":true}`:               "new: bool",
		`{"uid":"1","new":["x","y"]}`:          "new: [string]",
		`{"uid":"1","new":["x"]}`:              "new: [string]",
		`{"uid":"1","new":{"uid":"2"}}`:        "new: uid",
		`{"uid":"1","new":[{"uid":"2"}]}`:      "new: [uid]",
		`{"uid":"1","new":"[1.0, 2.0]"}`:       "new: float32vector",
		`<1> <new> val(ages) .`:                "new: int",
		`<1> <new> val(none) .`:                "new: default",
		`<1> <new> "x"@en .`:                   "!lang",
		"<1> <b> \"x\" .\n<1> <a> <2> .":       "a: [uid] b: default",
		`<1> <name> "x" .`:                     "",
	} {
		b, _ := newBuilder(t)
		built, err := b.Build(t.Context(), []Step{{Set: quads(t, text)}})
		if fragment, refused := strings.CutPrefix(want, "!"); refused || err != nil {
			if !refused || err == nil || !strings.Contains(err.Error(), fragment) {
				t.Errorf("%s: %v, want %s", text, err, want)
			}
			continue
		}
		var got []string
		for _, def := range built.Unknown {
			got = append(got, strings.TrimSuffix(strings.Join(strings.Fields(string(def.AppendText(nil))), " "), " ."))
		}
		if s := strings.NewReplacer("<", "", ">", "").Replace(strings.Join(got, " ")); s != want {
			t.Errorf("%s: %q, want %q", text, s, want)
		}
	}
}

// A request that is built again keeps the uids of its blank nodes.
func TestBuildAgainKeepsUIDs(t *testing.T) {
	b, _ := newBuilder(t)
	step := []Step{{Set: quads(t, "_:a <new> _:b .")}}
	first, err := b.Build(t.Context(), step)
	if err != nil || len(first.Unknown) != 1 {
		t.Fatal(first, err)
	}
	b.Schema = b.Schema.With(schema.Update{Predicates: first.Unknown})
	second, err := b.Build(t.Context(), step)
	if err != nil || len(second.Unknown) != 0 || second.UIDs["a"] != first.UIDs["a"] || second.UIDs["b"] != first.UIDs["b"] {
		t.Errorf("%+v after %+v, %v", second, first, err)
	}
	if show(second.Steps[0][0]) != show(first.Steps[0][0]) {
		t.Errorf("%v after %v", second.Steps, first.Steps)
	}
}

// Errors of those who are asked come through.
func TestErrorsComeThrough(t *testing.T) {
	lost := errors.New("the connection is lost")
	for name, c := range map[string]struct {
		spoil func(l *losing)
		step  Step
	}{
		"uids":   {func(l *losing) { l.uids = lost }, Step{Set: quads(t, `_:a <age> "1" .`)}},
		"types":  {func(l *losing) { l.tasks = lost }, Step{Delete: quads(t, `<1> * * .`)}},
		"unique": {func(l *losing) { l.tasks = lost }, Step{Set: quads(t, `<1> <mail> "x" .`)}},
		"leases": {func(l *losing) { l.leases = lost }, Step{Set: quads(t, `<1> <age> "1" .`)}},
	} {
		b, w := newBuilder(t)
		l := &losing{world: w}
		c.spoil(l)
		b.Source = l
		if _, err := b.Build(t.Context(), []Step{c.step}); !errors.Is(err, lost) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// losing is a world that does not answer some questions.
type losing struct {
	*world
	uids, leases, tasks error
}

func (l *losing) NewUIDs(ctx context.Context, n int) (graph.UID, error) {
	if l.uids != nil {
		return 0, l.uids
	}
	return l.world.NewUIDs(ctx, n)
}

func (l *losing) CheckUID(ctx context.Context, u graph.UID) error {
	if l.leases != nil {
		return l.leases
	}
	return l.world.CheckUID(ctx, u)
}

func (l *losing) Read(ctx context.Context, batch []task.Task) ([]task.Result, error) {
	if l.tasks != nil {
		return nil, l.tasks
	}
	return l.world.Read(ctx, batch)
}
