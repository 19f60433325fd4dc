package alpha

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/systest/history"
)

// workload is what the clients of a history do: random transactions over a few nodes. Every answer is turned into what it says
// about registers, one for each scalar of a node ("name/3"), one for each element of a list and each edge ("nick/3/n1",
// "knows/3/5").
type workload struct {
	n       *inProcess
	rec     *history.Recorder
	ctx     context.Context // a database that hangs fails the test
	nodes   int
	abandon bool // leave some transactions open
	rough   bool // the schema changes, or the database stops, under the clients: every error is taken as it comes
	seed    uint64

	round uint64

	mu   sync.Mutex
	seen map[string]int // guarded by mu: what was done how often
}

const workloadSchema = `
	name: string @index(exact) .
	age: int @index(int) .
	mail: string @index(hash) @upsert .
	tag: string .
	nick: [string] @index(exact) .
	knows: [uid] @reverse @count .
	boss: uid @reverse .
`

func (w *workload) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen == nil {
		w.seen = map[string]int{}
	}
	w.seen[what]++
}

func (w *workload) count(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[what]
}

// run has each of the clients carry out transactions one after the other, and checks the history.
func (w *workload) run(t *testing.T, clients, each int) *history.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w.prepare(t, ctx)
	w.clients(t, clients, each)
	return w.check(t)
}

func (w *workload) prepare(t *testing.T, ctx context.Context) {
	t.Helper()
	w.ctx, w.rec = ctx, history.NewRecorder()
	w.n.alter(t, workloadSchema)
	w.n.leaseUIDs(t, uint64(w.nodes))
}

func (w *workload) clients(t *testing.T, clients, each int) {
	var wg sync.WaitGroup
	w.round++
	for p := range clients {
		wg.Go(func() {
			c := &client{w: w, t: t, process: p, rng: rand.New(rand.NewPCG(w.seed+w.round, uint64(p)))}
			for i := 0; i < each && w.ctx.Err() == nil; i++ {
				c.transaction()
			}
		})
	}
	wg.Wait()
}

// check asks how unknown transactions ended, looks at all there is, and checks the history.
func (w *workload) check(t *testing.T) *history.Report {
	t.Helper()
	err := w.rec.Resolve(func(start graph.Timestamp) (graph.Timestamp, bool, error) {
		return w.n.zero.Outcome(context.Background(), start)
	})
	if err != nil {
		t.Fatal(err)
	}
	last := &client{w: w, t: t, process: 99, rng: rand.New(rand.NewPCG(w.seed, 99))}
	last.lookAtAll()
	return history.Check(w.rec.History())
}

// client carries out one transaction at a time.
type client struct {
	w       *workload
	t       *testing.T
	process int
	rng     *rand.Rand
	writes  int

	txn  *history.Txn
	ctx  *api.TxnContext
	read *api.Request // a template: what every request of the transaction has set
	dead bool         // a request failed: the transaction is over
}

func (c *client) begin() {
	c.txn, c.ctx, c.dead = c.w.rec.Begin(c.process), &api.TxnContext{}, false
	c.read = &api.Request{}
}

func (c *client) end(o history.Outcome, commit uint64) {
	c.w.note(string(o))
	c.w.rec.End(c.txn, o, graph.Timestamp(commit))
}

// do sends a request within the transaction. An error ends it.
func (c *client) do(req *api.Request) *api.Response {
	if c.dead {
		return nil
	}
	req.StartTs, req.ReadOnly, req.BestEffort = c.ctx.StartTs, c.read.ReadOnly, c.read.BestEffort
	resp, err := c.w.n.Do(c.w.ctx, req, Options{})
	if err != nil {
		c.fail(err)
		return nil
	}
	c.ctx.StartTs = resp.Txn.StartTs
	c.txn.Start = graph.Timestamp(resp.Txn.StartTs)
	c.ctx.Keys = append(c.ctx.Keys, resp.Txn.Keys...)
	c.ctx.Preds = append(c.ctx.Preds, resp.Txn.Preds...)
	return resp
}

func (c *client) fail(err error) {
	c.dead = true
	switch fault.ClassOf(err) {
	case fault.Aborted, fault.Conflict:
		c.end(history.Fail, 0)
	case fault.Unknown:
		c.end(history.Unknown, 0)
	default:
		if !c.w.rough {
			c.t.Error(err)
		}
		c.end(history.Unknown, 0)
	}
}

