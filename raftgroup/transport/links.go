package transport

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"dragg/cluster/rpc"
	"dragg/protos/pb"
)

// Config says between whom messages travel.
type Config struct {
	Cluster string
	Group   uint32 // 0: the Zeros
	Pool    *rpc.Pool
	// Address returns where a member is reached; false when it is not known (yet).
	Address func(id uint64) (string, bool)
	// Unreachable is told when messages to a member were dropped. It must not block.
	Unreachable func(id uint64)
	Logger      *slog.Logger
}

// What may wait for one peer. Raft itself bounds what it sends without an answer.
const (
	queueBatches = 256
	batchBytes   = 4 << 20
)

// Links sends the messages of one member to its peers. It is safe for concurrent use.
type Links struct {
	cfg Config

	mu    sync.Mutex
	peers map[uint64]chan []*raftpb.Message // guarded by mu
	owner *errgroup.Group                   // guarded by mu: of the senders; nil before Run and after it
	life  context.Context                   // guarded by mu
}

// NewLinks returns the links of a member. Nothing is sent before Run.
func NewLinks(cfg Config) *Links { return &Links{cfg: cfg, peers: map[uint64]chan []*raftpb.Message{}} }

// Run owns the senders until ctx ends. Call it once.
func (l *Links) Run(ctx context.Context) error {
	senders, life := errgroup.WithContext(ctx)
	l.mu.Lock()
	l.owner, l.life = senders, life
	for id, queue := range l.peers {
		senders.Go(func() error { return l.send(life, id, queue) })
	}
	l.mu.Unlock()
	<-ctx.Done()
	l.mu.Lock()
	l.owner = nil
	l.mu.Unlock()
	if err := senders.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return ctx.Err()
}

// Send hands messages over to those they are for, in order for each. It never blocks; what does not fit is dropped.
func (l *Links) Send(messages []*raftpb.Message) {
	for len(messages) > 0 {
		to := messages[0].GetTo()
		n := 1
		for n < len(messages) && messages[n].GetTo() == to {
			n++
		}
		select {
		case l.queue(to) <- messages[:n:n]:
		default:
			l.cfg.Unreachable(to)
		}
		messages = messages[n:]
	}
}

// queue returns the queue of a peer, with a sender behind it once Run runs.
func (l *Links) queue(id uint64) chan []*raftpb.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.peers[id]
	if q == nil {
		q = make(chan []*raftpb.Message, queueBatches)
		l.peers[id] = q
		if l.owner != nil {
			life := l.life
			l.owner.Go(func() error { return l.send(life, id, q) })
		}
	}
	return q
}

// retryPause is how long a sender drops messages after its stream broke, before it opens another.
const retryPause = 50 * time.Millisecond

// send sends what is queued for a peer. A stream that breaks is opened anew; what was queued meanwhile is stale by then.
func (l *Links) send(ctx context.Context, id uint64, queue chan []*raftpb.Message) error {
	reachable := true
	for {
		err := l.stream(ctx, id, queue, func() {
			if !reachable {
				reachable = true
				l.cfg.Logger.Info("a member of the group is reached again", "member", id)
			}
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			continue // nothing was lost
		}
		if reachable {
			reachable = false
			l.cfg.Logger.Warn("a member of the group cannot be reached", "member", id, "err", err)
		}
		l.cfg.Unreachable(id)
		t := time.NewTimer(retryPause)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				t.Stop()
				return ctx.Err()
			case <-queue:
			case <-t.C:
				waiting = false
			}
		}
	}
}

// stream sends over one stream until it breaks, which is no error as long as nothing is to be sent: members that follow have nothing
// to say to each other until they elect, and who was started again meanwhile must not miss that. sent is called after each batch.
func (l *Links) stream(ctx context.Context, id uint64, queue chan []*raftpb.Message, sent func()) error {
	var first []*raftpb.Message
	select {
	case <-ctx.Done():
		return ctx.Err()
	case first = <-queue:
	}
	address, ok := l.cfg.Address(id)
	if !ok {
		return errors.New("its address is not known")
	}
	conn, err := l.cfg.Pool.Conn(address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out, err := pb.NewRaftClient(conn).Messages(ctx)
	if err != nil {
		return err
	}
	broken := make(chan error, 1)
	go func() { broken <- out.RecvMsg(new(pb.RaftAck)) }() // ends with the stream, at the latest when ctx does
	for {
		batch, err := l.batch(id, first, queue)
		if err != nil {
			return err
		}
		if err := out.Send(batch); err != nil {
			return cmp.Or(<-broken, errEnded) // says why
		}
		sent()
		select {
		case err := <-broken:
			if err == nil || status.Code(err) == codes.Unavailable {
				return nil // whether the peer is there the next message shows
			}
			return err
		case first = <-queue:
		}
	}
}

// errEnded says that a peer takes no more messages on a stream.
var errEnded = errors.New("the peer ended the stream")

// batch encodes first and what else waits, as long as it fits.
func (l *Links) batch(id uint64, first []*raftpb.Message, queue chan []*raftpb.Message) (*pb.RaftBatch, error) {
	b, bytes := &pb.RaftBatch{ClusterId: l.cfg.Cluster, Group: l.cfg.Group, To: id}, 0
	for messages := first; ; {
		for _, m := range messages {
			data, err := proto.Marshal(m)
			if err != nil {
				return nil, err
			}
			b.Messages = append(b.Messages, data)
			bytes += len(data)
		}
		if bytes >= batchBytes {
			return b, nil
		}
		select {
		case messages = <-queue:
		default:
			return b, nil
		}
	}
}
