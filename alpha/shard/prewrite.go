package shard

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/posting"
	"dragg/protos/pb"
)

// maxPrewriteBytes bounds one log entry of a prewrite; larger ones become several.
const maxPrewriteBytes = 4 << 20

// Written is what a transaction has written to this group so far: what Zero must know to judge it.
type Written struct {
	Epochs []uint64 // of the tablets, as they were found
	Keys   []uint64 // conflict keys
	// Verdict is there where Writing.Ask has asked for it.
	Verdict *Verdict
}

// Verdict is what Zero answered, or why it did not.
type Verdict struct {
	Reply *pb.CommitReply
	Err   error
}

// Ask asks for the verdict on all that a transaction has written, without waiting: answer is called with it later, once. It returns
// false where nobody was asked.
type Ask func(all Written, answer func(*pb.CommitReply, error)) bool

// then has a prewrite that is applied go on to the verdict.
func (ask Ask) then(result any, settle func(result any)) bool {
	all, ok := result.(Written)
	return ok && ask(all, func(reply *pb.CommitReply, err error) {
		all.Verdict = &Verdict{Reply: reply, Err: err}
		settle(all)
	})
}

// Writing is what a transaction writes at a time.
type Writing struct {
	Start graph.Timestamp
	// After is the highest commit that the snapshot at Start may contain; changes that need no look at it do not wait for it.
	After graph.Timestamp
	Steps [][]graph.Edge // one after the other
	// Known is as of when the writer knows the tablets: whoever derives must know them as well.
	Known graph.Timestamp
	// Last says that the transaction writes no more here: the verdict is asked for next.
	Last bool
	// Ask, for a transaction that ends with this and writes to no other group, is called as soon as everything is pending, before a
	// goroutine that would ask could be woken. Nil where the verdict is for the caller to ask for.
	Ask Ask
}

// Prewrite derives the changes that the edges make on top of what the transaction wrote before, and replicates them. They stay
// pending until the verdict. Every predicate of the edges must be known here. It returns what was written, with Last all that
// the transaction ever wrote here, and with Ask the verdict.
//
// Errors of class fault.Aborted: the schema changed meanwhile, or the transaction ended. After any error the transaction must
// be aborted, since a part of it may be pending.
func (s *Shard) Prewrite(ctx context.Context, w Writing) (Written, error) {
	start := w.Start
	if err := s.WaitTimestamp(ctx, w.Known); err != nil {
		return Written{}, err
	}
	if err := s.waitFences(ctx, w.Steps); err != nil {
		return Written{}, err
	}
	s.deriving.lock(start)
	defer s.deriving.unlock(start)
	if err := s.horizon.enter(start); err != nil {
		return Written{}, err
	}
	defer s.horizon.leave(start)
	if err := s.admit(); err != nil {
		return Written{}, err
	}
	if err := s.Room(0); err != nil {
		return Written{}, err
	}
	changes, written, err := s.derive(start, func() error { return s.WaitTimestamp(ctx, w.After) }, w.Steps)
	if err != nil {
		return Written{}, err
	}
	keys := written.Keys
	bytes := int64(changes.Bytes())
	defer s.proposing.Add(-bytes)
	s.proposing.Add(bytes)
	if err := s.Room(0); err != nil {
		return Written{}, err
	}
	parts := changes.Split(maxPrewriteBytes)
	if w.Last && len(parts) == 0 {
		all, _, err := s.Close(ctx, start)
		return all, err
	}
	for i, part := range parts {
		p := &pb.Prewrite{StartTs: uint64(start), Pending: part.AppendBinary(nil), Epochs: written.Epochs, Keys: keys}
		var ask Ask
		if i == len(parts)-1 {
			p.Last, ask = w.Last, w.Ask
		}
		all, err := s.proposePrewrite(ctx, p, ask)
		if err != nil {
			return Written{}, err
		}
		if w.Last {
			written = all
		}
		keys = nil // they are known with the first part
	}
	if written.Verdict == nil { // else it has come to its end
		s.touch(start)
	}
	return written, nil
}

