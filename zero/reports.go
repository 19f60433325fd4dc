package zero

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"dragg/protos/pb"
)

// reportLife is how long what a group's leader told is taken for true.
const reportLife = 15 * time.Second

// reports is what the leaders of the groups told of late. It is not replicated: a new leader of Zero hears of it within seconds.
type reports struct {
	groups map[uint32]groupReport
	loads  map[uint64]load       // by incarnation
	moves  map[uint64]moveReport // by move
}

type groupReport struct {
	*pb.GroupReport
	at time.Time
}

type moveReport struct {
	*pb.MoveProgress
	at time.Time
}

// load is a tablet's load, and who told it when.
type load struct {
	*pb.TabletLoad
	leader uint64
	at     time.Time
}

const (
	// averaged is over how many reports the load is averaged: of one every four seconds, the last minute or so counts.
	averaged = 10
	// leastReportPause is the pause between two reports that is long enough to tell a load.
	leastReportPause = time.Second
)

// next returns the load after another report. Each leader counts from when it began.
func (l load) next(t *pb.TabletLoad, leader uint64, now time.Time) load {
	n := load{proto.CloneOf(t), leader, now}
	n.Rate, n.Reports = l.GetRate(), l.GetReports()
	since, sum, before := now.Sub(l.at), t.Reads+t.Writes, l.GetReads()+l.GetWrites()
	if l.TabletLoad == nil || leader != l.leader || sum < before || since < leastReportPause {
		return n
	}
	n.Reports = min(n.Reports+1, averaged)
	n.Rate += (float64(sum-before)/since.Seconds() - n.Rate) / float64(n.Reports)
	return n
}

func newReports() reports {
	return reports{groups: map[uint32]groupReport{}, loads: map[uint64]load{}, moves: map[uint64]moveReport{}}
}

// Report implements cluster.Feed.
func (s *Server) Report(_ context.Context, r *pb.GroupReport) error {
	if !s.Leading() {
		return errNoLeader
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaders[r.Group] = r.Leader
	s.reports.add(r, time.Now())
	return nil
}

func (p *reports) add(r *pb.GroupReport, now time.Time) {
	p.groups[r.Group] = groupReport{r, now}
	for _, t := range r.Tablets {
		p.loads[t.Incarnation] = p.loads[t.Incarnation].next(t, r.Leader, now)
	}
	for _, m := range r.Moves {
		p.moves[m.Id] = moveReport{m, now}
	}
	maps.DeleteFunc(p.loads, func(_ uint64, l load) bool { return now.Sub(l.at) > reportLife })
	maps.DeleteFunc(p.moves, func(_ uint64, m moveReport) bool { return now.Sub(m.at) > maxSilence })
}

func (p *reports) heardOf(move uint64) time.Time { return p.moves[move].at }

// describe adds to the state what is known of late. zeros are those that the leading Zero does not hear.
func (p *reports) describe(st *pb.ZeroState, zeros []uint64, now time.Time) {
	for _, id := range slices.Sorted(maps.Keys(p.loads)) {
		st.Loads = append(st.Loads, p.loads[id].TabletLoad)
	}
	for _, id := range slices.Sorted(maps.Keys(p.moves)) {
		st.Progress = append(st.Progress, p.moves[id].MoveProgress)
	}
	for _, m := range st.Members {
		if m.Group == 0 {
			if slices.Contains(zeros, m.Id) {
				st.Silent = append(st.Silent, m)
			}
			continue
		}
		r, ok := p.groups[m.Group]
		if !ok || now.Sub(r.at) > reportLife || slices.Contains(r.Silent, m.Id) {
			st.Silent = append(st.Silent, m)
		}
	}
	slices.SortFunc(st.Silent, func(a, b *pb.Member) int { return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Id, b.Id)) })
}

// leads reports whether a node that was said to lead a group is one of it still, and was heard of since it said so.
func (p *reports) leads(st *pb.ZeroState, group uint32, id uint64, now time.Time) bool {
	if r, ok := p.groups[group]; ok && now.Sub(r.at) > reportLife {
		return false
	}
	return slices.ContainsFunc(st.Members, func(m *pb.Member) bool { return m.Group == group && m.Id == id })
}

// silentZeros returns the Zeros that this one, which leads them, does not hear.
func (s *Server) silentZeros() (ids []uint64) {
	for _, p := range s.group.Status().Progress {
		if !p.Active && p.ID != s.id.Node {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// heardOf returns when the leader last heard of a move.
func (s *Server) heardOf(move uint64) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reports.heardOf(move)
}
