//go:build systest

package systest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// batches writes batches of nodes, remembers what the server said to each, and checks that every batch is whole or absent, as
// it was said. A batch is batchNodes nodes with one batch.id; the first has an edge to each of the others, and all have one
// to a common root, whose reverse list so names every node there is.
type batches struct {
	root string
	ids  atomic.Int64

	mu   sync.Mutex
	want map[string]fate     // guarded by mu
	uids map[string][]string // guarded by mu: of batches that may be there, the first node first
}

// batchNodes is how many nodes a batch has.
const batchNodes = 8

// fate is what must be true of a batch.
type fate int

const (
	absent  fate = iota // never committed, or deleted
	present             // acknowledged
	either              // the outcome is unknown: whole or absent
)

const batchSchema = `
batch.id: string @index(exact) .
batch.n: int @index(int) .
batch.tag: string @index(term) .
batch.member: [uid] @reverse @count .
batch.root: uid @reverse .
`

// newBatches makes the schema and the root.
func newBatches(ctx context.Context, c *Client) (*batches, error) {
	b := &batches{want: map[string]fate{}, uids: map[string][]string{}}
	if err := c.Alter(ctx, &api.Operation{Schema: batchSchema}); err != nil {
		return nil, err
	}
	resp, err := c.NewTxn().Mutate(ctx, &api.Mutation{SetNquads: []byte(`_:r <batch.tag> "root" .`), CommitNow: true})
	if err != nil {
		return nil, err
	}
	b.root = resp.Uids["r"]
	return b, nil
}

func (b *batches) set(id string, f fate, uids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.want[id] = f
	if uids != nil {
		b.uids[id] = uids
	}
}

// counts returns how many batches have which fate.
func (b *batches) counts() (n [3]int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.want {
		n[f]++
	}
	return n
}

// after returns the fate of what was sent in a request that ended with err: done where it succeeded, undone where it surely
// did not.
func after(err error, done, undone fate) fate {
	switch {
	case err == nil:
		return done
	case status.Code(err) == codes.Aborted, status.Code(err) == codes.ResourceExhausted, status.Code(err) == codes.InvalidArgument:
		return undone
	}
	return either
}

// write writes a batch, in one request or in two, or now and then discards it. It returns the server's error.
func (b *batches) write(ctx context.Context, c *Client, rng *rand.Rand) error {
	id := fmt.Sprintf("b%06d", b.ids.Add(1))
	var q strings.Builder
	for i := range batchNodes {
		fmt.Fprintf(&q, "_:n%d <batch.id> %q .\n_:n%d <batch.n> \"%d\" .\n_:n%d <batch.tag> \"common %s %d\" .\n_:n%d <batch.root> <%s> .\n",
			i, id, i, i, i, id, i, i, b.root)
		if i > 0 {
			fmt.Fprintf(&q, "_:n0 <batch.member> _:n%d (n=%d) .\n", i, i)
		}
	}
	kind := rng.IntN(8)
	b.set(id, either, nil)
	txn := c.NewTxn()
	resp, err := txn.Mutate(ctx, &api.Mutation{SetNquads: []byte(q.String()), CommitNow: kind < 5})
	var uids []string
	if err == nil {
		for i := range batchNodes {
			uids = append(uids, resp.Uids[fmt.Sprintf("n%d", i)])
		}
	}
	switch {
	case kind < 5:
		b.set(id, after(err, present, absent), uids)
	case err != nil:
		b.set(id, absent, nil) // nobody ever asked for a commit
	case kind < 7:
		err = txn.Commit(ctx)
		b.set(id, after(err, present, absent), uids)
	default:
		err = txn.Discard(ctx)
		b.set(id, absent, nil)
	}
	return err
}

// remove deletes a batch that is surely there, if there is one that nobody else deletes.
func (b *batches) remove(ctx context.Context, c *Client, rng *rand.Rand) error {
	id, uids := b.choose(rng)
	if id == "" {
		return nil
	}
	var q strings.Builder
	for i, u := range uids {
		for _, p := range []string{"batch.id", "batch.n", "batch.tag", "batch.root"} {
			fmt.Fprintf(&q, "<%s> <%s> * .\n", u, p)
		}
		if i == 0 {
			fmt.Fprintf(&q, "<%s> <batch.member> * .\n", u)
		}
	}
	_, err := c.NewTxn().Mutate(ctx, &api.Mutation{DelNquads: []byte(q.String()), CommitNow: true})
	b.set(id, after(err, absent, present), nil)
	return err
}