// waitFences returns once none of the predicates that are written to is fenced. A fence ends within seconds.
func (s *Shard) waitFences(ctx context.Context, steps [][]graph.Edge) error {
	for _, edges := range steps {
		var last graph.Predicate
		for i := range edges {
			p := edges[i].Predicate
			if p == last {
				continue
			}
			last = p
			if t := s.view.Load().tablets[p]; t == nil || !t.fenced() {
				continue
			}
			err := s.waitUntil(ctx, func() bool {
				t := s.view.Load().tablets[p]
				return t == nil || !t.fenced()
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// admit refuses prewrites while too much is pending.
func (s *Shard) admit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pendingB > s.cfg.PendingBytes {
		return fault.New(fault.Exhausted, "open transactions hold %d MiB of changes, the most is %d MiB: commit or discard some",
			s.pendingB>>20, s.cfg.PendingBytes>>20)
	}
	return nil
}

// Room returns an error of class fault.Exhausted where the disk has no room for bytes more beside everything that was
// accepted and is not stored yet.
func (s *Shard) Room(bytes int64) error {
	s.mu.Lock()
	bytes += int64(s.pendingB)
	s.mu.Unlock()
	if err := s.cfg.Room(bytes + s.proposing.Load()); err != nil {
		return fault.New(fault.Exhausted, "the disk of this server is full, so that nothing can be written until there is room: %w", err)
	}
	return nil
}

// derive computes the changes of all steps without replicating them.
func (s *Shard) derive(
	start graph.Timestamp, ready func() error, steps [][]graph.Edge,
) (*posting.Pending, Written, error) {
	if err := s.gate.enter(); err != nil {
		return nil, Written{}, err
	}
	defer s.gate.leave()
	own, state, err := s.reading(start)
	if err != nil {
		return nil, Written{}, err
	}
	changes, written := (*posting.Pending)(nil), Written{}
	for _, edges := range steps {
		view := s.store.View(start, own)
		view.Await(ready)
		step, err := s.deriveStep(state, view, edges, &written)
		view.Close()
		if err != nil {
			return nil, Written{}, err
		}
		if own, err = own.Merge(step); err != nil {
			return nil, Written{}, err
		}
		if changes, err = changes.Merge(step); err != nil {
			return nil, Written{}, err
		}
	}
	slices.Sort(written.Keys)
	written.Keys = slices.Compact(written.Keys)
	return changes, written, nil
}

// deriveStep derives one step.
func (s *Shard) deriveStep(
	state *published, view *posting.View, edges []graph.Edge, written *Written,
) (*posting.Pending, error) {
	parts, err := state.byTablet(edges, view.ReadTs())
	if err != nil {
		return nil, err
	}
	d := posting.NewDeriver(view, len(edges))
	written.Epochs = slices.Grow(written.Epochs, len(parts))
	for _, part := range parts {
		if err := d.Add(part.t.def, part.t.incarnation(), part.edges); err != nil {
			return nil, fault.As(fault.Invalid, err)
		}
		if e := part.t.set.Tablet.Epoch; !slices.Contains(written.Epochs, e) {
			written.Epochs = append(written.Epochs, e)
		}
	}
	derived := d.Derived()
	written.Keys = slices.Grow(written.Keys, len(derived.Conflicts))
	for _, k := range derived.Conflicts {
		written.Keys = append(written.Keys, uint64(k))
	}
	return derived.Pending, nil
}

// part is the edges of one tablet.
type part struct {
	t     *tablet
	edges []graph.Edge
}

// fewParts is up to how many tablets of a step are looked through one by one.
const fewParts = 16

// byTablet groups edges by their tablets, in the order of the incarnations, and keeps their order within one. It fails where a writer
// at ts must not write to one.
func (p *published) byTablet(edges []graph.Edge, ts graph.Timestamp) ([]part, error) {
	parts := make([]part, 0, min(len(edges), fewParts))
	var places map[*tablet]int // beyond fewParts
	place := func(t *tablet) int {
		if places != nil {
			if i, ok := places[t]; ok {
				return i
			}
			return -1
		}
		return slices.IndexFunc(parts, func(p part) bool { return p.t == t })
	}
	for len(edges) > 0 {
		name, n := edges[0].Predicate, 1
		for n < len(edges) && edges[n].Predicate == name {
			n++
		}
		t, ok := p.tablets[name]
		if !ok || t.fenced() || ts < t.servedSince() {
			return nil, fault.New(fault.Aborted, "predicate %s has moved to another group; please retry", name)
		}
		if i := place(t); i >= 0 {
			parts[i].edges = append(parts[i].edges, edges[:n]...)
		} else {
			parts = append(parts, part{t, edges[:n:n]})
			switch {
			case places != nil:
				places[t] = len(parts) - 1
			case len(parts) > fewParts:
				places = map[*tablet]int{}
				for i := range parts {
					places[parts[i].t] = i
				}
			}
		}
		edges = edges[n:]
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.t.incarnation(), b.t.incarnation()) })
	return parts, nil
}

// proposePrewrite returns what the transaction has written here with it.
func (s *Shard) proposePrewrite(ctx context.Context, p *pb.Prewrite, ask Ask) (Written, error) {
	var then func(result any, settle func(result any)) bool
	if ask != nil {
		then = ask.then
	}
	res, err := s.proposeThen(ctx, &pb.GroupEntry{Prewrite: p}, then)
	if err != nil {
		return Written{}, err
	}
	return res.(Written), nil
}

// propose replicates an entry. What Apply refuses is an error.
func (s *Shard) propose(ctx context.Context, e *pb.GroupEntry) (any, error) {
	return s.proposeThen(ctx, e, nil)
}

func (s *Shard) proposeThen(
	ctx context.Context, e *pb.GroupEntry, then func(result any, settle func(result any)) bool,
) (any, error) {
	cmd, err := proto.Marshal(e)
	if err != nil {
		return nil, err
	}
	res, err := s.group.ProposeThen(ctx, cmd, then)
	if err != nil {
		return nil, err
	}
	if refused, ok := res.(error); ok {
		return nil, refused
	}
	return res, nil
}

// touch notes that the transaction is in use.
func (s *Shard) touch(start graph.Timestamp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched[start] = time.Now()
}

// Close is for whoever is about to ask for the verdict on a transaction: no more prewrites of it are taken, whoever leads the
// group; what came later would be committed without having been judged. It returns what is pending, false if nothing is. After
// a Prewrite with Last there is no need for it.
func (s *Shard) Close(ctx context.Context, start graph.Timestamp) (Written, bool, error) {
	res, err := s.propose(ctx, &pb.GroupEntry{Close: uint64(start)})
	w, ok := res.(Written)
	return w, ok, err
}

// Written returns what the transaction has pending here; false if nothing is.
func (s *Shard) Written(start graph.Timestamp) (Written, bool) {
	t := s.txn(start)
	if t == nil {
		return Written{}, false
	}
	return t.written(), true
}

// Idle returns the transactions with pending changes that nobody has used for longer than idle. One that this process has
// not seen in use, as after a restart, counts from the first time it is asked about.
func (s *Shard) Idle(now time.Time, idle time.Duration) []graph.Timestamp {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []graph.Timestamp
	for start := range s.pending {
		used, ok := s.touched[start]
		switch {
		case !ok:
			s.touched[start] = now
		case now.Sub(used) > idle:
			out = append(out, start)
		}
	}
	slices.Sort(out)
	return out
}

// Pending returns how many transactions wait for a verdict, and the bytes of their changes.
func (s *Shard) Pending() (transactions, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending), s.pendingB
}

// Barrier returns once everything that was in the group's log before is applied on this replica.
func (s *Shard) Barrier(ctx context.Context) error {
	_, err := s.propose(ctx, &pb.GroupEntry{Barrier: true})
	return err
}

// Deliver replicates a piece of Zero's stream to the group.
func (s *Shard) Deliver(ctx context.Context, b *pb.StreamBatch) error {
	_, err := s.propose(ctx, &pb.GroupEntry{Stream: b})
	return err
}
