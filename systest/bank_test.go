//go:build systest

package systest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dragg/graph"
	"dragg/systest/history"
)

// bank is accounts between which money is moved: every snapshot must hold the same total. Balances lie in several predicates, so
// that a transfer writes several tablets. Everything is recorded for the checker of snapshot isolation.
type bank struct {
	rec      *history.Recorder
	accounts int
	total    int

	transfers, aborted, unknown, reads, inserts, refused atomic.Int64

	mu    sync.Mutex
	acked map[int]bool // guarded by mu: values inserted for good
	next  atomic.Int64
	first error           // guarded by mu: of an answer that was wrong
	took  []time.Duration // guarded by mu: inserts
}

// bankPredicates is over how many predicates the balances are spread.
const bankPredicates = 3

func newBank(ctx context.Context, c *Client) (*bank, error) {
	b := &bank{rec: history.NewRecorder(), accounts: 8, acked: map[int]bool{}}
	schema := "value: int @index(int) @upsert .\n"
	for p := range bankPredicates {
		schema += fmt.Sprintf("amount%d: int .\n", p)
	}
	if err := c.Alter(ctx, &api.Operation{Schema: schema}); err != nil {
		return nil, err
	}
	t, quads := b.rec.Begin(0), ""
	for a := range b.accounts {
		quads += b.quad(t, a, 100)
		b.total += 100
	}
	resp, err := c.Stub.Query(ctx, &api.Request{Mutations: []*api.Mutation{{SetNquads: []byte(quads)}}, CommitNow: true})
	if err != nil {
		return nil, err
	}
	t.Start = graph.Timestamp(resp.Txn.StartTs)
	b.rec.End(t, history.OK, graph.Timestamp(resp.Txn.CommitTs))
	return b, nil
}

func (b *bank) predicate(account int) string { return fmt.Sprintf("amount%d", account%bankPredicates) }
func (b *bank) uid(account int) string       { return fmt.Sprintf("0x%x", account+1) }
func (b *bank) key(account int) string       { return b.predicate(account) + "/" + b.uid(account) }

// quad sets a balance, and notes it.
func (b *bank) quad(t *history.Txn, account, amount int) string {
	t.Write(b.key(account), strconv.Itoa(amount))
	return fmt.Sprintf("<%s> <%s> \"%d\" .\n", b.uid(account), b.predicate(account), amount)
}

// read asks for the balances of some accounts in one query, and notes them.
func (b *bank) read(ctx context.Context, c *Client, t *history.Txn, req *api.Request, accounts []int) (map[int]int, error) {
	var text strings.Builder
	text.WriteString("{")
	for _, a := range accounts {
		fmt.Fprintf(&text, " a%d(func: uid(%s)) { n: %s }", a, b.uid(a), b.predicate(a))
	}
	req.Query = text.String() + " }"
	resp, err := c.Stub.Query(ctx, req)
	if err != nil {
		return nil, err
	}
	t.Start = graph.Timestamp(resp.Txn.StartTs)
	var rows map[string][]struct{ N *int }
	if err := json.Unmarshal(resp.Json, &rows); err != nil {
		return nil, err
	}
	out := map[int]int{}
	for _, a := range accounts {
		if row := rows[fmt.Sprintf("a%d", a)]; len(row) == 1 && row[0].N != nil {
			out[a] = *row[0].N
			t.Read(b.key(a), strconv.Itoa(out[a]))
		} else {
			t.Read(b.key(a), "")
		}
	}
	return out, nil
}

// client works until ctx ends, at one Alpha after the other.
func (b *bank) client(ctx context.Context, process int, alphas []*Client, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, uint64(process)))
	for ctx.Err() == nil {
		c := alphas[rng.IntN(len(alphas))]
		limited, cancel := context.WithTimeout(ctx, 10*time.Second)
		switch rng.IntN(4) {
		case 0:
			b.audit(limited, c, process)
		case 1:
			b.insert(limited, c, process)
		default:
			b.transfer(limited, c, process, rng)
		}
		cancel()
	}
}

// end records how a transaction went.
func (b *bank) end(t *history.Txn, err error, commit uint64) {
	switch code := status.Code(err); {
	case err == nil:
		b.rec.End(t, history.OK, graph.Timestamp(commit))
	case code == codes.Aborted || code == codes.FailedPrecondition:
		b.aborted.Add(1)
		b.rec.End(t, history.Fail, 0)
	default:
		b.unknown.Add(1)
		time.Sleep(5 * time.Millisecond) // whoever is away answers at once that it is
		b.rec.End(t, history.Unknown, 0)
	}
}

// audit reads all balances in one snapshot.
func (b *bank) audit(ctx context.Context, c *Client, process int) {
	t := b.rec.Begin(process)
	all := make([]int, b.accounts)
	for a := range all {
		all[a] = a
	}
	balances, err := b.read(ctx, c, t, &api.Request{ReadOnly: true}, all)
	b.end(t, err, 0)
	if err != nil {
		return
	}
	b.reads.Add(1)
	sum := 0
	for _, n := range balances {
		sum += n
	}
	if sum != b.total || len(balances) != b.accounts {
		b.wrong(fmt.Errorf("at %d the accounts hold %v, %d in all instead of %d", t.Start, balances, sum, b.total))
	}
}

