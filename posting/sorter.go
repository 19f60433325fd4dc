package posting

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
)

// posted says that the list of key holds an element. It is what an index build sorts.
type posted struct {
	key []byte
	id  uint64
	pay []byte
}

func comparePosted(a, b posted) int {
	return cmp.Or(bytes.Compare(a.key, b.key), cmp.Compare(a.id, b.id))
}

// sorter sorts more elements than fit into memory: sorted runs go to temporary files, which are merged at the end
// (Knuth, volume 3, section 5.4). One goroutine may use it; close must be called.
type sorter struct {
	dir   string
	limit int // bytes in memory
	list  []posted
	room  changes // for keys and payloads
	bytes int
	files []*os.File
}

// postedOverhead is what one element costs in memory besides key and payload.
const postedOverhead = 56

func (s *sorter) add(key []byte, id uint64, pay []byte) error {
	p := posted{id: id}
	p.key = s.room.taken(append(s.room.room(len(key)), key...))
	if pay != nil {
		p.pay = s.room.taken(append(s.room.room(len(pay)), pay...))
	}
	s.list = append(s.list, p)
	if s.bytes += postedOverhead + len(key) + len(pay); s.bytes < s.limit {
		return nil
	}
	return s.spill()
}

// spill writes what is in memory to a file, sorted.
func (s *sorter) spill() error {
	f, err := os.CreateTemp(s.dir, "build-*.run")
	if err != nil {
		return fmt.Errorf("index build: %w", err)
	}
	s.files = append(s.files, f)
	slices.SortFunc(s.list, comparePosted)
	w := bufio.NewWriterSize(f, 1<<18)
	var head [3 * binary.MaxVarintLen64]byte
	for _, p := range s.list {
		b := binary.AppendUvarint(head[:0], uint64(len(p.key)))
		b = binary.AppendUvarint(b, p.id)
		b = binary.AppendUvarint(b, uint64(len(p.pay)))
		for _, piece := range [][]byte{b, p.key, p.pay} {
			if _, err := w.Write(piece); err != nil {
				return fmt.Errorf("index build: %w", err)
			}
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("index build: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("index build: %w", err)
	}
	s.list, s.room, s.bytes = s.list[:0], changes{}, 0
	return nil
}

// close removes the temporary files.
func (s *sorter) close() error {
	var errs error
	for _, f := range s.files {
		errs = errors.Join(errs, f.Close(), os.Remove(f.Name()))
	}
	s.files = nil
	return errs
}

// all visits the elements in order. Keys and payloads are valid until the next one.
func (s *sorter) all() iter.Seq2[posted, error] {
	return func(yield func(posted, error) bool) {
		slices.SortFunc(s.list, comparePosted)
		h := runHeap{}
		if len(s.list) > 0 {
			h = append(h, &runReader{list: s.list})
		}
		for _, f := range s.files {
			h = append(h, &runReader{r: bufio.NewReaderSize(f, 1<<16)})
		}
		live := h[:0]
		for _, r := range h {
			ok, err := r.next()
			if err != nil {
				yield(posted{}, err)
				return
			}
			if ok {
				live = append(live, r)
			}
		}
		h = live
		heap.Init(&h)
		for len(h) > 0 {
			if !yield(h[0].cur, nil) {
				return
			}
			ok, err := h[0].next()
			switch {
			case err != nil:
				yield(posted{}, err)
				return
			case ok:
				heap.Fix(&h, 0)
			default:
				heap.Pop(&h)
			}
		}
	}
}

// runReader reads one sorted run, from memory or from a file.
type runReader struct {
	list []posted
	r    *bufio.Reader
	cur  posted
	buf  []byte
}

func (r *runReader) next() (bool, error) {
	if r.r == nil {
		if len(r.list) == 0 {
			return false, nil
		}
		r.cur, r.list = r.list[0], r.list[1:]
		return true, nil
	}
	var n [3]uint64
	for i := range n {
		var err error
		if n[i], err = binary.ReadUvarint(r.r); err != nil {
			if i == 0 && errors.Is(err, io.EOF) {
				return false, nil
			}
			return false, fmt.Errorf("index build: %w", err)
		}
	}
	size := int(n[0] + n[2])
	r.buf = slices.Grow(r.buf[:0], size)[:size]
	if _, err := io.ReadFull(r.r, r.buf); err != nil {
		return false, fmt.Errorf("index build: %w", err)
	}
	r.cur = posted{key: r.buf[:n[0]], id: n[1]}
	if n[2] > 0 {
		r.cur.pay = r.buf[n[0]:]
	}
	return true, nil
}

// runHeap orders runs by their current elements.
type runHeap []*runReader

func (h runHeap) Len() int           { return len(h) }
func (h runHeap) Less(i, j int) bool { return comparePosted(h[i].cur, h[j].cur) < 0 }
func (h runHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *runHeap) Push(x any)        { *h = append(*h, x.(*runReader)) }

func (h *runHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
