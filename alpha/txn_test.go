package alpha

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dragg/cluster"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// gated holds Zero's stream back until the gate is opened.
type gated struct {
	cluster.Zero
	gate *sync.RWMutex
}

func (z gated) Stream(ctx context.Context, g graph.GroupID, seq uint64, deliver func(*pb.StreamBatch) error) error {
	return z.Zero.Stream(ctx, g, seq, func(b *pb.StreamBatch) error {
		z.gate.RLock()
		defer z.gate.RUnlock()
		return deliver(b)
	})
}

func codeOfGRPC(err error) codes.Code { return status.Code(fault.ToGRPC(err)) }

func wantCode(t *testing.T, what string, err error, code codes.Code, text string) {
	t.Helper()
	if codeOfGRPC(err) != code || err == nil && code != codes.OK || err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %s (%v), want %s with %q", what, codeOfGRPC(err), err, code, text)
	}
}

// The codes and replies of dql.md facts 126 to 130, and 125.
func TestTransactionCodes(t *testing.T) {
	ctx := context.Background()
	n := plan{}.start(t)
	n.alter(t, "name: string .\nage: int .")
	n.leaseUIDs(t, 10)
	begin := func(nquads string) *api.TxnContext {
		t.Helper()
		resp, err := n.Do(ctx, setting(0, nquads, false), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return resp.Txn
	}
	a, b, c := begin(`<1> <name> "a" .`), begin(`<1> <name> "b" .`), begin(`<1> <name> "c" .`)
	if len(a.Keys) != 1 || len(a.Preds) != 1 || a.Preds[0] != "1-0-name" {
		t.Errorf("the client is told of keys %q and predicates %q", a.Keys, a.Preds)
	}
	out, err := n.CommitOrAbort(ctx, a)
	if err != nil || out.StartTs != a.StartTs || out.CommitTs <= out.StartTs || out.Aborted {
		t.Errorf("a commit: %v %v", out, err)
	}
	_, err = n.CommitOrAbort(ctx, b)
	wantCode(t, "a commit that conflicts", err, codes.Aborted, "Please retry")
	_, err = n.CommitOrAbort(ctx, b)
	wantCode(t, "the same again", err, codes.Aborted, "Please retry")
	_, err = n.Do(ctx, setting(c.StartTs, `<1> <age> "1" .`, true), Options{})
	wantCode(t, "commit now of what conflicts", err, codes.Aborted, "Please retry")
	_, err = n.Do(ctx, setting(b.StartTs, `<1> <age> "1" .`, false), Options{})
	wantCode(t, "a mutation after the abort", err, codes.FailedPrecondition, "retry")
	resp, err := n.Do(ctx, setting(0, `_:x <name> "x" .`, true), Options{})
	if err != nil || len(resp.Txn.Keys)+len(resp.Txn.Preds) > 0 || resp.Txn.CommitTs <= resp.Txn.StartTs || len(resp.Uids) != 1 {
		t.Errorf("commit now: %v %v", resp, err)
	}
	d := begin(`<2> <name> "d" .`)
	d.Aborted = true
	if out, err := n.CommitOrAbort(ctx, d); err != nil || !out.Aborted || out.CommitTs != 0 {
		t.Errorf("a discard: %v %v", out, err)
	}
	if got := n.ask(t, `{q(func: uid(2)) {name}}`); got != `{"q":[]}` {
		t.Errorf("what was discarded is there: %s", got)
	}
	_, err = n.CommitOrAbort(ctx, &api.TxnContext{})
	wantCode(t, "a commit of nothing", err, codes.InvalidArgument, "StartTs cannot be zero")
	for _, bad := range []*api.TxnContext{
		{StartTs: a.StartTs, Keys: []string{"no key!"}}, {StartTs: a.StartTs, Preds: []string{"name"}}, {StartTs: a.StartTs, Preds: []string{"x-0-name"}},
	} {
		_, err = n.CommitOrAbort(ctx, bad)
		wantCode(t, "what no server gave", err, codes.InvalidArgument, "")
	}
	for what, c := range map[string]struct {
		req  *api.Request
		text string
	}{
		"best effort that writes":    {&api.Request{BestEffort: true, Query: `{q(func: uid(1)) {uid}}`}, "best effort"},
		"read only that writes":      {&api.Request{ReadOnly: true, Mutations: setting(0, "<1> <age> \"1\" .", false).Mutations}, "read-only"},
		"a timestamp of the future":  {&api.Request{StartTs: 1 << 50, Query: `{q(func: uid(1)) {uid}}`}, "never drawn"},
		"nothing":                    {&api.Request{}, "empty request"},
		"a variable without a query": {setting(0, `uid(v) <age> "1" .`, true), "not defined"},
		"a query that is wrong":      {&api.Request{Query: "{"}, ""},
	} {
		_, err := n.Do(ctx, c.req, Options{})
		wantCode(t, what, err, codes.InvalidArgument, c.text)
	}
}

// silent is a Zero that cannot be reached for timestamps.
type silent struct {
	cluster.Zero
	off *atomic.Bool
}

func (z silent) Timestamps(ctx context.Context, n uint32) (first, after graph.Timestamp, err error) {
	if z.off.Load() {
		return 0, 0, fault.New(fault.Unavailable, "nobody answers")
	}
	return z.Zero.Timestamps(ctx, n)
}

// Best effort asks nobody: it is answered while Zero is away, from what is there.
func TestBestEffortNeedsNoZero(t *testing.T) {
	var off atomic.Bool
	n := plan{zero: func(z cluster.Zero) cluster.Zero { return silent{z, &off} }}.start(t)
	n.alter(t, "name: string .")
	n.leaseUIDs(t, 10)
	n.set(t, `<1> <name> "x" .`)
	n.ask(t, `{q(func: uid(1)) {name}}`)
	off.Store(true)
	req := &api.Request{Query: `{q(func: uid(1)) {name}}`, ReadOnly: true}
	_, err := n.Do(context.Background(), req, Options{})
	wantCode(t, "an ordinary query", err, codes.Unavailable, "nobody answers")
	req.BestEffort = true
	resp, err := n.Do(context.Background(), req, Options{})
	if err != nil || string(resp.Json) != `{"q":[{"name":"x"}]}` {
		t.Errorf("best effort: %s %v", resp.GetJson(), err)
	}
}

// Goal: best-effort reads are answered for as long as the bound says after Zero went away, then refused in words that say why, and
// answered again when it is back; so does /ready. A cluster at rest knows that nothing is missing.
func TestBestEffortIsBounded(t *testing.T) {
	var off atomic.Bool
	const bound = time.Second
	n := plan{zero: func(z cluster.Zero) cluster.Zero { return silent{z, &off} }, cfg: Config{MaxStaleness: bound}}.start(t)
	n.alter(t, "name: string .")
	n.leaseUIDs(t, 10)
	n.set(t, `<1> <name> "x" .`)
	req := &api.Request{Query: `{q(func: uid(1)) {name}}`, ReadOnly: true, BestEffort: true}
	n.ask(t, req.Query) // so that nothing is missing here
	answered := func() error {
		resp, err := n.Do(t.Context(), req, Options{})
		if err == nil && string(resp.Json) != `{"q":[{"name":"x"}]}` {
			t.Errorf("best effort: %s", resp.Json)
		}
		return err
	}
	for began := time.Now(); time.Since(began) < 2*bound; time.Sleep(50 * time.Millisecond) {
		if err := answered(); err != nil {
			t.Fatalf("at rest: %v", err)
		}
	}
	off.Store(true)
	away := time.Now()
	var err error
	for err == nil && time.Since(away) < 10*bound {
		err = answered()
	}
	took := time.Since(away)
	wantCode(t, "a best-effort read beyond the bound", err, codes.Unavailable, "--max-staleness")
	if took > bound+500*time.Millisecond || took < bound/2 {
		t.Errorf("best-effort reads were answered for %v after Zero went away, the bound is %v", took, bound)
	}
	if r := n.Readiness(); r.Ready() {
		t.Error("it is ready for everything though it refuses best-effort reads")
	}
	off.Store(false)
	wait(t, "best-effort reads to be answered again", func() bool { return answered() == nil })
}

// Without a bound best-effort reads are answered however long Zero is away.
func TestBestEffortWithoutABound(t *testing.T) {
	f := freshness{bound: -1, base: time.Now().Add(-time.Hour)}
	if err := f.check(); err != nil || f.age() < time.Hour {
		t.Errorf("%v at the age of %v", err, f.age())
	}
	f.bound = 2 * time.Hour
	if err := f.check(); err != nil {
		t.Error(err)
	}
	f.bound = time.Minute
	if err := f.check(); err == nil {
		t.Error("a snapshot of an hour ago is no older than a minute")
	}
	f.note(time.Now())
	f.note(time.Now().Add(-time.Hour)) // what was learned later of an earlier moment
	if err := f.check(); err != nil {
		t.Error(err)
	}
}

// More requests at once than allowed are told so, in the words that clients look for (fact 132).
func TestOverload(t *testing.T) {
	n := plan{cfg: Config{Limits: Limits{InFlight: 2}}}.start(t)
	for range 2 {
		n.slots <- struct{}{}
	}
	_, err := n.Do(context.Background(), &api.Request{Query: `{q(func: uid(1)) {uid}}`}, Options{})
	wantCode(t, "a query", err, codes.ResourceExhausted, "429")
	_, err = n.CommitOrAbort(context.Background(), &api.TxnContext{StartTs: 1})
	wantCode(t, "a commit", err, codes.ResourceExhausted, "429")
	err = n.Alter(context.Background(), &api.Operation{Schema: "x: int ."})
	wantCode(t, "an alter", err, codes.ResourceExhausted, "429")
	<-n.slots
	if _, err := n.Do(context.Background(), &api.Request{Query: `{q(func: uid(1)) {uid}}`}, Options{}); err != nil {
		t.Error(err)
	}
}

// lostOnce loses one reply of Commit; tell says whether the outcome can be asked for afterwards.
type lostOnce struct {
	cluster.Zero
	lost, tell *bool
	before     bool // the request is lost, not the reply
}

func (z lostOnce) Commit(ctx context.Context, r *pb.CommitRequest) (*pb.CommitReply, error) {
	if *z.lost {
		return z.Zero.Commit(ctx, r)
	}
	*z.lost = true
	if !z.before {
		if _, err := z.Zero.Commit(ctx, r); err != nil {
			return nil, err
		}
	}
	return nil, fault.New(fault.Unknown, "the connection broke")
}

func (z lostOnce) Outcome(ctx context.Context, start graph.Timestamp) (graph.Timestamp, bool, error) {
	if !*z.tell {
		return 0, false, fault.New(fault.Unavailable, "nobody answers")
	}
	return z.Zero.Outcome(ctx, start)
}

// Goal: a lost reply is never called an abort. Asked for again it is what it was; only when that fails too it is unknown; and the
// client that asks later gets the same answer.
func TestUnknownOutcome(t *testing.T) {
	for name, c := range map[string]struct {
		tell, before bool
		code         codes.Code
	}{
		"the reply is lost":             {true, false, codes.OK},
		"the reply is lost for good":    {false, false, codes.DeadlineExceeded},
		"the request is lost":           {true, true, codes.DeadlineExceeded},
		"the request is lost, silently": {false, true, codes.DeadlineExceeded},
	} {
		for _, now := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				lost, tell := true, c.tell
				n := plan{zero: func(z cluster.Zero) cluster.Zero { return lostOnce{z, &lost, &tell, c.before} }}.start(t)
				n.alter(t, "name: string .")
				n.leaseUIDs(t, 10)
				resp, err := n.Do(context.Background(), setting(0, `<1> <name> "x" .`, false), Options{})
				if err != nil {
					t.Fatal(err)
				}
				lost = false
				if now {
					_, err = n.Do(context.Background(), setting(resp.Txn.StartTs, `<1> <name> "y" .`, true), Options{})
				} else {
					_, err = n.CommitOrAbort(context.Background(), resp.Txn)
				}
				wantCode(t, "the commit", err, c.code, "")
				tell = true
				out, err := n.CommitOrAbort(context.Background(), resp.Txn)
				if err != nil || out.CommitTs == 0 {
					t.Errorf("asked again: %v %v", out, err)
				}
				want := map[bool]string{false: "x", true: "y"}[now]
				if got := n.ask(t, `{q(func: uid(1)) {name}}`); !strings.Contains(got, `"`+want+`"`) {
					t.Errorf("the value is %s, want %s", got, want)
				}
			})
		}
	}
}