// choose picks a batch to delete, and marks it so that nobody else does.
func (b *batches) choose(rng *rand.Rand) (string, []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	last := int(b.ids.Load())
	for range 20 {
		id := fmt.Sprintf("b%06d", rng.IntN(last+1))
		if b.want[id] == present {
			b.want[id] = either
			return id, b.uids[id]
		}
	}
	return "", nil
}

// run has n writers write until the returned function is called, which waits for them. failed, if given, is told of errors;
// the writer goes on after a moment.
func (b *batches) run(d *Dragg, n int, failed func(error)) (stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range n {
		c, err := d.Client()
		if err != nil {
			cancel()
			wg.Wait()
			return nil, err
		}
		rng := rand.New(rand.NewPCG(uint64(i), uint64(b.ids.Load())))
		wg.Go(func() {
			defer c.Close()
			for ctx.Err() == nil {
				do := b.write
				if rng.IntN(10) == 0 {
					do = b.remove
				}
				if err := do(ctx, c, rng); err != nil && ctx.Err() == nil {
					if failed != nil {
						failed(err)
					}
					select {
					case <-ctx.Done():
					case <-time.After(20 * time.Millisecond):
					}
				}
			}
		})
	}
	return func() { cancel(); wg.Wait() }, nil
}

// seen is what the server shows of all batches, at one timestamp.
type seen struct {
	Data []struct {
		UID   string `json:"uid"`
		ID    string `json:"batch.id"`
		N     int    `json:"batch.n"`
		Tag   string `json:"batch.tag"`
		Edges int    `json:"edges"`
	}
	Root []struct {
		In []struct{ UID string } `json:"~batch.root"`
	}
	Hubs []struct {
		UID string
		ID  string                 `json:"batch.id"`
		To  []struct{ UID string } `json:"batch.member"`
	}
	Members []struct{ C int }
	Tagged  []struct{ C int }
	Numbers []struct{ C int }
}

// verify reads everything in one query and compares data, index, reverse edges and counts with each other and with what was
// acknowledged. Batches of unknown outcome are settled by what is seen: whole or absent they stay.
func (b *batches) verify(ctx context.Context, c *Client) error {
	resp, err := c.NewReadOnlyTxn().Query(ctx, fmt.Sprintf(`{
		data(func: has(batch.id)) { uid batch.id batch.n batch.tag edges: count(batch.member) }
		root(func: uid(%s)) { ~batch.root { uid } }
		hubs(func: eq(count(batch.member), %d)) { uid batch.id batch.member { uid } }
		members(func: eq(count(~batch.member), 1)) { c: count(uid) }
		tagged(func: anyofterms(batch.tag, "common")) { c: count(uid) }
		numbers(func: le(batch.n, %d)) { c: count(uid) }
	}`, b.root, batchNodes-1, batchNodes))
	if err != nil {
		return fmt.Errorf("reading the batches: %w", err)
	}
	var s seen
	if err := json.Unmarshal(resp.Json, &s); err != nil {
		return err
	}
	whole, problems := b.compareData(&s)
	problems = append(problems, b.compareDerived(&s, len(whole))...)
	problems = append(problems, b.settle(whole)...)
	lookups, err := b.lookUp(ctx, c, whole)
	if err != nil {
		return err
	}
	problems = append(problems, lookups...)
	if len(problems) > 20 {
		problems = append(problems[:20], fmt.Sprintf("and %d more", len(problems)-20))
	}
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "\n"))
	}
	return nil
}

// compareData returns the uids of the batches that are there, by id, and which are not whole.
func (b *batches) compareData(s *seen) (whole map[string][]string, problems []string) {
	whole = map[string][]string{}
	for _, n := range s.Data {
		if whole[n.ID] == nil {
			whole[n.ID] = make([]string, batchNodes)
		}
		want := 0
		if n.N == 0 {
			want = batchNodes - 1
		}
		if n.N < 0 || n.N >= batchNodes || whole[n.ID][n.N] != "" || n.Edges != want || n.Tag != fmt.Sprintf("common %s %d", n.ID, n.N) {
			problems = append(problems, fmt.Sprintf("batch %s: odd node %+v", n.ID, n))
			continue
		}
		whole[n.ID][n.N] = n.UID
	}
	for id, uids := range whole {
		if i := slices.Index(uids, ""); i >= 0 {
			problems = append(problems, fmt.Sprintf("batch %s is half there: node %d is missing", id, i))
		}
	}
	return whole, problems
}

