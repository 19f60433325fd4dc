package live

import (
	"context"
	"fmt"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/internal/fault"
)

// statement is one N-Quad on its way.
type statement struct {
	file string
	line int
	text []byte // as the server reads it
	raw  string // as it stood in the file
}

// lane sends the statements of its subjects, batch after batch.
type lane struct {
	l  *loader
	in chan []statement
}

// run sends what comes until the channel closes.
func (n *lane) run(ctx context.Context) error {
	for batch := range n.in {
		if err := n.send(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// send loads a batch. One that the server refuses is halved until the statement is found that it refuses.
func (n *lane) send(ctx context.Context, batch []statement) error {
	err := n.commit(ctx, batch)
	switch {
	case err == nil:
		n.l.tally.quads.Add(int64(len(batch)))
		for _, s := range batch {
			n.l.tracker.end(s.file, s.line)
		}
		return nil
	case fault.ClassOf(err) != fault.Invalid:
		return err
	case len(batch) > 1:
		half := len(batch) / 2
		if err := n.send(ctx, batch[:half]); err != nil {
			return err
		}
		return n.send(ctx, batch[half:])
	}
	s := batch[0]
	if err := n.l.bad(&BadLine{File: s.file, Line: s.line, Text: s.raw, Err: err}); err != nil {
		return err
	}
	n.l.tracker.end(s.file, s.line)
	return nil
}

// commit sends a batch as one transaction, again and again while another try may succeed. Setting is idempotent, so that
// also an unknown outcome is simply tried again.
func (n *lane) commit(ctx context.Context, batch []statement) error {
	size := 0
	for _, s := range batch {
		size += len(s.text)
	}
	nquads := make([]byte, 0, size)
	for _, s := range batch {
		nquads = append(nquads, s.text...)
	}
	req := &api.Request{Mutations: []*api.Mutation{{SetNquads: nquads}}, CommitNow: true}
	return n.l.patiently(ctx, "a batch", func() error {
		_, err := n.l.client.Query(ctx, req)
		if err != nil && again(err) {
			n.l.tally.aborts.Add(1)
		}
		return err
	})
}

// again reports whether another try of a request that failed with err may succeed.
func again(err error) bool {
	switch fault.ClassOf(err) {
	case fault.Aborted, fault.Conflict, fault.Unavailable, fault.Unknown, fault.Exhausted:
		return true
	default:
		return false
	}
}

// patiently calls fn again and again while another try may succeed.
func (l *loader) patiently(ctx context.Context, what string, fn func() error) error {
	pause := 10 * time.Millisecond
	for waiting := false; ; waiting = true {
		err := fn()
		if err == nil || ctx.Err() != nil || !again(err) {
			return err
		}
		if c := fault.ClassOf(err); !waiting && c != fault.Aborted && c != fault.Conflict {
			l.cfg.Logger.Warn("the server does not take a request now; it is sent again until it does", "request", what, "err", err)
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
		pause = min(2*pause, 2*time.Second)
	}
}

// openingPatience is how long a load waits for a server that does not answer its first requests: a restart takes less.
const openingPatience = 30 * time.Second

// opening calls fn as patiently does, but not for ever: there may be no server at all.
func (l *loader) opening(ctx context.Context, what string, fn func(ctx context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, openingPatience)
	defer cancel()
	var last error
	err := l.patiently(limited, what, func() error { last = fn(limited); return last })
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("no answer within %s: %w", openingPatience, last)
	}
	return err
}

// lease leases uids, waiting for a server that is down. A lease whose answer was lost is not used by anybody.
func (l *loader) lease(ctx context.Context, n uint64) (first uint64, err error) {
	err = l.patiently(ctx, "a lease of uids", func() error {
		first, err = l.client.LeaseUIDs(ctx, n)
		return err
	})
	return first, err
}
