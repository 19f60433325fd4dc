// Package slab hands out pieces of memory that are given back all at once.
//
// What a small query is made of, fields, plan nodes, levels, weighs more than what it finds. Made anew for every query it has to
// be cleared, collected and fetched from main memory; handed out again and again it stays in the processor's cache.
package slab

// Slab hands out elements of one type. The zero Slab is ready for use, by one goroutine at a time.
type Slab[T any] struct {
	piece []T // the newest memory, of which a part is handed out
	used  int
}

// What a slab begins with and what it keeps, in elements. A larger piece is the collector's.
const (
	least = 8
	most  = 128
)

// Take returns n zero elements, without room behind them. They are the caller's until Reset.
func (s *Slab[T]) Take(n int) []T {
	if n > len(s.piece)-s.used {
		s.piece, s.used = make([]T, max(n, least, min(2*len(s.piece), most))), 0 // the old one belongs to who has its elements
	}
	part := s.piece[s.used : s.used+n : s.used+n]
	s.used += n
	return part
}

// Reset takes back all that was handed out: who uses it afterwards changes what somebody else has.
func (s *Slab[T]) Reset() {
	clear(s.piece[:s.used])
	s.used = 0
	if len(s.piece) > most {
		s.piece = nil
	}
}
