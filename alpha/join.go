package alpha

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dragg/cluster"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/internal/live"
	"dragg/internal/sleep"
	"dragg/protos/pb"
	"dragg/raftgroup/raftlog"
)

// join learns the node's id and group: from its log, or, for a new node, from Zero.
func (n *Node) join(ctx context.Context) error {
	id, exists, err := raftlog.ReadIdentity(n.walDir())
	if err != nil {
		return err
	}
	ask := &pb.Join{Address: n.cfg.My, NodeId: id.Node, ClusterId: id.Cluster, Group: n.cfg.Group, Learner: n.cfg.Learner}
	if exists && id.Group == 0 {
		return fault.New(fault.Invalid, "%s holds the log of Zero %d, not of an Alpha", n.cfg.Dir, id.Node)
	}
	if exists {
		ask.Group = id.Group
	} else if ask.Nonce, err = nonce(n.joinFile()); err != nil {
		return fmt.Errorf("preparing to join the cluster: %w", err)
	}
	p := cluster.Patience{Peer: n.cfg.ZeroName, Logger: n.lg}
	err = p.Do(ctx, func(ctx context.Context) error {
		reply, err := n.zero.Connect(ctx, ask)
		if err != nil {
			return err
		}
		if !exists {
			id = raftlog.Identity{Cluster: reply.ClusterId, Group: reply.Group, Node: reply.NodeId}
			n.first = reply.First
		}
		st, err := n.zero.State(ctx)
		n.seeds = st.GetMembers()
		return err
	})
	if err != nil {
		return fmt.Errorf("joining the cluster: %w", err)
	}
	n.id, n.group = id, graph.GroupID(id.Group)
	n.lg = live.Number(n.lg.With("id", id.Node, "group", id.Group), "term", n.term.Load)
	return nil
}

func (n *Node) joinFile() string { return filepath.Join(n.cfg.Dir, "join") }

// joined forgets the number under which the node asked, now that its log says who it is: a node that loses its log must come
// back as another one.
func (n *Node) joined() error {
	if err := os.Remove(n.joinFile()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// nonce returns the number under which a new node asks for its id. It is kept in a file: a node that dies before it has made its
// log asks again under the same number, and gets the same id.
func nonce(path string) (uint64, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			return 0, err
		}
		text = []byte(hex.EncodeToString(b[:]))
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return 0, err
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(b) != 8 {
		return 0, fmt.Errorf("%s does not hold a number of 16 hexadecimal digits: remove it", path)
	}
	return binary.BigEndian.Uint64(b), nil
}

// address returns where another member of the group is reached: as the stream told or, before it did, as Zero said at the start.
func (n *Node) address(id uint64) (string, bool) {
	for _, list := range [][]*pb.Member{n.shard.Members(), n.seeds} {
		for _, m := range list {
			if m.Group == uint32(n.group) && m.Id == id {
				return m.Address, true
			}
		}
	}
	return "", false
}

// learnInterval is how often a node looks whether there are Zeros that it does not know.
const learnInterval = time.Second

// learnZeros tells the way to the Zeros of those that joined later: the ones that the node was started with may all be replaced.
func (n *Node) learnZeros(ctx context.Context) error {
	z, ok := n.zero.(interface{ Learn(address string) })
	if !ok {
		return nil
	}
	for sleep.For(ctx, learnInterval) == nil {
		for _, m := range n.membersOf(0) {
			z.Learn(m.Address)
		}
	}
	return ctx.Err()
}
