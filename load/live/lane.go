package live

import (
	"context"
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
	pause := 10 * time.Millisecond
	for waiting := false; ; waiting = true {
		_, err := n.l.client.Query(ctx, req)
		if err == nil || ctx.Err() != nil {
			return err
		}
		switch fault.ClassOf(err) {
		case fault.Aborted, fault.Conflict, fault.Unavailable, fault.Unknown, fault.Exhausted:
		default:
			return err
		}
		n.l.tally.aborts.Add(1)
		if c := fault.ClassOf(err); !waiting && c != fault.Aborted && c != fault.Conflict {
			n.l.cfg.Logger.Warn("the server does not take a batch now; it is sent again until it does", "err", err)
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
