package wire

import (
	"dragg/graph"
	"dragg/graph/types"
	"dragg/internal/fault"
	"dragg/posting/uidset"
	"dragg/protos/pb"
	"dragg/query/task"
)

// FromTasks returns the messages for a batch.
func FromTasks(batch []task.Task) []*pb.Task {
	out := make([]*pb.Task, len(batch))
	for i := range batch {
		t := &batch[i]
		out[i] = &pb.Task{
			Kind: uint32(t.Kind), Namespace: uint64(t.Predicate.Namespace), Predicate: t.Predicate.Name, Reverse: t.Reverse,
			Src: fromUIDs(t.Src), AtRoot: t.AtRoot, Langs: t.Langs,
			Func:  &pb.TaskFunc{Name: string(t.Func.Name), Args: t.Func.Args, Count: t.Func.Count, Uids: fromUIDs(t.Func.UIDs)},
			First: int64(t.Page.First), Offset: int64(t.Page.Offset), After: uint64(t.Page.After),
			Best: fromBest(t.Best), Edges: fromBound(t.Room.Edges), Bytes: fromBound(t.Room.Bytes),
		}
		if t.Facets != nil {
			out[i].Facets = &pb.FacetSelection{All: t.Facets.All, Keys: t.Facets.Keys, Filter: fromFilter(t.Facets.Filter)}
		}
	}
	return out
}

func fromBest(b task.Best) *pb.TaskBest {
	if b == (task.Best{}) {
		return nil
	}
	return &pb.TaskBest{N: uint64(b.N), Desc: b.Desc, ByUid: b.ByUID}
}

func fromBound(b task.Bound) *pb.TaskBound {
	if b == (task.Bound{}) {
		return nil
	}
	return &pb.TaskBound{Limit: uint64(b.Limit), Used: uint64(b.Used)}
}

func toBound(m *pb.TaskBound) task.Bound {
	return task.Bound{Limit: int(m.GetLimit()), Used: int(m.GetUsed())}
}

// fromUIDs returns ascending uids without duplicates as a set.
func fromUIDs(uids []graph.UID) []byte {
	if len(uids) == 0 {
		return nil
	}
	return uidset.Of(uids).AppendBinary(nil)
}

func fromFilter(f *task.FacetFilter) *pb.FacetTree {
	if f == nil {
		return nil
	}
	m := &pb.FacetTree{Op: uint32(f.Op), Func: string(f.Func), Key: f.Key, Arg: f.Arg}
	for _, c := range f.Children {
		m.Children = append(m.Children, fromFilter(c))
	}
	return m
}

// ToTasks returns the batch that messages stand for.
func ToTasks(messages []*pb.Task) ([]task.Task, error) {
	out := make([]task.Task, len(messages))
	for i, m := range messages {
		t, err := toTask(m)
		if err != nil {
			return nil, fault.New(fault.Invalid, "task %d: %w", i, err)
		}
		out[i] = t
	}
	return out, nil
}

func toTask(m *pb.Task) (task.Task, error) {
	t := task.Task{
		Kind: task.Kind(m.GetKind()), Reverse: m.GetReverse(), AtRoot: m.GetAtRoot(), Langs: m.GetLangs(),
		Predicate: graph.Predicate{Namespace: graph.Namespace(m.GetNamespace()), Name: m.GetPredicate()},
		Func:      task.Func{Name: task.FuncName(m.GetFunc().GetName()), Args: m.GetFunc().GetArgs(), Count: m.GetFunc().GetCount()},
		Page:      task.Page{First: int(m.GetFirst()), Offset: int(m.GetOffset()), After: graph.UID(m.GetAfter())},
		Best:      task.Best{N: int(m.GetBest().GetN()), Desc: m.GetBest().GetDesc(), ByUID: m.GetBest().GetByUid()},
		Room:      task.Room{Edges: toBound(m.GetEdges()), Bytes: toBound(m.GetBytes())},
	}
	if m.GetKind() < uint32(task.Edges) || m.GetKind() > uint32(task.Match) {
		return t, fault.New(fault.Invalid, "a task of kind %d", m.GetKind())
	}
	var err error
	if t.Src, err = toUIDs(m.GetSrc()); err != nil {
		return t, err
	}
	if t.Func.UIDs, err = toUIDs(m.GetFunc().GetUids()); err != nil {
		return t, err
	}
	if f := m.GetFacets(); f != nil {
		t.Facets = &task.Facets{All: f.All, Keys: f.Keys}
		t.Facets.Filter, err = toFilter(f.Filter, 0)
	}
	return t, err
}

func toUIDs(b []byte) ([]graph.UID, error) {
	set, err := toSet(b)
	if err != nil || set.Len() == 0 {
		return nil, err
	}
	return set.AppendTo(make([]graph.UID, 0, set.Len())), nil
}

