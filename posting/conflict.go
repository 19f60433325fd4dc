package posting

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"dragg/graph"
)

// conflicts makes the conflict keys of one predicate (dql.md fact 124). A conflict key is a fingerprint of
// the namespace, the predicate and what was written, without the incarnation, so that moving a tablet keeps
// it.
//
//	scalar value, single edge:   uid                two writes of one node meet, whatever the language
//	value or edge of a list:     uid, element       two writes of the same value or edge meet
//	list with a lossy index:     uid, token         a removal meets every change of a value that shares the token
//	@upsert, @unique:            token              two nodes that take or leave one value meet
//	@noconflict:                 none
//
// @count adds none: counts are derived in log order at commit.
type conflicts struct {
	off  bool
	base xxhash.Digest
}

// What a conflict key is about; hashed into it.
const (
	onSubject byte = iota + 1
	onElement
	onSubjectToken
	onToken
)

func newConflicts(p graph.Predicate, off bool) conflicts {
	c := conflicts{off: off}
	c.base.Reset()
	var b [8]byte
	c.write(&c.base, binary.BigEndian.AppendUint64(b[:0], uint64(p.Namespace)))
	c.write(&c.base, binary.BigEndian.AppendUint64(b[:0], uint64(len(p.Name))))
	c.write(&c.base, []byte(p.Name))
	return c
}

func (c *conflicts) write(d *xxhash.Digest, b []byte) {
	_, _ = d.Write(b) // a Digest does not fail
}

func (c *conflicts) key(what byte, uid graph.UID, element uint64, tokenKey []byte) graph.ConflictKey {
	d := c.base
	var b [17]byte
	b[0] = what
	binary.BigEndian.PutUint64(b[1:], uint64(uid))
	binary.BigEndian.PutUint64(b[9:], element)
	c.write(&d, b[:])
	c.write(&d, tokenKey)
	return graph.ConflictKey(d.Sum64())
}
