package state

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"dragg/protos/pb"
	"dragg/raftgroup/fsm"
	"dragg/raftgroup/fsm/fsmtest"
	"dragg/zero/oracle"
)

// small limits make the oracle forget within a short log.
var small = oracle.Limits{Keys: 40, Outcomes: 60}

func open(t *testing.T, dir string) *Machine {
	t.Helper()
	m, err := Open(dir, small)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func encode(t testing.TB, e *pb.ZeroEntry) []byte {
	t.Helper()
	b, err := proto.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// describe returns the whole state as the snapshot file holds it.
func describe(t *testing.T, m *Machine) []byte {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	b, err := encodeSnapshot(m.s.save())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// randomLog is what a busy leader might write: every kind of entry, sensible ones and ones that are refused.
func randomLog(t *testing.T, rng *rand.Rand, n int) [][]byte {
	ts := uint64(0)
	tick := func() uint64 { ts++; return ts }
	predicate := func() string { return fmt.Sprintf("p%d", rng.IntN(4)) }
	log := [][]byte{
		encode(t, &pb.ZeroEntry{Bootstrap: &pb.Bootstrap{ClusterId: "c"}}),
		encode(t, &pb.ZeroEntry{Term: &pb.Term{TsBound: 100}}),
		encode(t, &pb.ZeroEntry{Join: &pb.Join{Address: "a:1"}}),
	}
	for len(log) < n {
		e := &pb.ZeroEntry{}
		switch rng.IntN(24) {
		case 23:
			e.JoinZero = &pb.Member{Id: rng.Uint64N(5), Address: []string{"", "z:1", "z:2", "z:3"}[rng.IntN(4)]}
		case 21:
			e.Drain = &pb.Drain{Id: rng.Uint64N(4), Group: uint32(rng.IntN(3)), Draining: rng.IntN(2) == 0}
		case 22:
			e.Policy = &pb.RebalancePolicy{Off: rng.IntN(2) == 0, IntervalMs: rng.Uint64N(100)}
		case 17, 18, 19, 20:
			e.Move = randomStep(rng, tick())
		case 16:
			e.Remove = &pb.RemoveNode{Id: rng.Uint64N(4), Group: uint32(rng.IntN(3))}
		case 0:
			e.Bootstrap = &pb.Bootstrap{
				ClusterId: "another", Replicas: uint32(rng.IntN(3)), Zeros: []*pb.Member{{Id: rng.Uint64N(3), Address: fmt.Sprint(rng.IntN(3))}},
			}
		case 1:
			ts += 50
			e.Term = &pb.Term{TsBound: ts + 100}
		case 2:
			e.Lease = &pb.Lease{TsBound: ts + 200, UidCount: rng.Uint64N(1000)}
		case 3:
			e.Join = &pb.Join{Address: "b:1", Nonce: rng.Uint64N(5), Learner: rng.IntN(4) == 0, NodeId: rng.Uint64N(3), Group: uint32(rng.IntN(3)), ClusterId: []string{"", "c", "d"}[rng.IntN(3)]}
		case 4, 5, 6:
			e.Alter = &pb.Alter{
				DropData: rng.IntN(12) == 0, DropAll: rng.IntN(16) == 0,
				Types: []*pb.TypeChange{{Name: fmt.Sprintf("T%d", rng.IntN(2)), Definition: []byte{1}[:rng.IntN(2)]}},
			}
			for range rng.IntN(3) {
				e.Alter.Predicates = append(e.Alter.Predicates, &pb.PredicateChange{
					Predicate: predicate(), Schema: [][]byte{nil, {1, 2}, definition()}[rng.IntN(3)], IfEpoch: rng.Uint64N(20), Force: rng.IntN(2) == 0,
					KeepEpoch: rng.IntN(3) == 0,
				})
			}
		default:
			e.Commits = &pb.CommitBatch{}
			if rng.IntN(4) == 0 {
				e.Commits.Acks = []*pb.Ack{{Group: 1, Seq: rng.Uint64N(40)}}
			}
			if rng.IntN(8) == 0 && ts > 60 {
				e.Commits.ForgetBelow = ts - 50
			}
			for range rng.IntN(4) {
				start := tick()
				if rng.IntN(5) == 0 {
					start = 1 + rng.Uint64N(start)
				}
				r := &pb.CommitRequest{StartTs: start, CommitTs: tick(), Abort: rng.IntN(6) == 0}
				for range rng.IntN(4) {
					r.Keys = append(r.Keys, rng.Uint64N(10))
				}
				for range rng.IntN(3) {
					r.Epochs, r.Groups = append(r.Epochs, rng.Uint64N(20)), append(r.Groups, 1)
				}
				e.Commits.Requests = append(e.Commits.Requests, r)
			}
		}
		log = append(log, encode(t, e))
	}
	return log
}

func TestConformance(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			fsmtest.Run(t, fsmtest.Subject{
				Open:     func(t *testing.T, dir string) fsm.Machine { return open(t, dir) },
				Log:      randomLog(t, rand.New(rand.NewPCG(seed, 1)), 80),
				Describe: func(t *testing.T, m fsm.Machine) []byte { return describe(t, m.(*Machine)) },
				Cuts:     20,
			})
		})
	}
}