// compareDerived compares reverse edges, counts and indexes with the data.
func (b *batches) compareDerived(s *seen, batches int) (problems []string) {
	nodes := map[string]bool{}
	for _, n := range s.Data {
		nodes[n.UID] = true
	}
	in := 0
	for _, r := range s.Root {
		for _, n := range r.In {
			in++
			if !nodes[n.UID] {
				problems = append(problems, fmt.Sprintf("reverse edge from %s, which is no node of a batch", n.UID))
			}
		}
	}
	if in != len(nodes) {
		problems = append(problems, fmt.Sprintf("%d reverse edges to the root, %d nodes", in, len(nodes)))
	}
	if len(s.Hubs) != batches {
		problems = append(problems, fmt.Sprintf("%d nodes with %d edges by count, %d batches", len(s.Hubs), batchNodes-1, batches))
	}
	for _, h := range s.Hubs {
		if len(h.To) != batchNodes-1 {
			problems = append(problems, fmt.Sprintf("batch %s: the count says %d edges, there are %d", h.ID, batchNodes-1, len(h.To)))
		}
	}
	for what, x := range map[string]struct {
		got  []struct{ C int }
		want int
	}{
		"nodes by reverse count": {s.Members, batches * (batchNodes - 1)},
		"nodes by term":          {s.Tagged, len(nodes)},
		"nodes by number":        {s.Numbers, len(nodes)},
	} {
		if len(x.got) != 1 || x.got[0].C != x.want {
			problems = append(problems, fmt.Sprintf("%s: %v, want %d", what, x.got, x.want))
		}
	}
	return problems
}

// settle compares what is there with what was acknowledged, and settles what was unknown.
func (b *batches) settle(whole map[string][]string) (problems []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, f := range b.want {
		uids, there := whole[id]
		switch {
		case f == present && !there:
			problems = append(problems, fmt.Sprintf("batch %s was acknowledged and is lost", id))
		case f == absent && there:
			problems = append(problems, fmt.Sprintf("batch %s is there, but was never committed, or was deleted", id))
		case there:
			b.want[id], b.uids[id] = present, uids
		default:
			b.want[id] = absent
		}
	}
	for id := range whole {
		if _, ok := b.want[id]; !ok {
			problems = append(problems, fmt.Sprintf("batch %s was never written", id))
		}
	}
	return problems
}

// lookUp asks the exact index for a part of the batches, newest first.
func (b *batches) lookUp(ctx context.Context, c *Client, whole map[string][]string) (problems []string, err error) {
	ids := slices.Sorted(maps.Keys(whole))
	slices.Reverse(ids)
	ids = ids[:min(len(ids), 500)]
	for chunk := range slices.Chunk(ids, 100) {
		list, err := json.Marshal(chunk)
		if err != nil {
			return nil, err
		}
		resp, err := c.NewReadOnlyTxn().Query(ctx, `{ q(func: eq(batch.id, `+string(list)+`)) { uid batch.id } }`)
		if err != nil {
			return nil, err
		}
		var out struct {
			Q []struct {
				UID string
				ID  string `json:"batch.id"`
			}
		}
		if err := json.Unmarshal(resp.Json, &out); err != nil {
			return nil, err
		}
		if len(out.Q) != len(chunk)*batchNodes {
			problems = append(problems, fmt.Sprintf("the exact index has %d nodes of the batches %s to %s, want %d",
				len(out.Q), chunk[0], chunk[len(chunk)-1], len(chunk)*batchNodes))
		}
		for _, n := range out.Q {
			if !slices.Contains(whole[n.ID], n.UID) {
				problems = append(problems, fmt.Sprintf("the exact index leads from %s to %s, which is not of it", n.ID, n.UID))
			}
		}
	}
	return problems, nil
}

// fsck checks the data of a server that is down.
func fsckData(d *Dragg) error {
	out, err := exec.Command(d.Bin, "fsck", "--data", d.Data).CombinedOutput()
	if err != nil {
		return fmt.Errorf("dragg fsck: %w\n%s", err, out)
	}
	return nil
}
