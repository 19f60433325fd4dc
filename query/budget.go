package query

import "sync/atomic"

// Budget is memory that queries running at the same time share. It may be used concurrently.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// NewBudget returns a budget of so many bytes.
func NewBudget(bytes int64) *Budget { return &Budget{limit: bytes} }

// Used returns how many bytes queries hold now.
func (b *Budget) Used() int64 { return b.used.Load() }

// take reports whether there was room for n more bytes, and takes them. A nil budget has room for everything.
func (b *Budget) take(n int) bool {
	if b == nil {
		return true
	}
	if b.used.Add(int64(n)) > b.limit {
		b.used.Add(int64(-n))
		return false
	}
	return true
}

func (b *Budget) give(n int) {
	if b != nil {
		b.used.Add(int64(-n))
	}
}

// exceeded says that there was no room.
func (b *Budget) exceeded() error {
	return &LimitError{What: "bytes of memory for all queries together", Limit: int(b.limit)}
}
