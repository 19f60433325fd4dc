package uidset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"dragg/graph"
)

// ErrCorrupt says that bytes are not the stored form of a set.
var ErrCorrupt = errors.New("uidset: corrupt set")

// The first byte of a stored set: up to maxPacked it is the number of packed members, then comes one of the
// forms.
const (
	maxPacked  = 64
	formPacked = 0xFE // uvarint count, then as below
	formBitmap = 0xFF // uvarint byte length, then the portable Roaring form
)

// maxStoredBytes bounds what FromBinary accepts, so that a length in a damaged record cannot ask for more.
const maxStoredBytes = 1 << 30

// AppendBinary appends the stored form of s to dst. It delimits itself. Equal sets have equal forms.
//
//	count ≤ 64:     | count (1) | first uvarint | gap−1 uvarint | gap−1 uvarint | …
//	sparse:         | 0xFE      | count uvarint | first uvarint | gap−1 uvarint | …
//	large, dense:   | 0xFF      | length uvarint | portable Roaring bitmap
func (s Set) AppendBinary(dst []byte) []byte {
	if s.n <= maxPacked {
		return s.appendPacked(append(dst, byte(s.n)))
	}
	if s.sparse() {
		return s.appendPacked(binary.AppendUvarint(append(dst, formPacked), uint64(s.n)))
	}
	b := s.bitmap
	if b == nil {
		b = roaring64.New()
		b.AddMany(raw(s.slice))
	} else {
		b = b.Clone() // RunOptimize changes it, and readers share it
	}
	b.RunOptimize()
	size := b.GetSerializedSizeInBytes()
	dst = binary.AppendUvarint(append(dst, formBitmap), size)
	w := appendWriter{dst}
	if _, err := b.WriteTo(&w); err != nil { // appendWriter does not fail
		return dst
	}
	return w.b
}

func (s Set) sparse() bool {
	if s.bitmap == nil {
		return sparse(s.slice)
	}
	return s.bitmap.Stats().Containers > uint64(s.n/minPerContainer)
}

func (s Set) appendPacked(dst []byte) []byte {
	prev, first := graph.UID(0), true
	for u := range s.All() {
		gap := u
		if !first {
			gap = u - prev - 1
		}
		dst = binary.AppendUvarint(dst, uint64(gap))
		prev, first = u, false
	}
	return dst
}

// FromBinary decodes what AppendBinary wrote; all of b belongs to it. The set does not refer to b.
// It returns ErrCorrupt for other bytes, and never panics.
func FromBinary(b []byte) (Set, error) {
	s, rest, err := Decode(b)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: %d bytes too many", ErrCorrupt, len(rest))
	}
	if err != nil {
		return Set{}, err
	}
	return s, nil
}

// Decode decodes the set at the start of b and returns what follows it. The set does not refer to b.
func Decode(b []byte) (s Set, rest []byte, err error) {
	if len(b) == 0 {
		return Set{}, nil, fmt.Errorf("%w: empty", ErrCorrupt)
	}
	form, b := b[0], b[1:]
	if form <= maxPacked {
		return decodePacked(b, uint64(form))
	}
	n, k := binary.Uvarint(b)
	if k <= 0 || n > maxStoredBytes || n > uint64(len(b)-k) {
		return Set{}, nil, fmt.Errorf("%w: length", ErrCorrupt)
	}
	b = b[k:]
	switch form {
	case formPacked:
		return decodePacked(b, n)
	case formBitmap:
		s, err := decodeBitmap(b[:n])
		return s, b[n:], err
	}
	return Set{}, nil, fmt.Errorf("%w: form %#x", ErrCorrupt, form)
}

func decodePacked(b []byte, n uint64) (Set, []byte, error) {
	if n > uint64(len(b)) {
		return Set{}, nil, fmt.Errorf("%w: count", ErrCorrupt)
	}
	out := make([]graph.UID, n)
	var prev uint64
	for i := range out {
		gap, k := binary.Uvarint(b)
		if k <= 0 {
			return Set{}, nil, fmt.Errorf("%w: number", ErrCorrupt)
		}
		b = b[k:]
		u := gap
		if i > 0 {
			u = prev + gap + 1
			if u <= prev {
				return Set{}, nil, fmt.Errorf("%w: order", ErrCorrupt)
			}
		}
		out[i], prev = graph.UID(u), u
	}
	return Of(out), b, nil
}

func decodeBitmap(b []byte) (Set, error) {
	// Every one of the 2^32-uid chunks takes at least 12 bytes; the library trusts the count.
	if len(b) < 8 || binary.LittleEndian.Uint64(b) > uint64(len(b)/12) {
		return Set{}, fmt.Errorf("%w: bitmap count", ErrCorrupt)
	}
	m := roaring64.New()
	n, err := m.ReadFrom(bytes.NewReader(b))
	if err != nil {
		return Set{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if n != int64(len(b)) {
		return Set{}, fmt.Errorf("%w: bitmap length", ErrCorrupt)
	}
	if err := m.Validate(); err != nil {
		return Set{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return ofBitmap(m), nil
}

// appendWriter is an io.Writer over a growing slice.
type appendWriter struct{ b []byte }

func (w *appendWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}
