package sim

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/protobuf/proto"

	"dragg/alpha/lookup"
	"dragg/alpha/move"
	"dragg/alpha/shard"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/protos/pb"
	"dragg/query/task"
	"dragg/storage/memkv"
)

// alpha is what an Alpha's process has: a shard over an engine that forgets what was not synced.
type alpha struct {
	*shard.Shard
	group  graph.GroupID
	engine *memkv.Engine
	skew   time.Duration // of its clock
}

// proposer is a node's way into its group's log.
type proposer struct {
	g *group
	n *node
}

// ProposeThen implements shard.Proposer.
func (p proposer) ProposeThen(_ context.Context, cmd []byte, _ func(any, func(any)) bool) (any, error) {
	return p.g.propose(p.n, cmd)
}

// snapshotsKept is how long a snapshot stays readable.
const snapshotsKept = 600 * time.Millisecond

func (c *cluster) openAlpha(n *node) error {
	a := n.alpha
	if a.Shard != nil {
		loss := []memkv.Loss{memkv.LoseNothing, memkv.LoseSuffix, memkv.LoseAny, memkv.LoseAll}[c.w.rng.IntN(4)]
		a.engine = a.engine.Crash(loss, c.w.rng.Uint64())
	}
	s, err := shard.Open(shard.Config{Group: a.group, CacheBytes: 1 << 20, Horizon: snapshotsKept}, a.engine)
	if err != nil {
		return err
	}
	s.Attach(proposer{n.g, n})
	a.Shard, n.machine = s, s
	return nil
}

// leadAlpha begins the duties of a group's leader.
func (c *cluster) leadAlpha(n *node, term int) {
	life := n.life
	leads := func() bool { return n.life == life && n.g.leads(n, term) }
	c.w.start(n.name+" follows Zero", func(t *fiber) { c.follow(t, n, leads) })
	c.w.start(n.name+" receives tablets", func(t *fiber) { c.receive(t, n, leads) })
	c.w.start(n.name+" reaps", func(t *fiber) { c.reap(t, n, leads) })
}

// follow brings Zero's stream into the group's log.
func (c *cluster) follow(t *fiber, n *node, leads func() bool) {
	for leads() {
		z := c.zeros.members[c.w.rng.IntN(len(c.zeros.members))]
		for leads() {
			var b *pb.StreamBatch
			err := c.w.call(t, n, z, false, func(*fiber) (err error) {
				b, _, err = z.zero.Events(n.alpha.group, n.alpha.Seq())
				return err
			})
			if err != nil {
				break // another Zero may know
			}
			if len(b.Events) == 0 && graph.Timestamp(b.Watermark) <= n.alpha.Watermark() {
				t.sleep(c.w.between(shortDelay, longDelay))
				if c.w.chance(10) {
					break
				}
				continue
			}
			if len(b.Events) > 3 && c.w.chance(3) { // a part of it, as of an earlier moment
				b = &pb.StreamBatch{Events: b.Events[:2]}
			}
			if c.planted(bugLostVerdict) && c.w.chance(20) {
				b = forgetful(b)
			}
			if err := n.alpha.Deliver(c.ctx, b); err != nil {
				break
			}
		}
		t.sleep(longDelay)
	}
}

// forgetful returns a piece of the stream without its first verdict.
func forgetful(b *pb.StreamBatch) *pb.StreamBatch {
	b = proto.CloneOf(b)
	for _, e := range b.Events {
		if e.Verdict != nil {
			e.Verdict = nil
			break
		}
	}
	return b
}

// receive sees tablets through that move to the group.
func (c *cluster) receive(t *fiber, n *node, leads func() bool) {
	cfg := move.Config{
		Group: n.alpha.group, Here: here{n.alpha, t, leads}, There: there{c, n, t}, Zero: zeroOf{c, n, t},
		Pace: func(context.Context, int) error { return nil },
		Now:  func() time.Time { return time.Unix(0, int64(c.w.now)) },
		Tell: func(move.Progress) {}, Logger: slog.New(slog.DiscardHandler),
	}
	for leads() {
		for _, in := range n.alpha.Incoming() {
			if !leads() {
				return
			}
			if err := move.Receive(c.ctx, cfg, in); err != nil {
				c.counts["interrupted moves"]++
				t.sleep(10 * longDelay)
			}
		}
		t.sleep(longDelay)
	}
}

// reap aborts transactions that nobody ends.
func (c *cluster) reap(t *fiber, n *node, leads func() bool) {
	for leads() {
		t.sleep(200 * time.Millisecond)
		if !leads() {
			return
		}
		now := time.Unix(0, int64(c.w.now))
		for _, start := range n.alpha.Idle(now, time.Second) {
			w, ok, err := n.alpha.Close(c.ctx, start)
			if err != nil || !ok {
				continue
			}
			_ = c.zeroCall(t, n, true, func(_ *fiber, z *node) error {
				_, err := c.commit(z, &pb.CommitRequest{
					StartTs: uint64(start), Keys: w.Keys, Epochs: w.Epochs, Groups: []uint32{uint32(n.alpha.group)}, Abort: true,
				})
				return err
			}) // the next round tries again
		}
	}
}

