package move

import (
	"context"
	"log/slog"
	"time"

	"dragg/alpha/shard"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/posting"
	"dragg/protos/pb"
)

// Here is the replica that receives. shard.Shard is one.
type Here interface {
	Incoming() []shard.Incoming
	Watermark() graph.Timestamp
	WaitTimestamp(ctx context.Context, ts graph.Timestamp) error
	WaitSeq(ctx context.Context, seq uint64) error
	Ingest(ctx context.Context, in *pb.Ingest) error
	Digest(ctx context.Context, part shard.CopyPart) (posting.Digest, error)
}

// There is the group that a tablet comes from: any of its replicas.
type There interface {
	// Copy calls each for the chunks of a part, in order, the last of which has no Next.
	Copy(ctx context.Context, from graph.GroupID, part shard.CopyPart, each func(*pb.CopyChunk) error) error
	Digest(ctx context.Context, from graph.GroupID, part shard.CopyPart) (posting.Digest, error)
}

// Zero takes the steps of a move. cluster.Zero is one.
type Zero interface {
	Move(ctx context.Context, m *pb.MoveStep) (*pb.MoveReply, error)
}

// Config says who takes part in a move.
type Config struct {
	Group graph.GroupID // that receives
	Here  Here
	There There
	Zero  Zero
	// Pace waits as long as it takes until so many bytes may be received.
	Pace func(ctx context.Context, bytes int) error
	Now  func() time.Time
	// Tell is told how far the move has come.
	Tell   func(Progress)
	Logger *slog.Logger
}

// Progress is how far a move has come, for people.
type Progress struct {
	Move    uint64
	Step    string // "copy", "catch up", "switch"
	Bytes   int64  // received in this try
	Changes uint64 // that were found equal on both sides
	// Fenced is how long this try held writers up, as this leader saw it; 0 until that is over.
	Fenced time.Duration
}

const (
	// shortRound is how long a round of catching up takes when it is time for the fence: what came meanwhile takes about as long.
	shortRound = 250 * time.Millisecond
	// maxRounds bounds the rounds before the fence, for a tablet that is written faster than it is copied.
	maxRounds = 20
)

// ErrOver says that the move was ended, by whomever.
var ErrOver = fault.New(fault.Aborted, "the move is over")

// receiving is one tablet on its way, as one leader sees it through.
type receiving struct {
	Config
	in       shard.Incoming
	progress Progress
	compared graph.Timestamp
	source   posting.Digest // of everything up to compared, there
	target   posting.Digest // and here
}

// Receive brings one tablet here, from wherever its move stands. An error of class fault.Aborted means that the move is over, or
// soon will be; after any other it may be tried again.
func Receive(ctx context.Context, cfg Config, in shard.Incoming) error {
	began := cfg.Now()
	m := &receiving{Config: cfg, in: in, progress: Progress{Move: in.Move.Id}}
	lg := cfg.Logger.With("predicate", in.Predicate.String(), "move", in.Move.Id, "from", in.From)
	lg.Info("receiving a tablet", "try", in.Move.Tries)
	if in.Move.Fence == 0 {
		if err := m.catchUp(ctx); err != nil {
			return err
		}
	}
	m.tell("switch")
	fenced, err := m.Zero.Move(ctx, m.step(pb.MoveKind_MOVE_FENCE))
	if err != nil {
		return err
	}
	fencedAt := m.Now()
	defer func() { m.progress.Fenced = m.Now().Sub(fencedAt); m.tell(m.progress.Step) }()
	if err := m.bring(ctx, graph.Timestamp(fenced.Tablet.Move.GetFence())); err != nil {
		return err
	}
	last := m.step(pb.MoveKind_MOVE_SWITCH)
	last.Source, last.Target, last.Epoch = ToWire(m.source), ToWire(m.target), fenced.Tablet.Epoch
	done, err := m.Zero.Move(ctx, last)
	if err != nil {
		return err
	}
	if done.Tablet.Incarnation != in.Move.Id {
		lg.Error("the tablet did not move: what arrived is not what was sent", "source", m.source, "target", m.target)
	} else {
		lg.Info("the tablet moved here", "changes", m.target.Changes, "bytes", m.progress.Bytes,
			"took", m.Now().Sub(began).Round(time.Millisecond), "fenced", m.Now().Sub(fencedAt).Round(time.Millisecond))
	}
	return m.Here.WaitSeq(ctx, done.Seqs[uint32(m.Group)])
}

