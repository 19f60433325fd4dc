package alpha

import (
	"context"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"

	"dragg/cluster"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// asked is a Zero in the same process that counts how it is asked for verdicts, and may answer otherwise.
type asked struct {
	cluster.Zero
	asks, commits *atomic.Int64
	ask           func(zero cluster.Asker, r *pb.CommitRequest, answer func(*pb.CommitReply, error)) bool
}

func (z asked) Ask(r *pb.CommitRequest, answer func(*pb.CommitReply, error)) bool {
	z.asks.Add(1)
	return z.ask(z.Zero.(cluster.Asker), r, answer)
}

func (z asked) Commit(ctx context.Context, r *pb.CommitRequest) (*pb.CommitReply, error) {
	z.commits.Add(1)
	return z.Zero.Commit(ctx, r)
}

var errBroke = fault.New(fault.Unknown, "the connection broke")

// Goal: a transaction of one request is asked for as soon as it is pending, and its client is told the same as if the request had asked
// itself: also when nobody could be asked, when the answer is lost, when it is lost for good, and when it conflicts.
func TestAskedAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		ask     func(n *inProcess, zero cluster.Asker, r *pb.CommitRequest, answer func(*pb.CommitReply, error)) bool
		code    codes.Code
		commits int64  // asked for by the request
		value   string // afterwards
	}{
		"at once": {
			ask: func(_ *inProcess, zero cluster.Asker, r *pb.CommitRequest, answer func(*pb.CommitReply, error)) bool {
				return zero.Ask(r, answer)
			},
			value: "mine",
		},
		"nobody could be asked": {
			ask:     func(*inProcess, cluster.Asker, *pb.CommitRequest, func(*pb.CommitReply, error)) bool { return false },
			commits: 1, value: "mine",
		},
		"the answer is lost": {
			ask: func(_ *inProcess, zero cluster.Asker, r *pb.CommitRequest, answer func(*pb.CommitReply, error)) bool {
				return zero.Ask(r, func(*pb.CommitReply, error) { answer(nil, errBroke) })
			},
			value: "mine",
		},
		"the request is lost": {
			ask: func(_ *inProcess, _ cluster.Asker, _ *pb.CommitRequest, answer func(*pb.CommitReply, error)) bool {
				go answer(nil, errBroke) // ends at once
				return true
			},
			code: codes.DeadlineExceeded, value: "before",
		},
		"nobody leads": {
			ask: func(_ *inProcess, _ cluster.Asker, _ *pb.CommitRequest, answer func(*pb.CommitReply, error)) bool {
				go answer(nil, fault.New(fault.Unavailable, "nobody leads")) // ends at once
				return true
			},
			code: codes.Unavailable, value: "before",
		},
		"somebody was faster": {
			ask: func(n *inProcess, zero cluster.Asker, r *pb.CommitRequest, answer func(*pb.CommitReply, error)) bool {
				go func() { // ends with its request
					resp, err := n.Do(context.Background(), setting(0, `<1> <name> "theirs" .`, false), Options{})
					if err == nil {
						_, err = n.CommitOrAbort(context.Background(), resp.Txn)
					}
					if err != nil || !zero.Ask(r, answer) {
						answer(nil, err)
					}
				}()
				return true
			},
			code: codes.Aborted, commits: 1, value: "theirs",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var n *inProcess
			var armed atomic.Bool
			var asks, commits atomic.Int64
			n = plan{zero: func(z cluster.Zero) cluster.Zero {
				ask := func(zero cluster.Asker, r *pb.CommitRequest, answer func(*pb.CommitReply, error)) bool {
					if !armed.CompareAndSwap(true, false) {
						return zero.Ask(r, answer)
					}
					return c.ask(n, zero, r, answer)
				}
				return asked{z, &asks, &commits, ask}
			}}.start(t)
			n.alter(t, "name: string @index(exact) @upsert .")
			n.leaseUIDs(t, 10)
			n.set(t, `<1> <name> "before" .`)
			armed.Store(true)
			asks.Store(0)
			commits.Store(0)
			resp, err := n.Do(context.Background(), setting(0, `<1> <name> "mine" .`, true), Options{})
			wantCode(t, name, err, c.code, "")
			if err == nil && resp.Txn.CommitTs <= resp.Txn.StartTs {
				t.Errorf("committed at %d, begun at %d", resp.Txn.CommitTs, resp.Txn.StartTs)
			}
			if asks.Load() != 1 || commits.Load() != c.commits {
				t.Errorf("asked %d times at once and %d times by the request, want 1 and %d", asks.Load(), commits.Load(), c.commits)
			}
			if got := n.ask(t, `{q(func: uid(1)) {name}}`); got != `{"q":[{"name":"`+c.value+`"}]}` {
				t.Errorf("afterwards %s, want %s", got, c.value)
			}
		})
	}
}

// A transaction that began with an earlier request, and so may have written to other groups, is asked for by the request.
func TestNotAskedAtOnce(t *testing.T) {
	var asks, commits atomic.Int64
	n := plan{zero: func(z cluster.Zero) cluster.Zero { return asked{z, &asks, &commits, cluster.Asker.Ask} }}.start(t)
	n.alter(t, "name: string .")
	n.leaseUIDs(t, 10)
	resp, err := n.Do(context.Background(), setting(0, `<1> <name> "x" .`, false), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Do(context.Background(), setting(resp.Txn.StartTs, `<1> <name> "y" .`, true), Options{}); err != nil {
		t.Fatal(err)
	}
	if asks.Load() != 0 || commits.Load() != 1 {
		t.Errorf("asked %d times at once and %d times by the request", asks.Load(), commits.Load())
	}
}

// Whoever goes away while the verdict is on its way leaves nothing behind that a later request would wait for.
func TestAskerGoesAway(t *testing.T) {
	hold := make(chan func())
	var armed atomic.Bool
	var asks, commits atomic.Int64
	n := plan{zero: func(z cluster.Zero) cluster.Zero {
		ask := func(zero cluster.Asker, r *pb.CommitRequest, answer func(*pb.CommitReply, error)) bool {
			if !armed.CompareAndSwap(true, false) {
				return zero.Ask(r, answer)
			}
			return zero.Ask(r, func(reply *pb.CommitReply, err error) {
				go func() { hold <- func() { answer(reply, err) } }() // ends when the test has it
			})
		}
		return asked{z, &asks, &commits, ask}
	}}.start(t)
	n.alter(t, "name: string .")
	n.leaseUIDs(t, 10)
	armed.Store(true)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { // ends with its request
		_, err := n.Do(ctx, setting(0, `<1> <name> "x" .`, true), Options{})
		ended <- err
	}()
	answer := <-hold
	cancel()
	err := <-ended
	if codeOfGRPC(err) == codes.Aborted || err == nil {
		t.Errorf("what is committed is called %v", err)
	}
	answer()
	n.set(t, `<1> <name> "y" .`)
	if got := n.ask(t, `{q(func: uid(1)) {name}}`); got != `{"q":[{"name":"y"}]}` {
		t.Error(got)
	}
}
