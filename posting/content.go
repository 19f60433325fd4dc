package posting

import (
	"encoding/binary"
	"fmt"
	"slices"

	"dragg/graph"
	"dragg/posting/uidset"
)

// element is one member of a list: a uid or the slot of a value, with its payload if it has one.
type element struct {
	id  uint64
	pay []byte
}

// content is an immutable set of elements. A single value, which is what most scalars are, is kept as its
// bytes alone.
type content struct {
	// one is the payload of the only element oneID, where that has one; then ids and pay are empty.
	one   []byte
	oneID uint64

	ids uidset.Set
	pay *payloads
}

// payloads are the payloads of the elements of a list: of all of them, or of those named by at.
type payloads struct {
	at   []graph.UID // nil: every element has one
	off  []uint32    // payload i is data[off[i]:off[i+1]]
	data []byte
}

func (p *payloads) get(i int) []byte {
	return p.data[p.off[i]:p.off[i+1]:p.off[i+1]]
}

func (c *content) len() int {
	if c.one != nil {
		return 1
	}
	return c.ids.Len()
}

// get returns the payload of id and whether id is there.
func (c *content) get(id uint64) (pay []byte, ok bool) {
	if c.one != nil {
		if id == c.oneID {
			return c.one, true
		}
		return nil, false
	}
	if c.pay == nil {
		return nil, c.ids.Contains(graph.UID(id))
	}
	if c.pay.at == nil {
		i := c.ids.Rank(graph.UID(id)) - 1
		if i < 0 || c.ids.At(i) != graph.UID(id) {
			return nil, false
		}
		return c.pay.get(i), true
	}
	if i, ok := slices.BinarySearch(c.pay.at, graph.UID(id)); ok {
		return c.pay.get(i), true
	}
	return nil, c.ids.Contains(graph.UID(id))
}

func (c *content) set() uidset.Set {
	if c.one != nil {
		return uidset.Of([]graph.UID{graph.UID(c.oneID)})
	}
	return c.ids
}

// each visits the elements in order.
func (c *content) each(fn func(element) bool) {
	if c.one != nil {
		fn(element{c.oneID, c.one})
		return
	}
	i, j := 0, 0
	for u := range c.ids.All() {
		e := element{id: uint64(u)}
		switch {
		case c.pay == nil:
		case c.pay.at == nil:
			e.pay = c.pay.get(i)
		case j < len(c.pay.at) && c.pay.at[j] == u:
			e.pay = c.pay.get(j)
			j++
		}
		if !fn(e) {
			return
		}
		i++
	}
}

// bytes returns roughly how much memory c holds.
func (c *content) bytes() int {
	n := len(c.one) + c.ids.Bytes()
	if c.pay != nil {
		n += 72 + 8*len(c.pay.at) + 4*len(c.pay.off) + len(c.pay.data)
	}
	return n
}

// payBytes returns how many bytes the payloads have.
func (c *content) payBytes() int {
	if c.pay != nil {
		return len(c.pay.data)
	}
	return len(c.one)
}

// contentOf makes a content of elements that ascend without duplicates. The payloads are copied.
func contentOf(elems []element) content {
	if len(elems) == 1 && elems[0].pay != nil {
		return content{one: slices.Clone(elems[0].pay), oneID: elems[0].id}
	}
	uids := make([]graph.UID, len(elems))
	withPay, size := 0, 0
	for i, e := range elems {
		uids[i] = graph.UID(e.id)
		if e.pay != nil {
			withPay, size = withPay+1, size+len(e.pay)
		}
	}
	c := content{ids: uidset.Of(uids)}
	if withPay == 0 {
		return c
	}
	p := &payloads{off: make([]uint32, 1, withPay+1), data: make([]byte, 0, size)}
	for _, e := range elems {
		if e.pay == nil {
			continue
		}
		p.data = append(p.data, e.pay...)
		p.off = append(p.off, uint32(len(p.data)))
		if withPay < len(elems) {
			p.at = append(p.at, graph.UID(e.id))
		}
	}
	c.pay = p
	return c
}

// The forms of the payload section of a record.
const (
	paysNone = iota // no element has one
	paysAll         // every element has one
	paysSome        // some elements have one
)

func (c *content) pays() int {
	switch {
	case c.one != nil:
		return paysAll
	case c.pay == nil:
		return paysNone
	case c.pay.at == nil:
		return paysAll
	}
	return paysSome
}

// appendContent appends the stored form: the set, then the payloads in the form that pays names.
func (c *content) appendBinary(dst []byte) []byte {
	if c.one != nil {
		dst = binary.AppendUvarint(append(dst, 1), c.oneID)
		return append(binary.AppendUvarint(dst, uint64(len(c.one))), c.one...)
	}
	dst = c.ids.AppendBinary(dst)
	if c.pay == nil {
		return dst
	}
	if c.pay.at != nil {
		dst = uidset.Of(c.pay.at).AppendBinary(dst)
	}
	for i := range len(c.pay.off) - 1 {
		p := c.pay.get(i)
		dst = append(binary.AppendUvarint(dst, uint64(len(p))), p...)
	}
	return dst
}

// decodeContent decodes the content at the start of b, copying what it keeps.
func decodeContent(b []byte, pays int) (c content, rest []byte, err error) {
	ids, b, err := uidset.Decode(b)
	if err != nil {
		return content{}, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	c = content{ids: ids}
	if pays == paysNone {
		return c, b, nil
	}
	n := ids.Len()
	var at uidset.Set
	if pays == paysSome {
		if at, b, err = uidset.Decode(b); err != nil {
			return content{}, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if n = at.Len(); n == 0 || uidset.AndNot(at, ids).Len() > 0 || n == ids.Len() {
			return content{}, nil, fmt.Errorf("%w: payloads do not match elements", ErrCorrupt)
		}
	}
	if n == 1 && pays == paysAll {
		pay, rest, err := cutPayload(b)
		if err != nil {
			return content{}, nil, err
		}
		return content{one: slices.Clone(pay), oneID: uint64(ids.Min())}, rest, nil
	}
	if n == 0 || n > len(b) {
		return content{}, nil, fmt.Errorf("%w: payload count", ErrCorrupt)
	}
	p := &payloads{off: make([]uint32, 1, n+1)}
	if pays == paysSome {
		p.at = at.Slice()
	}
	for range n {
		pay, tail, err := cutPayload(b)
		if err != nil {
			return content{}, nil, err
		}
		p.data, b = append(p.data, pay...), tail
		p.off = append(p.off, uint32(len(p.data)))
	}
	c.pay = p
	return c, b, nil
}

// cutPayload is cut for a payload, which is never empty.
func cutPayload(b []byte) (pay, rest []byte, err error) {
	pay, rest, err = cut(b)
	if err == nil && len(pay) == 0 {
		err = fmt.Errorf("%w: empty payload", ErrCorrupt)
	}
	return pay, rest, err
}