// transaction carries out one random transaction.
func (c *client) transaction() {
	c.begin()
	switch c.rng.IntN(10) {
	case 0:
		c.w.note("best effort")
		c.read = &api.Request{ReadOnly: true, BestEffort: true}
		c.txn.Stale = true
		if c.look(); !c.dead {
			c.end(history.OK, 0)
		}
	case 1, 2:
		c.w.note("read only")
		c.read = &api.Request{ReadOnly: true}
		for range 1 + c.rng.IntN(3) {
			c.look()
		}
		if !c.dead {
			c.end(history.OK, 0)
		}
	case 3, 4:
		c.commitNow()
	default:
		for range 1 + c.rng.IntN(5) {
			if c.rng.IntN(2) == 0 {
				c.look()
			} else {
				c.change(false)
			}
		}
		c.finish()
	}
}

// finish ends an interactive transaction: most commit, some are discarded, some are left open.
func (c *client) finish() {
	if c.dead {
		return
	}
	switch n := c.rng.IntN(10); {
	case n == 0 && c.w.abandon:
		c.w.note("abandoned")
		c.end(history.Fail, 0)
		return
	case n == 1:
		c.w.note("discarded")
		c.ctx.Aborted = true
	}
	out, err := c.w.n.CommitOrAbort(c.w.ctx, c.ctx)
	switch {
	case err != nil:
		c.fail(err)
	case c.ctx.Aborted:
		c.end(history.Fail, 0)
	default:
		c.end(history.OK, out.CommitTs)
	}
}

// commitNow reads and writes in one or two requests, the last of which commits.
func (c *client) commitNow() {
	c.w.note("commit now")
	if c.rng.IntN(2) == 0 {
		c.look()
	}
	if resp := c.change(true); resp != nil {
		c.end(history.OK, resp.Txn.CommitTs)
	}
}

func (c *client) node() int { return 1 + c.rng.IntN(c.w.nodes) }

// change writes to a node after reading what of it the writes depend on.
func (c *client) change(commit bool) *api.Response {
	var set, del []string
	var record []func()
	wrote := map[string]bool{} // one statement for each register, so that their order does not matter
	for range 1 + c.rng.IntN(2) {
		a, b := c.node(), c.node()
		first := func(register string) bool {
			again := wrote[register]
			wrote[register] = true
			return !again
		}
		scalar := func(pred, value string) {
			key := fmt.Sprintf("%s/%d", pred, a)
			if !first(key) {
				return
			}
			record = append(record, func() { c.txn.Write(key, value) })
			if value == "" {
				del = append(del, fmt.Sprintf("<%#x> <%s> * .", a, pred))
				return
			}
			set = append(set, fmt.Sprintf("<%#x> <%s> %q .", a, pred, value))
		}
		element := func(key, object string, add bool) {
			if !first(key) {
				return
			}
			pred, _, _ := strings.Cut(key, "/")
			statement := fmt.Sprintf("<%#x> <%s> %s .", a, pred, object)
			if add {
				set, record = append(set, statement), append(record, func() { c.txn.Write(key, "1") })
				return
			}
			del, record = append(del, statement), append(record, func() { c.txn.Write(key, "") })
		}
		switch c.rng.IntN(10) {
		case 0, 1:
			scalar("name", c.maybe(nameOf(c.rng.IntN(universe))))
		case 2:
			scalar("age", c.maybe(strconv.Itoa(c.rng.IntN(universe))))
		case 3, 4:
			c.writes++
			scalar("tag", fmt.Sprintf("t%d.%d", c.process, c.writes))
		case 5:
			mail := nameOf(c.rng.IntN(universe))
			if !wrote[fmt.Sprintf("mail/%d", a)] { // else this statement is left out
				record = append(record, func() { c.txn.Claim("mail " + mail) })
			}
			scalar("mail", mail)
		case 6:
			nick := nameOf(c.rng.IntN(universe))
			element(fmt.Sprintf("nick/%d/%s", a, nick), strconv.Quote(nick), c.rng.IntN(3) > 0)
		case 7, 8:
			element(fmt.Sprintf("knows/%d/%d", a, b), fmt.Sprintf("<%#x>", b), c.rng.IntN(3) > 0)
		default:
			key, value := fmt.Sprintf("boss/%d", a), strconv.Itoa(b)
			if first(key) {
				set = append(set, fmt.Sprintf("<%#x> <boss> <%#x> .", a, b))
				record = append(record, func() { c.txn.Write(key, value) })
			}
		}
	}
	if c.dead {
		return nil
	}
	// What is refused counts as written too: nobody may ever see it.
	for _, r := range record {
		r()
	}
	return c.do(&api.Request{CommitNow: commit, Mutations: []*api.Mutation{{
		SetNquads: []byte(strings.Join(set, "\n")), DelNquads: []byte(strings.Join(del, "\n")),
	}}})
}

