package lookup

import (
	"fmt"
	"slices"

	"dragg/graph"
	"dragg/posting"
	"dragg/posting/keys"
)

// How many lists are looked for at once. The first batch is small: whoever wants a page only may have it then.
const (
	leastBatch = 4
	firstBatch = 32
)

// frontier reads the lists of nodes one after the other, and looks for those of several at once. One at a time may be in use of a
// runner.
type frontier struct {
	r       *runner
	p       Tablet
	reverse bool
	nodes   []graph.UID
	batch   *posting.Batch
	from    int // what of the nodes the batch begins with
	to      int // where it ends
}

// rows returns the lists of nodes: their values, their edges, or with reverse the edges that point at them.
func (r *runner) rows(p Tablet, reverse bool, nodes []graph.UID) frontier {
	return frontier{r: r, p: p, reverse: reverse, nodes: nodes}
}

// list returns the list of the i-th node. i never decreases.
func (f *frontier) list(i int) (posting.List, error) {
	if i >= f.to {
		if err := f.look(i); err != nil {
			return posting.List{}, f.failed(i, err)
		}
	}
	if f.batch == nil {
		return f.r.row(f.p, f.reverse, f.nodes[i])
	}
	l, err := f.batch.List(i - f.from)
	if err != nil {
		return posting.List{}, f.failed(i, err)
	}
	return l, nil
}

func (f *frontier) failed(i int, err error) error {
	return fmt.Errorf("read %s of %s: %w", f.p.Name, f.nodes[i], err)
}

// look makes the batch that begins with the i-th node; none where few are left.
func (f *frontier) look(i int) error {
	most := posting.BatchLists
	if f.to == 0 {
		most = firstBatch
	}
	f.from, f.to, f.batch = i, min(i+most, len(f.nodes)), nil
	if f.to-f.from < leastBatch {
		return nil
	}
	b := f.r.next[:0]
	size := 0
	for _, uid := range f.nodes[f.from:f.to] {
		if f.reverse {
			b = keys.AppendReverse(b, f.p.Incarnation, uid)
		} else {
			b = keys.AppendData(b, f.p.Incarnation, uid)
		}
		if size == 0 {
			size = len(b)
			b = slices.Grow(b, size*(f.to-f.from-1))
		}
	}
	f.r.next = b
	var err error
	f.batch, err = f.r.view.Batch(b, size)
	return err
}
