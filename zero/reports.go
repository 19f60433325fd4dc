package zero

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

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

// load is a tablet's load, and how much of it comes between two reports, averaged over the last ones.
type load struct {
	*pb.TabletLoad
	at     time.Time
	recent float64
}

// newest is the weight of the newest report in the average: of reports every four seconds, a minute or so counts.
const newest = 0.1

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
		next := load{TabletLoad: t, at: now}
		before, ok := p.loads[t.Incarnation]
		if sum := t.Reads + t.Writes; ok && sum >= before.Reads+before.Writes { // else another leader counts
			next.recent = before.recent*(1-newest) + newest*float64(sum-before.Reads-before.Writes)
		} else if ok {
			next.recent = before.recent
		}
		p.loads[t.Incarnation] = next
	}
	for _, m := range r.Moves {
		p.moves[m.Id] = moveReport{m, now}
	}
	maps.DeleteFunc(p.loads, func(_ uint64, l load) bool { return now.Sub(l.at) > reportLife })
	maps.DeleteFunc(p.moves, func(_ uint64, m moveReport) bool { return now.Sub(m.at) > maxSilence })
}

func (p *reports) heardOf(move uint64) time.Time { return p.moves[move].at }

// describe adds to the state what is known of late.
func (p *reports) describe(st *pb.ZeroState, now time.Time) {
	for _, id := range slices.Sorted(maps.Keys(p.loads)) {
		st.Loads = append(st.Loads, p.loads[id].TabletLoad)
	}
	for _, id := range slices.Sorted(maps.Keys(p.moves)) {
		st.Progress = append(st.Progress, p.moves[id].MoveProgress)
	}
	for _, m := range st.Members {
		if m.Group == 0 {
			continue
		}
		r, ok := p.groups[m.Group]
		if !ok || now.Sub(r.at) > reportLife || slices.Contains(r.Silent, m.Id) {
			st.Silent = append(st.Silent, m)
		}
	}
	slices.SortFunc(st.Silent, func(a, b *pb.Member) int { return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Id, b.Id)) })
}

// recent returns how much a tablet is used between two reports.
func (p *reports) recent(inc uint64) uint64 { return uint64(p.loads[inc].recent) }

// bytes returns the size of a tablet, as far as it is known.
func (p *reports) bytes(inc uint64) int64 { return p.loads[inc].GetBytes() }

// heardOf returns when the leader last heard of a move.
func (s *Server) heardOf(move uint64) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reports.heardOf(move)
}
