package alpha

import "dragg/cluster/admin"

// Readiness says whether the node can do all that clients may ask of it, and if not, why.
func (n *Node) Readiness() admin.Readiness {
	r := admin.Readiness{}
	if !n.Ready() {
		r.Because("it is catching up with its log and with Zero since its start")
	}
	if n.raft.Status().Leader == 0 {
		r.Because("group %d has no leader that this node knows of: writes and strong reads wait for an election", n.group)
	}
	if err := n.fresh.check(); n.Ready() && err != nil {
		r.Because("%v", err)
	}
	if n.wasRemoved() {
		r.Because("node %d was removed from the cluster", n.id.Node)
	}
	if !n.door.TryRLock() {
		r.Because("it is stopping")
		return r
	}
	defer n.door.RUnlock() // the store is open
	if err := n.shard.Room(0); err != nil {
		r.Because("%v", err)
	}
	return r
}
