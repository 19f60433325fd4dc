package zero

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"dragg/cluster/admin"
	"dragg/internal/metrics"
	"dragg/protos/pb"
	"dragg/storage/room"
)

// meters are what a Zero counts while it leads.
type meters struct {
	commits atomic.Int64
	aborts  [8]atomic.Int64 // by pb.AbortReason
}

// note counts a verdict.
func (m *meters) note(r *pb.CommitReply) {
	if r.CommitTs != 0 {
		m.commits.Add(1)
		return
	}
	m.aborts[int(r.Reason)%len(m.aborts)].Add(1)
}

// metrics returns what this Zero shows beside what its Raft group does.
func (s *Server) metrics() *metrics.Set {
	m := metrics.NewSet(nil)
	m.Gauge("dragg_ready", "Whether this Zero is ready: see /ready.", func() float64 {
		r := s.Readiness()
		return metrics.Bool(r.Ready())
	})
	m.Gauge("dragg_zero_leading", "Whether this Zero leads and serves.", func() float64 { return metrics.Bool(s.Leading()) })
	s.showVerdicts(m)
	s.showBounds(m)
	s.showPlacement(m)
	s.showMoves(m)
	m.Gauge("dragg_disk_reserve_bytes", "Room on the disk that must be free for this Zero to be ready.", func() float64 {
		return float64(s.cfg.DiskReserveBytes)
	})
	metrics.Gauges(m, func() (int64, error) { return room.Free(s.cfg.Dir) },
		metrics.Of("dragg_disk_free_bytes", "Room on the disk of the data.", func(n int64) int64 { return n }))
	return m
}

func (s *Server) showVerdicts(m *metrics.Set) {
	m.Counter("dragg_zero_commits_total", "Transactions that this Zero committed as the leader.", func() float64 {
		return float64(s.meters.commits.Load())
	})
	m.Counters("dragg_zero_aborts_total", "Transactions that this Zero aborted as the leader, by reason.", []string{"reason"},
		func(emit metrics.Emit) {
			for reason := range pb.AbortReason_name {
				if r := pb.AbortReason(reason); r != pb.AbortReason_NOT_ABORTED {
					emit(float64(s.meters.aborts[r].Load()), strings.ToLower(r.String()))
				}
			}
		})
	m.Gauge("dragg_zero_verdicts_pending", "Transactions that wait to be put into a log entry.", func() float64 {
		return float64(len(s.commits))
	})
}

// showBounds adds how far timestamps and uids are given out.
func (s *Server) showBounds(m *metrics.Set) {
	type bounds struct{ ts, uid, decided uint64 }
	metrics.Gauges(m, func() (bounds, error) {
		ts, uid, decided := s.machine.Bounds()
		return bounds{uint64(ts), uint64(uid), uint64(decided)}, nil
	},
		metrics.Of("dragg_zero_timestamps_leased", "Timestamps below it may have been given out.", func(b bounds) uint64 { return b.ts }),
		metrics.Of("dragg_zero_uids_leased", "Uids below it are leased.", func(b bounds) uint64 { return b.uid }),
		metrics.Of("dragg_zero_decided_timestamp", "Commit timestamps up to it are decided.", func(b bounds) uint64 { return b.decided }),
	)
}

// showPlacement adds what each group has, and how far it is behind the stream.
func (s *Server) showPlacement(m *metrics.Set) {
	m.Gauges("dragg_zero_stream_backlog_events", "Events of a group's stream that the group has not acknowledged.", []string{"group"},
		func(emit metrics.Emit) {
			for group, n := range s.machine.Backlog() {
				emit(float64(n), strconv.Itoa(int(group)))
			}
		})
	m.Gauges("dragg_zero_nodes", "Nodes of a group; group 0 is the Zeros.", []string{"group"}, func(emit metrics.Emit) {
		nodes := map[uint32]int{}
		for _, n := range s.machine.Members() {
			nodes[n.Group]++
		}
		eachGroup(nodes, emit)
	})
	m.Gauges("dragg_zero_tablets", "Tablets of a group.", []string{"group"}, func(emit metrics.Emit) {
		tablets := map[uint32]int{}
		for _, t := range s.machine.State().Tablets {
			tablets[t.Group]++
		}
		eachGroup(tablets, emit)
	})
}

// showMoves adds the moves of tablets: what is replicated, so that every Zero shows the same, also after a restart.
func (s *Server) showMoves(m *metrics.Set) {
	m.Gauges("dragg_zero_tablets_moving", "Tablets on their way to another group, by phase.", []string{"phase"}, func(emit metrics.Emit) {
		phases := map[bool]int{}
		for _, t := range s.machine.Moving() {
			phases[t.Move.Fence != 0]++
		}
		emit(float64(phases[false]), "copy")
		emit(float64(phases[true]), "fenced")
	})
	m.Gauge("dragg_zero_oldest_move_seconds", "For how long the oldest move has gone on; 0 where none does.", func() float64 {
		oldest := time.Duration(0)
		for _, t := range s.machine.Moving() {
			oldest = max(oldest, time.Since(time.UnixMilli(t.Move.BeganMs)))
		}
		return oldest.Seconds()
	})
	m.Counter("dragg_zero_moves_begun_total", "Moves of tablets that were begun.", func() float64 {
		begun, _ := s.machine.MoveCounts()
		return float64(begun)
	})
	m.Counters("dragg_zero_moves_ended_total", "Moves of tablets that are over, by how they ended.", []string{"outcome"}, s.endedMoves)
}

func (s *Server) endedMoves(emit metrics.Emit) {
	_, ended := s.machine.MoveCounts()
	for o := range pb.MoveOutcome_name {
		n := uint64(0)
		if int(o) < len(ended) {
			n = ended[o]
		}
		if outcome := pb.MoveOutcome(o); outcome != pb.MoveOutcome_ENDED_NOT {
			emit(float64(n), admin.OutcomeName(outcome))
		}
	}
}

func eachGroup(counts map[uint32]int, emit metrics.Emit) {
	for group, n := range counts {
		emit(float64(n), strconv.FormatUint(uint64(group), 10))
	}
}
