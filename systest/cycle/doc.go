// Package cycle checks from outside whether a history is strong snapshot isolation. It trusts no timestamp of the system under
// test: what came before what is inferred from the values that were read, from the order within a session, and from real time on
// the one clock of whoever recorded the history. It is the black box beside package history, which is the white one.
//
// Two kinds of data say enough: lists to which unique values are appended (a read shows the whole order of the versions before
// it), and registers to which unique values are written (the order is known where a writer had read, and from real time).
//
// The test: a history is snapshot isolation if and only if (ww U wr U session U realtime) ; rw? has no cycle. It is made on a
// graph with two nodes for a transaction. A dependency leads from either to the first node of the later transaction, an
// anti-dependency (rw) from the first node of the reader to the second node of the overwriter, and no rw leaves a second node: so no
// path takes two in a row. Every strongly connected component of that graph is a violation, and one of its shortest cycles is the
// witness. Write skew, two adjacent rw, passes and is counted. Time and memory grow with the operations and edges; realtime edges
// are reduced to the frontier of those that ended and are not yet covered, so no transaction has more of them than there are clients.
//
// Whoever failed has no node. Whoever's end is unknown has one if a committed transaction has read what it wrote; it may have
// committed long after its client gave up, so nothing comes after it in real time.
//
// What is not found: a version that nobody read, in a register that nobody read before writing, has no place in the order.
//
// Threading: pure functions; histories are read only.
//
// Sources: Cerone and Gotsman, "Analysing Snapshot Isolation" (the characterisation); Kingsbury and Alvaro, "Elle: Inferring
// Isolation Anomalies from Experimental Observations"; the anomalies are named after Adya and after Elle.
package cycle
