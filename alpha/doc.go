// Package alpha is the data node: the client API over gRPC and HTTP, the life of transactions, and the wiring of a group's
// replica (alpha/shard over storage and raftgroup) to Zero.
//
// # A request
//
// Do carries every request of the client API: parse, draw a timestamp (or take the transaction's), wait for the verdicts below
// it, query, build and prewrite the mutations, and with commit-now ask Zero for the verdict. The same code serves gRPC, HTTP
// and calls within the process.
//
// # Owners
//
// Node.Run owns every goroutine: the Raft member, the follower of Zero's stream, the shard's maintenance, the reaper of idle
// transactions.
package alpha
