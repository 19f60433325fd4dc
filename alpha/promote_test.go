package alpha

import (
	"testing"

	"dragg/internal/fault"
	"dragg/protos/pb"
)

// Leadership of this group is handed over, to voters of it only; others are told that this member does not lead theirs.
func TestPromote(t *testing.T) {
	n := plan{}.start(t)
	wait(t, "the node to lead", n.Leading)
	for _, c := range []struct {
		group uint32
		id    uint64
		class fault.Class
		fails bool
	}{
		{1, n.id.Node, 0, false}, // it leads already
		{1, 77, fault.NotFound, true},
		{2, n.id.Node, fault.Unavailable, true},
	} {
		_, err := (&peerService{n: n.Node}).Promote(t.Context(), &pb.PromoteRequest{Group: c.group, Id: c.id})
		if (err != nil) != c.fails || c.fails && fault.ClassOf(fault.FromPeer(err)) != c.class {
			t.Errorf("group %d, node %d: %v", c.group, c.id, err)
		}
	}
}

// A member that Raft elected and that cannot begin to lead, as for want of room on its disk, can give leadership up.
func TestPromoteFromOneThatCannotLead(t *testing.T) {
	n := plan{}.start(t)
	wait(t, "the node to lead", n.Leading)
	term := n.leading.Swap(0)
	defer n.leading.Store(term)
	if _, err := (&peerService{n: n.Node}).Promote(t.Context(), &pb.PromoteRequest{Group: 1, Id: n.id.Node}); err != nil {
		t.Error(err)
	}
}