func toSet(b []byte) (uidset.Set, error) {
	if len(b) == 0 {
		return uidset.Set{}, nil
	}
	return uidset.FromBinary(b)
}

// maxFilterDepth bounds the nesting of a facet filter; the language allows less.
const maxFilterDepth = 1000

func toFilter(m *pb.FacetTree, depth int) (*task.FacetFilter, error) {
	if m == nil {
		return nil, nil
	}
	if m.Op > uint32(task.Not) || depth > maxFilterDepth {
		return nil, fault.New(fault.Invalid, "a facet filter with operator %d at depth %d", m.Op, depth)
	}
	f := &task.FacetFilter{Op: task.FilterOp(m.Op), Func: task.FuncName(m.Func), Key: m.Key, Arg: m.Arg}
	for _, c := range m.Children {
		child, err := toFilter(c, depth+1)
		if err != nil {
			return nil, err
		}
		f.Children = append(f.Children, child)
	}
	return f, nil
}

// FromResults returns the messages for the answers to a batch.
func FromResults(results []task.Result) []*pb.TaskResult {
	out := make([]*pb.TaskResult, len(results))
	for i := range results {
		r := &results[i]
		m := &pb.TaskResult{
			Offsets: r.Offsets, Langs: r.Langs, HasLangs: r.Langs != nil, HasFacets: r.Facets != nil, Counts: r.Counts,
			Lists: int64(r.Lists), CacheHits: int64(r.CacheHits),
		}
		for _, u := range r.Targets {
			m.Targets = append(m.Targets, uint64(u))
		}
		for _, v := range r.Values {
			m.ValueTypes = append(m.ValueTypes, byte(v.Type()))
			m.Values = append(m.Values, types.AppendBinary(nil, v))
		}
		for _, row := range r.Facets {
			facets := &pb.FacetRow{}
			for _, f := range row {
				facets.Facets = append(facets.Facets, &pb.Facet{Key: f.Key, Value: fromValue(f.Value)})
			}
			m.Facets = append(m.Facets, facets)
		}
		if r.Set.Len() > 0 {
			m.Set = r.Set.AppendBinary(nil)
		}
		out[i] = m
	}
	return out
}

// ToResults returns the answers that messages stand for.
func ToResults(messages []*pb.TaskResult) ([]task.Result, error) {
	out := make([]task.Result, len(messages))
	for i, m := range messages {
		r, err := toResult(m)
		if err != nil {
			return nil, fault.New(fault.Internal, "answer %d of another node: %w", i, err)
		}
		out[i] = r
	}
	return out, nil
}

func toResult(m *pb.TaskResult) (task.Result, error) {
	r := task.Result{Offsets: m.GetOffsets(), Counts: m.GetCounts(), Lists: int(m.GetLists()), CacheHits: int(m.GetCacheHits())}
	if len(m.GetValueTypes()) != len(m.GetValues()) {
		return r, fault.New(fault.Invalid, "%d types for %d values", len(m.GetValueTypes()), len(m.GetValues()))
	}
	for _, u := range m.GetTargets() {
		r.Targets = append(r.Targets, graph.UID(u))
	}
	for i, b := range m.GetValues() {
		v, err := types.Decode(types.ID(m.ValueTypes[i]), b)
		if err != nil {
			return r, err
		}
		r.Values = append(r.Values, v)
	}
	if m.GetHasLangs() {
		r.Langs = append(make([]string, 0, len(m.Langs)), m.Langs...)
	}
	if m.GetHasFacets() {
		r.Facets = make([][]graph.Facet, len(m.Facets))
		for i, row := range m.Facets {
			for _, f := range row.GetFacets() {
				v, err := toValue(f.GetValue())
				if err != nil {
					return r, err
				}
				r.Facets[i] = append(r.Facets[i], graph.Facet{Key: f.GetKey(), Value: v})
			}
		}
	}
	var err error
	r.Set, err = toSet(m.GetSet())
	if err == nil {
		err = checkRows(&r)
	}
	return r, err
}

// checkRows checks that the columns fit one another: whoever reads them does not look.
func checkRows(r *task.Result) error {
	if len(r.Offsets) == 0 {
		return nil
	}
	last := uint32(0)
	for _, o := range r.Offsets {
		if o < last {
			return fault.New(fault.Invalid, "rows do not ascend")
		}
		last = o
	}
	for _, n := range []int{len(r.Targets), len(r.Values), len(r.Langs), len(r.Facets)} {
		if n != 0 && n != int(last) {
			return fault.New(fault.Invalid, "a column of %d elements where rows end at %d", n, last)
		}
	}
	return nil
}
