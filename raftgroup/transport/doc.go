// Package transport carries Raft messages and snapshots between the members of one group over gRPC.
//
// Links is the sending side: for each peer one bounded queue, one goroutine, one stream. It never blocks Raft: what does not
// fit, or meets a broken stream, is dropped and the peer reported as unreachable; Raft sends again. Server is the receiving
// side, for all groups that a process is a member of. Both check the cluster, the group and the receiver of every batch: a node
// that came back under another's address must not be taken for it.
//
// Snapshots do not travel in messages: a message carries a descriptor, and the receiver pulls the data it names with Fetch.
package transport
