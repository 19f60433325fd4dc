// Package alpha is the data node: the client API over gRPC and HTTP, the life of transactions, and the wiring of a group's
// replica (alpha/shard over storage and raftgroup) to Zero.
//
// # A request
//
// Do carries every request of the client API: parse, draw a timestamp (or take the transaction's), wait for the verdicts below
// it, query, build and prewrite the mutations, and with commit-now ask Zero for the verdict. The same code serves gRPC, HTTP
// and calls within the process.
//
// # Groups
//
// A node is a member of one group. Reads of its own group it answers from its own replica, others it asks of any of their members
// (router.go); writes go to the leader of each group (write.go, peer.go). The member that leads its group has duties (lead.go):
// it follows Zero's stream into the group's log, reaps idle transactions, and makes the members of the Raft group those that Zero
// says. They begin when everything of earlier terms is applied, and end with the term. A new node asks Zero for its id and group
// and waits to be added (join.go).
//
// # Owners
//
// Node.Run owns every goroutine: the Raft member and its links, the leader's duties, the shard's maintenance. A node that stops
// hands leadership over first, where there is somebody to take it.
package alpha