// Goal: nothing joins a transaction after its commit was asked for: it was not judged with it. Method: the verdict is held back from
// the group, so that it does not know yet.
func TestNoWriteAfterTheCommit(t *testing.T) {
	var gate sync.RWMutex
	n := plan{zero: func(z cluster.Zero) cluster.Zero { return gated{z, &gate} }, cfg: Config{TxnAbortAfter: 200 * time.Millisecond}}.start(t)
	n.alter(t, "name: string .\nage: int .")
	n.leaseUIDs(t, 10)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	wrote, err := n.Do(ctx, setting(0, `<1> <name> "x" .`, false), Options{})
	if err != nil {
		t.Fatal(err)
	}
	looked, err := n.Do(ctx, &api.Request{Query: `{q(func: uid(1)) {uid}}`}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	now, err := n.Do(ctx, &api.Request{Query: `{q(func: uid(1)) {uid}}`}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	gate.Lock()
	for _, txn := range []*api.TxnContext{wrote.Txn, looked.Txn} {
		if _, err := n.CommitOrAbort(ctx, txn); err != nil {
			t.Error(err)
		}
	}
	if _, err := n.Do(ctx, setting(now.Txn.StartTs, `<2> <name> "y" .`, true), Options{}); err != nil {
		t.Error(err)
	}
	for what, txn := range map[string]*api.TxnContext{"that wrote": wrote.Txn, "that only read": looked.Txn, "of commit now": now.Txn} {
		for _, commit := range []bool{false, true} {
			_, err := n.Do(ctx, setting(txn.StartTs, `<3> <age> "7" .`, commit), Options{})
			if c := fault.ClassOf(err); err == nil || c != fault.Aborted && c != fault.Conflict {
				t.Errorf("a late write to a transaction %s: %v", what, err)
			}
		}
	}
	gate.Unlock()
	if got := n.ask(t, `{q(func: uid(1, 2, 3)) {name age}}`); got != `{"q":[{"name":"x"},{"name":"y"}]}` {
		t.Errorf("committed: %s", got)
	}
	wait(t, "nothing to be pending", func() bool { pending, _ := n.shard.Pending(); return pending == 0 })
}

// Goal: what cannot be committed any more does not stay pending for ever. Method: a write is made to look as if it had come after the
// verdict, as it can where the node that refuses it has restarted; the reaper must get rid of it.
func TestLateWriteIsReaped(t *testing.T) {
	n := plan{cfg: Config{TxnAbortAfter: 100 * time.Millisecond}}.start(t)
	n.alter(t, "name: string .")
	n.leaseUIDs(t, 10)
	ctx := context.Background()
	start, err := n.starter.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := n.zero.Commit(ctx, &pb.CommitRequest{StartTs: uint64(start.Ts)}); err != nil || r.CommitTs == 0 {
		t.Fatal(r, err)
	}
	if _, err := n.Do(ctx, setting(uint64(start.Ts), `<1> <name> "late" .`, false), Options{}); err != nil {
		t.Fatal(err)
	}
	wait(t, "the late write to go", func() bool { pending, _ := n.shard.Pending(); return pending == 0 })
	if got := n.ask(t, `{q(func: uid(1)) {name}}`); got != `{"q":[]}` {
		t.Errorf("it was committed: %s", got)
	}
}

// Idle transactions are aborted; using one keeps it.
func TestIdleTransactionIsAborted(t *testing.T) {
	n := plan{cfg: Config{TxnAbortAfter: 150 * time.Millisecond}}.start(t)
	n.alter(t, "name: string .")
	n.leaseUIDs(t, 10)
	ctx := context.Background()
	resp, err := n.Do(ctx, setting(0, `<1> <name> "x" .`, false), Options{})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, "the transaction to be aborted", func() bool { pending, _ := n.shard.Pending(); return pending == 0 })
	_, err = n.CommitOrAbort(ctx, resp.Txn)
	wantCode(t, "its commit", err, codes.Aborted, "")
}

// A request whose mutation fails half-way leaves nothing behind that could be committed.
func TestFailedMutationAbortsTheTransaction(t *testing.T) {
	n := plan{}.start(t)
	n.alter(t, "name: string @index(exact) .")
	n.leaseUIDs(t, 10)
	ctx := context.Background()
	resp, err := n.Do(ctx, setting(0, `<1> <name> "x" .`, false), Options{})
	if err != nil {
		t.Fatal(err)
	}
	n.alter(t, "name: string @index(hash) .")
	_, err = n.CommitOrAbort(ctx, resp.Txn)
	wantCode(t, "a commit under an old schema", err, codes.Aborted, "retry")
	// What is wrong with the request itself leaves the transaction open.
	resp, err = n.Do(ctx, setting(0, `<1> <name> "y" .`, false), Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.Do(ctx, setting(resp.Txn.StartTs, `<1> <name> <2> .`, false), Options{})
	wantCode(t, "a mutation that is wrong", err, codes.InvalidArgument, "scalar is uid")
	if out, err := n.CommitOrAbort(ctx, resp.Txn); err != nil || out.CommitTs == 0 {
		t.Errorf("the rest of it: %v %v", out, err)
	}
}

// What a client gets when its context ends before the answer.
func TestCancelledRequests(t *testing.T) {
	var gate sync.RWMutex
	n := plan{zero: func(z cluster.Zero) cluster.Zero { return gated{z, &gate} }}.start(t)
	n.alter(t, "name: string .")
	n.leaseUIDs(t, 10)
	gate.Lock()
	n.set(t, `<1> <name> "x" .`) // its verdict does not come
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := n.Do(ctx, &api.Request{Query: `{q(func: uid(1)) {name}}`, ReadOnly: true}, Options{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a query that waits: %v", err)
	}
	gate.Unlock()
	if got := n.ask(t, `{q(func: uid(1)) {name}}`); got != `{"q":[{"name":"x"}]}` {
		t.Errorf("later: %s", got)
	}
}

// AllocateIDs and what this server does not offer.
func TestOtherRequests(t *testing.T) {
	n := plan{cfg: Config{Version: "v9"}}.start(t)
	s, ctx := &service{n: n.Node}, context.Background()
	if v, err := s.CheckVersion(ctx, &api.Check{}); err != nil || v.Tag != "v9" {
		t.Errorf("version %v %v", v, err)
	}
	a, err := s.AllocateIDs(ctx, &api.AllocateIDsRequest{HowMany: 10, LeaseType: api.LeaseType_UID})
	if err != nil || a.End-a.Start != 9 {
		t.Errorf("uids %v %v", a, err)
	}
	b, err := s.AllocateIDs(ctx, &api.AllocateIDsRequest{HowMany: 5, LeaseType: api.LeaseType_TS})
	if err != nil || b.End-b.Start != 4 {
		t.Errorf("timestamps %v %v", b, err)
	}
	for _, bad := range []*api.AllocateIDsRequest{{}, {HowMany: 1 << 40}, {HowMany: 100_000, LeaseType: api.LeaseType_TS}} {
		_, err := s.AllocateIDs(ctx, bad)
		wantCode(t, "too many or no ids", err, codes.InvalidArgument, "cannot allocate")
	}
	_, err = s.AllocateIDs(ctx, &api.AllocateIDsRequest{HowMany: 1, LeaseType: api.LeaseType_NS})
	errs := []error{err}
	_, err = s.Login(ctx, &api.LoginRequest{})
	errs = append(errs, err)
	_, err = s.CreateNamespace(ctx, &api.CreateNamespaceRequest{})
	errs = append(errs, err)
	for _, err := range errs {
		wantCode(t, "what is not offered", err, codes.Unimplemented, "not enabled")
	}
	resp, err := s.RunDQL(ctx, &api.RunDQLRequest{DqlQuery: `{ set { _:a <name> "x" . } }`})
	if err != nil || resp.Txn.CommitTs == 0 {
		t.Fatal(resp, err)
	}
	resp, err = s.RunDQL(ctx, &api.RunDQLRequest{DqlQuery: `{ q(func: has(name)) { name } }`})
	if err != nil || string(resp.Json) != `{"q":[{"name":"x"}]}` {
		t.Errorf("%s %v", resp.GetJson(), err)
	}
	_, err = s.RunDQL(ctx, &api.RunDQLRequest{DqlQuery: `{ set { nonsense } }`})
	wantCode(t, "a document that is wrong", err, codes.InvalidArgument, "")
}

// Uids come from blocks, each once, also to many at a time.
func TestUIDPool(t *testing.T) {
	n := plan{}.start(t)
	var mu sync.Mutex
	var all []graph.UID
	var wg sync.WaitGroup
	for p := range 4 {
		wg.Go(func() {
			for i := range 50 {
				k := 1 + (p*50+i)%700
				first, err := n.uids.take(context.Background(), k)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for j := range k {
					all = append(all, first+graph.UID(j))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	total := len(all)
	slices.Sort(all)
	if len(slices.Compact(all)) != total || all[0] == 0 {
		t.Errorf("%d uids were given out, of them %d different", total, len(slices.Compact(all)))
	}
	if first, err := n.uids.take(context.Background(), 3*leaseUIDs); err != nil || first <= all[len(all)-1] {
		t.Errorf("more than a block: %d %v", first, err)
	}
}