// Goal: timestamps and streams only ever move forward, whatever the log holds. Method: random logs, watched entry by entry.
func TestNothingMovesBack(t *testing.T) {
	for seed := range uint64(20) {
		m := open(t, t.TempDir())
		type marks struct{ ts, uid, decided, next, watermark uint64 }
		var was marks
		for i, data := range randomLog(t, rand.New(rand.NewPCG(seed, 2)), 150) {
			if _, err := m.Apply([]fsm.Command{{Index: uint64(i + 1), Data: data}}); err != nil {
				t.Fatal(err)
			}
			if m.s.gone(1) {
				break // nobody follows its stream any more
			}
			ts, uid, decided := m.Bounds()
			st := m.s.stream(1)
			b, _, err := m.Events(1, st.next-1)
			if err != nil {
				t.Fatal(err)
			}
			is := marks{uint64(ts), uint64(uid), uint64(decided), st.next, b.Watermark}
			if is.ts < was.ts || is.uid < was.uid || is.decided < was.decided || is.next < was.next || is.watermark < was.watermark {
				t.Fatalf("seed %d, entry %d: %+v after %+v", seed, i, is, was)
			}
			was = is
		}
	}
}

// Goal: whatever a log entry holds, decoding and applying it ends without a panic, and the state can be saved and loaded.
func FuzzEntry(f *testing.F) {
	for _, e := range []*pb.ZeroEntry{
		{Bootstrap: &pb.Bootstrap{ClusterId: "c"}},
		{Term: &pb.Term{TsBound: 7}},
		{Lease: &pb.Lease{TsBound: 9, UidCount: 1 << 63}},
		{Join: &pb.Join{Group: 7, NodeId: 1 << 60}},
		{Alter: &pb.Alter{DropAll: true, DropData: true, Predicates: []*pb.PredicateChange{{Predicate: "p", Schema: []byte("s")}}}},
		{Commits: &pb.CommitBatch{
			Requests: []*pb.CommitRequest{{StartTs: 1, CommitTs: 2, Keys: []uint64{3}, Epochs: []uint64{1}, Groups: []uint32{1}}},
			Acks:     []*pb.Ack{{Group: 9, Seq: 1 << 63}}, ForgetBelow: 1 << 62,
		}},
	} {
		f.Add(encode(f, e), encode(f, e))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		m := &Machine{limits: small, changed: make(chan struct{})}
		m.s = newCluster(&pb.ZeroState{}, small)
		for i, data := range [][]byte{a, b} {
			if _, err := m.Apply([]fsm.Command{{Index: uint64(i + 1), Data: data}}); err != nil {
				return
			}
		}
		saved, err := encodeSnapshot(m.s.save())
		if err != nil {
			return // a text that is not UTF-8 cannot have come through the decoder
		}
		loaded, err := decodeSnapshot(saved)
		if err != nil {
			t.Fatal(err)
		}
		again, err := encodeSnapshot(newCluster(loaded, small).save())
		if err != nil || string(again) != string(saved) {
			t.Errorf("the state changed on its way through the file: %v", err)
		}
	})
}

// Goal: a snapshot file that is damaged in any way is refused, not believed.
func FuzzSnapshot(f *testing.F) {
	m := &Machine{limits: small, changed: make(chan struct{}), s: newCluster(&pb.ZeroState{}, small)}
	m.s.apply(&pb.ZeroEntry{Bootstrap: &pb.Bootstrap{ClusterId: "c"}})
	m.s.apply(&pb.ZeroEntry{Commits: &pb.CommitBatch{Requests: []*pb.CommitRequest{{StartTs: 1, CommitTs: 2, Keys: []uint64{7}}}}})
	good, err := encodeSnapshot(m.s.save())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeSnapshot(b)
		if err == nil {
			newCluster(s, small)
		}
	})
}
