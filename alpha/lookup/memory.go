package lookup

import (
	"dragg/graph"
	"dragg/graph/types"
	"dragg/internal/slab"
	"dragg/posting"
	"dragg/query/task"
)

// fewNodes is up to how many nodes of a task the answer is made of a Memory.
const fewNodes = 16

// Memory is what the answers of small batches are made of, and the room to find them in: each would be a small object of its own.
// The zero Memory is ready for use, by one Run at a time; all that was answered with it is valid until Reset.
type Memory struct {
	results slab.Slab[task.Result]
	offsets slab.Slab[uint32]
	values  slab.Slab[types.Value]
	view    posting.View
	runner  runner
}

// What a Memory keeps of a runner's scratch space.
const (
	keptBytes  = 8 << 10
	keptValues = 128
)

// Reset takes back all that was answered.
func (m *Memory) Reset() {
	m.results.Reset()
	m.offsets.Reset()
	m.values.Reset()
	r := runner{key: m.runner.key, next: m.runner.next, vals: m.runner.vals}
	if cap(r.key)+cap(r.next) > keptBytes {
		r.key, r.next = nil, nil
	}
	if cap(r.vals) > keptValues {
		r.vals = nil
	}
	clear(r.vals[:cap(r.vals)])
	m.runner = r
}

// View returns the view of a store for a Run with m, as posting.Store.View does. Close it before the next one.
func (m *Memory) View(s *posting.Store, readTs graph.Timestamp, own *posting.Pending) *posting.View {
	m.view.Open(s, readTs, own)
	return &m.view
}

// begin returns the runner of a batch, which the next one takes over.
func (m *Memory) begin(view *posting.View) *runner {
	m.runner = runner{view: view, mem: m, key: m.runner.key[:0], next: m.runner.next[:0], vals: m.runner.vals[:0]}
	return &m.runner
}

func (m *Memory) takeOffsets(n int) []uint32 {
	if n > fewNodes+1 {
		return make([]uint32, n)
	}
	return m.offsets.Take(n)
}

func (m *Memory) takeValues(n int) []types.Value {
	if n > fewNodes {
		return make([]types.Value, n)
	}
	return m.values.Take(n)
}