// here is the side that receives.
type here struct {
	*alpha
	t     *fiber
	leads func() bool
}

func (h here) WaitTimestamp(_ context.Context, ts graph.Timestamp) error {
	return h.await(func() bool { return h.Watermark() >= ts })
}

func (h here) WaitSeq(_ context.Context, seq uint64) error {
	return h.await(func() bool { return h.Seq() >= seq })
}

func (h here) await(holds func() bool) error {
	if !h.t.wait(2*time.Second, func() bool { return holds() || !h.leads() }) || !h.leads() {
		return fault.New(fault.Unavailable, "did not catch up")
	}
	return nil
}

func (h here) Digest(ctx context.Context, part shard.CopyPart) (posting.Digest, error) {
	if err := h.WaitTimestamp(ctx, part.Upto); err != nil {
		return posting.Digest{}, err
	}
	return h.alpha.Digest(ctx, part)
}

// there is the side that a tablet comes from.
type there struct {
	c *cluster
	n *node
	t *fiber
}

func (s there) Copy(ctx context.Context, from graph.GroupID, part shard.CopyPart, each func(*pb.CopyChunk) error) error {
	n := s.c.anyOf(from)
	return s.c.w.call(s.t, s.n, n, false, func(t *fiber) error {
		life := n.life
		if !t.wait(silence, func() bool { return n.alpha.Watermark() >= part.Upto || n.life != life }) || n.life != life {
			return errUnreachable
		}
		return n.alpha.Copy(ctx, part, func(chunk *pb.CopyChunk) error {
			t.sleep(s.c.w.between(shortDelay, longDelay))
			if n.life != life || !s.c.w.reaches(n, s.n) {
				return errNoAnswer
			}
			if s.c.planted(bugLastChunk) && len(chunk.Next) == 0 && chunk.Count > 1 {
				chunk = &pb.CopyChunk{}
			}
			return each(chunk)
		})
	})
}

func (s there) Digest(ctx context.Context, from graph.GroupID, part shard.CopyPart) (d posting.Digest, err error) {
	n := s.c.anyOf(from)
	err = s.c.w.call(s.t, s.n, n, false, func(t *fiber) (err error) {
		life := n.life
		if !t.wait(silence, func() bool { return n.alpha.Watermark() >= part.Upto || n.life != life }) || n.life != life {
			return errUnreachable
		}
		d, err = n.alpha.Digest(ctx, part)
		return err
	})
	return d, err
}

// zeroOf is Zero as an Alpha sees it.
type zeroOf struct {
	c *cluster
	n *node
	t *fiber
}

func (z zeroOf) Move(_ context.Context, m *pb.MoveStep) (reply *pb.MoveReply, err error) {
	err = z.c.zeroCall(z.t, z.n, true, func(_ *fiber, leader *node) error {
		r, err := z.c.move(leader, m)
		if err == nil { // the second of two arrivals may be refused when the first was answered
			reply = r
		}
		return err
	})
	return reply, err
}

// rollup rolls up some of the lists that a node has.
func (c *cluster) rollup(n *node) {
	r := n.alpha.engine.ReaderAt(graph.MaxTimestamp)
	it := r.Scan(keys.Prefix(1), nil)
	var due [][]byte
	for it.Next() {
		if keys.KindOf(it.Key()) != keys.KindPart && c.w.chance(3) {
			due = append(due, append([]byte{}, it.Key()...))
		}
	}
	if err := it.Close(); err != nil {
		c.w.fail("%s: %w", n.name, err)
	}
	r.Close()
	if err := n.alpha.Store().Rollup(c.ctx, due...); err != nil {
		c.w.fail("%s: rollup: %w", n.name, err)
	}
}

// read has a node answer tasks about its tablets.
func (c *cluster) read(t *fiber, n *node, ts, after graph.Timestamp, batch []task.Task) ([]task.Result, error) {
	life := n.life
	if !c.planted(bugNoWait) && (!t.wait(silence, func() bool { return n.alpha.Watermark() >= after || n.life != life }) || n.life != life) {
		return nil, errUnreachable
	}
	if c.planted(bugNoWait) {
		after = 0
	}
	c.w.trace("%s reads at %d, watermark %d, event %d", n.name, ts, n.alpha.Watermark(), n.alpha.Seq())
	return n.alpha.Reader(after, new(lookup.Memory)).Run(c.ctx, ts, batch)
}