func (b *bank) wrong(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.first == nil {
		b.first = err
	}
}

// transfer moves money between two accounts: reads, writes and commits in three requests, or the write commits.
func (b *bank) transfer(ctx context.Context, c *Client, process int, rng *rand.Rand) {
	t := b.rec.Begin(process)
	from := rng.IntN(b.accounts)
	to := (from + 1 + rng.IntN(b.accounts-1)) % b.accounts
	balances, err := b.read(ctx, c, t, &api.Request{}, []int{from, to})
	if err != nil {
		b.end(t, err, 0)
		return
	}
	n := 1 + rng.IntN(5)
	quads := b.quad(t, from, balances[from]-n) + b.quad(t, to, balances[to]+n)
	now := rng.IntN(2) == 0
	resp, err := c.Stub.Query(ctx, &api.Request{
		StartTs: uint64(t.Start), Mutations: []*api.Mutation{{SetNquads: []byte(quads)}}, CommitNow: now,
	})
	if err != nil || now {
		b.end(t, err, resp.GetTxn().GetCommitTs())
		b.count(err)
		return
	}
	if rng.IntN(2) == 0 { // its own writes are seen
		if _, err := b.read(ctx, c, t, &api.Request{StartTs: uint64(t.Start)}, []int{from, to}); err != nil {
			b.end(t, err, 0)
			return
		}
	}
	done, err := c.Stub.CommitOrAbort(ctx, resp.Txn)
	b.end(t, err, done.GetCommitTs())
	b.count(err)
}

func (b *bank) count(err error) {
	if err == nil {
		b.transfers.Add(1)
	}
}

// insert adds a value as a node of its own.
func (b *bank) insert(ctx context.Context, c *Client, process int) {
	t, n := b.rec.Begin(process), int(b.next.Add(1))
	began := time.Now()
	t.Write(fmt.Sprintf("value/%d", n), "1")
	resp, err := c.Stub.Query(ctx, &api.Request{
		Mutations: []*api.Mutation{{SetNquads: fmt.Appendf(nil, "_:n <value> \"%d\" .", n)}}, CommitNow: true,
	})
	if resp.GetTxn() != nil {
		t.Start = graph.Timestamp(resp.Txn.StartTs)
	}
	b.end(t, err, resp.GetTxn().GetCommitTs())
	if err != nil {
		b.refused.Add(1)
		return
	}
	b.inserts.Add(1)
	b.mu.Lock()
	b.acked[n] = true
	b.took = append(b.took, time.Since(began))
	b.mu.Unlock()
}

// stall returns how long inserts took: the one in a hundred that took longest, and the longest of all.
func (b *bank) stall() (p99, longest time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.took) == 0 {
		return 0, 0
	}
	slices.Sort(b.took)
	return b.took[len(b.took)*99/100], b.took[len(b.took)-1]
}

// verify reads what is left at one Alpha: every value that was acknowledged, once, and the whole of the money.
func (b *bank) verify(ctx context.Context, t *testing.T, name string, c *Client) {
	t.Helper()
	var rows struct{ Q []struct{ Value int } }
	eventually(ctx, t, "a read at "+name, func() error {
		resp, err := c.Stub.Query(ctx, &api.Request{Query: `{ q(func: has(value)) { value } }`, ReadOnly: true})
		if err == nil {
			err = json.Unmarshal(resp.Json, &rows)
		}
		return err
	})
	seen := map[int]int{}
	for _, r := range rows.Q {
		seen[r.Value]++
	}
	lost := 0
	for n := range b.acked {
		if seen[n] == 0 {
			lost++
		}
	}
	for n, times := range seen {
		if times > 1 {
			t.Errorf("%s has the value %d %d times", name, n, times)
		}
	}
	if lost > 0 {
		t.Errorf("%s lost %d of %d acknowledged values", name, lost, len(b.acked))
	}
	before := b.reads.Load()
	for b.reads.Load() == before && ctx.Err() == nil {
		b.audit(ctx, c, 99)
	}
}

// check asks how unknown transactions ended and checks the whole history.
func (b *bank) check(ctx context.Context, t *testing.T, c *Cluster) {
	t.Helper()
	z := c.Zero()
	err := b.rec.Resolve(func(start graph.Timestamp) (graph.Timestamp, bool, error) { return z.Outcome(ctx, start) })
	if err != nil {
		t.Fatal(err)
	}
	r := history.Check(b.rec.History())
	t.Logf("%d transfers, %d inserts, %d audits, %d aborted, %d unknown: %v", b.transfers.Load(), b.inserts.Load(), b.reads.Load(),
		b.aborted.Load(), b.unknown.Load(), r)
	if len(r.Violations) > 0 {
		t.Errorf("the history is not snapshot isolation: %v", r)
	}
	if b.first != nil {
		t.Error(b.first)
	}
}
