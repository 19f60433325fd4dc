package oracle

// fifo is a queue over one slice; the space of what was popped is reclaimed when it is half of it.
type fifo[T any] struct {
	all  []T
	head int
}

func (f *fifo[T]) len() int   { return len(f.all) - f.head }
func (f *fifo[T]) peek() T    { return f.all[f.head] }
func (f *fifo[T]) items() []T { return f.all[f.head:] }
func (f *fifo[T]) push(v T)   { f.all = append(f.all, v) }

func (f *fifo[T]) pop() T {
	v := f.all[f.head]
	f.head++
	if f.head > 64 && f.head*2 > len(f.all) {
		f.all = append(f.all[:0:0], f.all[f.head:]...)
		f.head = 0
	}
	return v
}