// maybe returns value, or now and then nothing.
func (c *client) maybe(value string) string {
	if c.rng.IntN(5) == 0 {
		return ""
	}
	return value
}

// universe is how many values a scalar may have.
const universe = 5

func nameOf(i int) string { return "v" + strconv.Itoa(i) }

// found is a node in an answer.
type found struct {
	UID     string      `json:"uid"`
	Name    string      `json:"name"`
	Age     json.Number `json:"age"`
	Mail    string      `json:"mail"`
	Tag     string      `json:"tag"`
	Nick    []string    `json:"nick"`
	Knows   []found     `json:"knows"`
	KnownBy []found     `json:"~knows"`
	Boss    *found      `json:"boss"`
	BossOf  []found     `json:"~boss"`
	Count   int         `json:"count(knows)"`
	Counted int         `json:"count(~knows)"`
}

func nodesOf(list []found) []int {
	var out []int
	for _, f := range list {
		n, err := strconv.ParseUint(f.UID, 0, 64)
		if err != nil {
			return nil
		}
		out = append(out, int(n))
	}
	return out
}

// query asks and returns the block q.
func (c *client) query(text string) ([]found, bool) {
	c.txn.Asking = text
	resp := c.do(&api.Request{Query: text})
	if resp == nil {
		return nil, false
	}
	var answer struct{ Q []found }
	if err := json.Unmarshal(resp.Json, &answer); err != nil {
		c.t.Errorf("%s: %v", resp.Json, err)
		return nil, false
	}
	return answer.Q, true
}

// look asks one random question and notes what the answer says.
func (c *client) look() {
	switch kind := c.rng.IntN(12); kind {
	case 0, 1, 2, 3:
		c.lookAt(c.node())
	case 4:
		v := nameOf(c.rng.IntN(universe))
		c.matches("eq", fmt.Sprintf(`eq(name, %q)`, v), "name", v)
	case 5:
		v := nameOf(c.rng.IntN(universe))
		c.matches("eq upsert", fmt.Sprintf(`eq(mail, %q)`, v), "mail", v)
	case 6:
		low := c.rng.IntN(universe)
		var in []string
		for v := low; v < universe; v++ {
			in = append(in, strconv.Itoa(v))
		}
		c.matches("range", fmt.Sprintf(`ge(age, %d)`, low), "age", in...)
	case 7:
		in := []string{nameOf(1), nameOf(2), nameOf(3)}
		c.matches("between", `between(name, "v1", "v3")`, "name", in...)
	case 8:
		c.has()
	case 9:
		c.counts()
	case 10:
		c.elements()
	default:
		c.filtered()
	}
}

// each notes for every node whether the block names it: match is called with 1 for those, 0 for the rest.
func (c *client) each(what, text string, match func(node, count int)) {
	list, ok := c.query(text)
	if !ok {
		return
	}
	c.w.note(what)
	named := nodesOf(list)
	for node := 1; node <= c.w.nodes; node++ {
		count := 0
		if slices.Contains(named, node) {
			count = 1
		}
		match(node, count)
	}
}

// matches asks for the nodes whose scalar is one of values.
func (c *client) matches(what, function, pred string, values ...string) {
	c.each(what, fmt.Sprintf(`{q(func: %s) {uid}}`, function), func(node, count int) {
		c.txn.Match([]string{fmt.Sprintf("%s/%d", pred, node)}, values, count)
	})
}

