// Package graph is the vocabulary of the system: the identifiers that every other package speaks in.
//
// It holds names, not behaviour. A uid, a timestamp and an incarnation are all 64-bit numbers on the wire and on disk;
// inside the process they are different types, so that one cannot be handed over where another is meant.
package graph

import (
	"fmt"
	"strconv"
)

// UID identifies a node of the graph. The top SiteBits bits name the site that leased it (0 today), the rest count up.
// Zero is not a node: it stands for "none" and is refused in mutations.
type UID uint64

// SiteBits is how many of a UID's leading bits name the site that leased it.
const SiteBits = 12

// MaxUID is the largest UID that names a node. The value above it is reserved for constants in query variables
// (dql.md fact 58).
const MaxUID = UID(1<<64 - 2)

// String returns the client form: lower-case hex with 0x and no padding (dql.md fact 7).
func (u UID) String() string { return "0x" + strconv.FormatUint(uint64(u), 16) }

// Site returns the site that leased u.
func (u UID) Site() uint16 { return uint16(u >> (64 - SiteBits)) }

// AppendText appends the client form of u to dst.
func (u UID) AppendText(dst []byte) []byte {
	return strconv.AppendUint(append(dst, '0', 'x'), uint64(u), 16)
}

// Timestamp is a point in the single order of commits that Zero defines. Start and commit timestamps share one counter.
type Timestamp uint64

// MaxTimestamp is after every timestamp that Zero will ever draw.
const MaxTimestamp = Timestamp(1<<64 - 1)

// GroupID names a group of Alpha replicas. Group 0 is "not placed yet"; Zero's own Raft group has no GroupID.
type GroupID uint32

// MaxGroups bounds the groups of a cluster, and their numbers: each has a stream of Zero's of its own.
const MaxGroups = 1024

// NodeID is the Raft id of a process within its group. Ids are never reused.
type NodeID uint64

// Namespace separates tenants. Only namespace 0 exists today.
type Namespace uint64

// Predicate names an edge or attribute within a namespace. It is a map key; it is never spelled into one string.
type Predicate struct {
	Namespace Namespace
	Name      string
}

// Pred returns the predicate called name in the root namespace.
func Pred(name string) Predicate { return Predicate{Name: name} }

// String returns the name, with the namespace in front where it is not the root one.
func (p Predicate) String() string {
	if p.Namespace == 0 {
		return p.Name
	}
	return fmt.Sprintf("[%#x] %s", uint64(p.Namespace), p.Name)
}

// Compare orders predicates by namespace, then name.
func (p Predicate) Compare(q Predicate) int {
	switch {
	case p.Namespace < q.Namespace:
		return -1
	case p.Namespace > q.Namespace:
		return 1
	case p.Name < q.Name:
		return -1
	case p.Name > q.Name:
		return 1
	}
	return 0
}

// Incarnation identifies one physical copy of a tablet. It is the key prefix on disk and is never reused, so that what a
// drop or a move left behind cannot be taken for live data. Incarnation 0 is reserved for a replica's own records.
type Incarnation uint64

// Epoch counts the ownership and schema changes of one tablet. A write derived under an older epoch is refused at commit.
type Epoch uint64

// ConflictKey is a fingerprint of something a transaction wrote. Two transactions that overlap in time and share a
// ConflictKey cannot both commit (dql.md fact 124).
type ConflictKey uint64

// Reserved is the prefix of predicate and type names that belong to the system. It is recognised in any letter case.
const Reserved = "dgraph."