func (m *receiving) step(kind pb.MoveKind) *pb.MoveStep {
	return &pb.MoveStep{
		Namespace: uint64(m.in.Predicate.Namespace), Predicate: m.in.Predicate.Name, Id: m.in.Move.Id, Kind: kind,
	}
}

func (m *receiving) tell(step string) {
	m.progress.Step, m.progress.Changes = step, m.target.Changes
	m.Tell(m.progress)
}

// catchUp brings everything up to now, again and again, until that takes no longer than a fence may.
func (m *receiving) catchUp(ctx context.Context) error {
	m.tell("copy")
	for range maxRounds {
		began := m.Now()
		if err := m.bring(ctx, max(m.Here.Watermark(), graph.Timestamp(m.in.Move.Base))); err != nil {
			return err
		}
		if m.Now().Sub(began) < shortRound {
			return nil
		}
		m.tell("catch up")
	}
	m.Logger.Warn("a tablet is written as fast as it is copied; it is fenced all the same", "predicate", m.in.Predicate.String())
	return nil
}

// bring brings what was committed up to a timestamp, and compares it.
func (m *receiving) bring(ctx context.Context, upto graph.Timestamp) error {
	if err := m.Here.WaitTimestamp(ctx, upto); err != nil {
		return err
	}
	for {
		done, err := m.pull(ctx, upto)
		if err != nil {
			return err
		}
		if done {
			return m.compare(ctx, upto)
		}
	}
}

// pull brings a round here, or the rest of one that was begun before; done says that this is all up to upto.
func (m *receiving) pull(ctx context.Context, upto graph.Timestamp) (done bool, err error) {
	now, err := m.now()
	if err != nil || now.Complete >= upto {
		return true, err
	}
	part := shard.CopyPart{Predicate: now.Predicate, Move: now.Move.Id, Since: now.Complete, Upto: upto, From: now.Next}
	if now.Upto != 0 {
		part.Upto = now.Upto
	}
	from := part.From
	err = m.There.Copy(ctx, now.From, part, func(chunk *pb.CopyChunk) error {
		if err := m.Pace(ctx, len(chunk.Changes)); err != nil {
			return err
		}
		err := m.Here.Ingest(ctx, &pb.Ingest{
			Namespace: uint64(part.Predicate.Namespace), Predicate: part.Predicate.Name, Move: part.Move, Since: uint64(part.Since),
			Upto: uint64(part.Upto), Changes: chunk.Changes, Count: chunk.Count, From: from, Next: chunk.Next,
		})
		from = chunk.Next
		m.progress.Bytes += int64(len(chunk.Changes))
		m.tell(m.progress.Step)
		return err
	})
	return part.Upto == upto, err
}

// now returns how far the copy has come.
func (m *receiving) now() (shard.Incoming, error) {
	for _, in := range m.Here.Incoming() {
		if in.Move.Id == m.in.Move.Id {
			return in, nil
		}
	}
	return shard.Incoming{}, ErrOver
}

// compare adds what came since the last time to the digests of both sides.
func (m *receiving) compare(ctx context.Context, upto graph.Timestamp) error {
	if upto <= m.compared {
		return nil
	}
	part := shard.CopyPart{Predicate: m.in.Predicate, Move: m.in.Move.Id, Since: m.compared, Upto: upto}
	here, err := m.Here.Digest(ctx, part)
	if err != nil {
		return err
	}
	there, err := m.There.Digest(ctx, m.in.From, part)
	if err != nil {
		return err
	}
	m.source.Plus(there)
	m.target.Plus(here)
	m.compared = upto
	return nil
}

// ToWire returns a digest as it travels.
func ToWire(d posting.Digest) *pb.Digest {
	return &pb.Digest{Changes: d.Changes, High: d.High, Low: d.Low}
}

// FromWire is the reverse of ToWire.
func FromWire(d *pb.Digest) posting.Digest {
	return posting.Digest{Changes: d.GetChanges(), High: d.GetHigh(), Low: d.GetLow()}
}