func (c *client) has() {
	pred := []string{"name", "age", "tag", "boss"}[c.rng.IntN(4)]
	c.each("has", fmt.Sprintf(`{q(func: has(%s)) {uid}}`, pred), func(node, count int) {
		c.txn.Match([]string{fmt.Sprintf("%s/%d", pred, node)}, []string{""}, 1-count)
	})
}

// edges returns the registers of all edges that a node may have, or that may lead to it.
func (c *client) edges(pred string, node int, reverse bool) []string {
	var out []string
	for other := 1; other <= c.w.nodes; other++ {
		if reverse {
			out = append(out, fmt.Sprintf("%s/%d/%d", pred, other, node))
		} else {
			out = append(out, fmt.Sprintf("%s/%d/%d", pred, node, other))
		}
	}
	return out
}

// counts asks the count index. A node that is not named has another count, which a match cannot say: only the named are noted.
func (c *client) counts() {
	reverse := c.rng.IntN(2) == 0
	n, name := 1+c.rng.IntN(2), "knows"
	if reverse {
		name = "~knows"
	}
	c.each("count", fmt.Sprintf(`{q(func: eq(count(%s), %d)) {uid}}`, name, n), func(node, count int) {
		if count == 1 {
			c.txn.Match(c.edges("knows", node, reverse), []string{"1"}, n)
		}
	})
}

func (c *client) elements() {
	nick := nameOf(c.rng.IntN(universe))
	c.each("element", fmt.Sprintf(`{q(func: eq(nick, %q)) {uid}}`, nick), func(node, count int) {
		c.txn.Match([]string{fmt.Sprintf("nick/%d/%s", node, nick)}, []string{"1"}, count)
	})
}

func (c *client) filtered() {
	target := c.node()
	c.each("uid_in", fmt.Sprintf(`{q(func: has(knows)) @filter(uid_in(knows, %#x)) {uid}}`, target), func(node, count int) {
		c.txn.Match([]string{fmt.Sprintf("knows/%d/%d", node, target)}, []string{"1"}, count)
	})
}

// lookAt asks for all of a node.
func (c *client) lookAt(node int) {
	list, ok := c.query(fmt.Sprintf(`{q(func: uid(%#x)) {uid name age mail tag nick knows{uid} ~knows{uid} boss{uid} ~boss{uid}
		count(knows) count(~knows)}}`, node))
	if !ok {
		return
	}
	c.w.note("node")
	f := found{}
	if len(list) > 0 {
		f = list[0]
	}
	for pred, value := range map[string]string{"name": f.Name, "age": f.Age.String(), "mail": f.Mail, "tag": f.Tag} {
		c.txn.Read(fmt.Sprintf("%s/%d", pred, node), value)
	}
	for i := range universe {
		c.presence(fmt.Sprintf("nick/%d/%s", node, nameOf(i)), slices.Contains(f.Nick, nameOf(i)))
	}
	boss := ""
	if f.Boss != nil {
		boss = strconv.Itoa(nodesOf([]found{*f.Boss})[0])
	}
	c.txn.Read(fmt.Sprintf("boss/%d", node), boss)
	for other := 1; other <= c.w.nodes; other++ {
		c.presence(fmt.Sprintf("knows/%d/%d", node, other), slices.Contains(nodesOf(f.Knows), other))
		c.presence(fmt.Sprintf("knows/%d/%d", other, node), slices.Contains(nodesOf(f.KnownBy), other))
		bosses := 0
		if slices.Contains(nodesOf(f.BossOf), other) {
			bosses = 1
		}
		c.txn.Match([]string{fmt.Sprintf("boss/%d", other)}, []string{strconv.Itoa(node)}, bosses)
	}
	c.txn.Match(c.edges("knows", node, false), []string{"1"}, f.Count)
	c.txn.Match(c.edges("knows", node, true), []string{"1"}, f.Counted)
}

func (c *client) presence(register string, there bool) {
	if there {
		c.txn.Read(register, "1")
	} else {
		c.txn.Read(register, "")
	}
}

// lookAtAll asks every question about everything in one transaction.
func (c *client) lookAtAll() {
	c.begin()
	for node := 1; node <= c.w.nodes; node++ {
		c.lookAt(node)
	}
	for range 60 {
		c.look()
	}
	if !c.dead {
		c.end(history.OK, 0)
	}
}
