// Package posting is the data of a tablet: posting lists, what changes them, and what is derived from them.
//
// A posting list is what one key holds: the targets of a uid predicate, the values of a scalar one, the
// subjects of an index token. Its elements are 64-bit numbers in order, a uid or the slot of a value; an
// element may carry a payload, the value or the facets of an edge. A plain edge carries none and costs its
// place in a [uidset.Set].
//
// On disk (docs/format/posting.md) a version of a key is either whole, and makes older versions irrelevant,
// or the changes of one commit. The reader folds changes onto the whole version below them; a rollup in the
// background writes the result back as a new whole version, split into parts where it is large.
//
//   - [Store] holds the lists of a replica: an engine and a cache of decoded lists that commits update in place.
//   - [View] is a snapshot of the store at a read timestamp, with a transaction's own [Pending] changes on top.
//   - [List] is one list as a view sees it.
//   - [Derive] turns edges into pending changes of data, reverse and index keys, and names the conflict keys.
//   - [Committer] stores pending changes at their commit timestamp and derives @count keys, in log order.
//   - [Store.BuildIndex] derives keys for data that is there already.
//
// It is not a transaction manager: who may commit, at which timestamp and when a reader may start is decided
// elsewhere.
//
// Invariants. A reader at R begins only after every commit at or below R was flushed. Commits of one key
// reach the store in ascending timestamp order, or are replays. No reader is below [Store.SetDiscardTs].
// Rollups never pass [Config].OldestReader, and change no answer. An index or reverse key holds a uid exactly
// when the data of that uid, at the same timestamp, calls for it.
//
// Threading. Store, Pending, List and uid sets may be shared; lists and pendings are immutable. A View, an
// iterator, a Committer belong to one goroutine each. Lock order: cache shard, then entry; neither is held
// during disk access.
//
// Sources: the design of base plus deltas is Dgraph's (Jain, "Dgraph: Synchronously Replicated, Transactional
// and Distributed Graph Database", section 2); runs that merge by doubling are a log-structured merge tree
// (O'Neil et al. 1996) in memory.
package posting
