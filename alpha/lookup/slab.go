package lookup

import (
	"dragg/graph/types"
	"dragg/query/task"
)

// fewNodes is up to how many nodes of a task the answer shares its memory with others.
const fewNodes = 16

// slabs are what the answers of a batch about few nodes are cut from: each would be a small object of its own.
type slabs struct {
	offsets []uint32
	values  []types.Value
}

// newSlabs makes as much as the batch may need.
func newSlabs(batch []task.Task) slabs {
	offsets, values := 0, 0
	for i := range batch {
		n := len(batch[i].Src)
		if n > fewNodes {
			continue
		}
		switch batch[i].Kind {
		case task.Edges:
			offsets += n + 1
		case task.Values:
			offsets, values = offsets+n+1, values+n
		}
	}
	return slabs{make([]uint32, offsets), make([]types.Value, values)}
}

// take cuts n elements off the front of a slab, which are made where it has not as many.
func take[T any](slab *[]T, n int) []T {
	if n > len(*slab) {
		return make([]T, n)
	}
	part := (*slab)[:n:n]
	*slab = (*slab)[n:]
	return part
}
