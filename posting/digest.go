package posting

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"dragg/posting/keys"
	"dragg/storage"
)

// Digest is a checksum over changes of lists, whatever their order and whatever tablet copy they are of: how many there are, and
// the sum modulo 2^128 of their hashes (Bellare and Micciancio, "A New Paradigm for Collision-free Hashing", 1997). So what two
// copies hold is compared piece by piece, and pieces add up. The zero Digest is of nothing.
type Digest struct {
	Changes   uint64
	High, Low uint64
}

// Add adds a change.
func (d *Digest) Add(op storage.Op) {
	b := make([]byte, 0, 64+len(op.Key)+len(op.Value))
	b = binary.BigEndian.AppendUint64(b, uint64(op.Ts))
	var flags byte
	if op.Complete {
		flags |= 1
	}
	if op.Delete {
		flags |= 2
	}
	key := keys.InCopy(op.Key)
	b = binary.AppendUvarint(append(b, flags), uint64(len(key)))
	sum := sha256.Sum256(append(append(b, key...), op.Value...))
	d.add(1, binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:]))
}

// Plus adds what e is of.
func (d *Digest) Plus(e Digest) { d.add(e.Changes, e.High, e.Low) }

func (d *Digest) add(changes, high, low uint64) {
	var carry uint64
	d.Low, carry = bits.Add64(d.Low, low, 0)
	d.High, _ = bits.Add64(d.High, high, carry)
	d.Changes += changes
}
