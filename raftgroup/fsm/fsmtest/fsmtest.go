package fsmtest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"dragg/raftgroup/fsm"
)

// Subject is a kind of machine under test.
type Subject struct {
	// Open opens the machine in dir: an empty one the first time, afterwards what a crash left of the one before, which is
	// not used any more. Whatever the machine did not make durable may be gone.
	Open func(t *testing.T, dir string) fsm.Machine
	// Log is a log for it to apply, with entries that are refused among them.
	Log [][]byte
	// Describe returns the whole state as bytes: equal where two machines are in the same state.
	Describe func(t *testing.T, m fsm.Machine) []byte
	// Result renders what Apply answered; fmt.Sprint if nil.
	Result func(result any) string
	// Cuts is how many places of the log the suite crashes at; all of them if 0.
	Cuts int
}

// Run checks that the subject keeps the contract of fsm.Machine.
func Run(t *testing.T, s Subject) {
	if s.Result == nil {
		s.Result = func(result any) string { return fmt.Sprint(result) }
	}
	want := s.straight(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *Subject, straight)
	}{
		{"same log same state", testDeterminism},
		{"batches do not matter", testBatches},
		{"commands that share an entry", testShared},
		{"crash before a snapshot", testNoSnapshot},
		{"snapshot and crash at each place", testSnapshots},
		{"replay over what survived", testReplay},
		{"snapshot while entries are applied", testConcurrent},
		{"garbage is refused", testGarbage},
		{"a command without data", testEmpty},
		{"sent to another replica", testTransfer},
		{"damaged on the way", testDamage},
		{"broken off and gone on with", testResume},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, &s, want) })
	}
}

// straight is what one machine made of the whole log, without any incident.
type straight struct {
	states  [][]byte // after each entry; [0] before the first
	results []string
}

func (s *Subject) straight(t *testing.T) straight {
	t.Helper()
	m := s.Open(t, t.TempDir())
	out := straight{states: [][]byte{s.Describe(t, m)}}
	for i := range s.Log {
		out.results = append(out.results, s.apply(t, m, i, i+1)...)
		out.states = append(out.states, s.Describe(t, m))
	}
	if d := m.Durable(); d != 0 {
		t.Errorf("durable up to %d without a snapshot", d)
	}
	return out
}

// apply applies entries [from, to) of the log. Entry 0 has index first.
func (s *Subject) apply(t *testing.T, m fsm.Machine, from, to int) []string {
	t.Helper()
	if from == to {
		return nil
	}
	cmds := make([]fsm.Command, 0, to-from)
	for i := from; i < to; i++ {
		cmds = append(cmds, fsm.Command{Index: indexOf(i), Term: 2, Data: slices.Clone(s.Log[i])})
	}
	return s.applyAll(t, m, cmds)
}

func (s *Subject) applyAll(t *testing.T, m fsm.Machine, cmds []fsm.Command) []string {
	t.Helper()
	results, err := m.Apply(cmds)
	if err != nil {
		t.Fatalf("entries %d to %d: %v", cmds[0].Index, cmds[len(cmds)-1].Index, err)
	}
	if len(results) != len(cmds) {
		t.Fatalf("%d results for %d entries", len(results), len(cmds))
	}
	out := make([]string, len(results))
	for i, r := range results {
		out[i] = s.Result(r)
	}
	return out
}

// first is the index of the first entry: Raft's own come before it.
const first = 3

func indexOf(entry int) uint64 { return uint64(entry) + first }

// from returns the first entry that a machine needs to be replayed.
func from(m fsm.Machine) int {
	if d := m.Durable(); d >= first {
		return int(d-first) + 1
	}
	return 0
}

// cuts returns the places of the log at which to crash.
func (s *Subject) cuts() []int {
	step := 1
	if s.Cuts > 0 {
		step = max(1, len(s.Log)/s.Cuts)
	}
	var out []int
	for i := 0; i <= len(s.Log); i += step {
		out = append(out, i)
	}
	return out
}

func (s *Subject) same(t *testing.T, what string, m fsm.Machine, want []byte) {
	t.Helper()
	if got := s.Describe(t, m); !bytes.Equal(got, want) {
		t.Errorf("%s: the state differs\n got %s\nwant %s", what, clip(got), clip(want))
	}
}

func clip(b []byte) []byte { return b[:min(len(b), 2000)] }

func testDeterminism(t *testing.T, s *Subject, want straight) {
	m := s.Open(t, t.TempDir())
	for i := range s.Log {
		if got := s.apply(t, m, i, i+1); got[0] != want.results[i] {
			t.Errorf("entry %d answered %s on one replica and %s on another", i, got[0], want.results[i])
		}
		s.same(t, fmt.Sprintf("after entry %d", i), m, want.states[i+1])
	}
}

func testBatches(t *testing.T, s *Subject, want straight) {
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m := s.Open(t, t.TempDir())
		var got []string
		for at := 0; at < len(s.Log); {
			n := min(1+rng.IntN(8), len(s.Log)-at)
			got = append(got, s.apply(t, m, at, at+n)...)
			at += n
		}
		if !slices.Equal(got, want.results) {
			t.Errorf("seed %d: the results depend on how entries come together", seed)
		}
		s.same(t, fmt.Sprintf("seed %d", seed), m, want.states[len(s.Log)])
	}
}

// testShared has several commands come with one index, that of the last: they are answered and applied as if each had its own, and what
// is durable covers all of them.
func testShared(t *testing.T, s *Subject, want straight) {
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 2))
		dir := t.TempDir()
		m := s.Open(t, dir)
		var got []string
		for at := 0; at < len(s.Log); {
			n := min(1+rng.IntN(8), len(s.Log)-at)
			var cmds []fsm.Command
			for i := at; i < at+n; i++ {
				cmds = append(cmds, fsm.Command{Index: indexOf(at + n - 1), Term: 2, Data: slices.Clone(s.Log[i])})
			}
			got = append(got, s.applyAll(t, m, cmds)...)
			at += n
			if rng.IntN(4) == 0 {
				snapshot(t, m)
				if m = s.Open(t, dir); from(m) != at {
					t.Fatalf("seed %d: reopened at %d after a snapshot at %d", seed, from(m), at)
				}
			}
		}
		if !slices.Equal(got, want.results) {
			t.Errorf("seed %d: commands that share an entry are answered otherwise", seed)
		}
		s.same(t, fmt.Sprintf("seed %d", seed), m, want.states[len(s.Log)])
	}
}

func testNoSnapshot(t *testing.T, s *Subject, want straight) {
	dir := t.TempDir()
	s.apply(t, s.Open(t, dir), 0, len(s.Log))
	m := s.Open(t, dir)
	if d := m.Durable(); d != 0 {
		t.Fatalf("durable up to %d without a snapshot", d)
	}
	s.apply(t, m, 0, len(s.Log))
	s.same(t, "replayed", m, want.states[len(s.Log)])
}

func testSnapshots(t *testing.T, s *Subject, want straight) {
	for _, cut := range s.cuts() {
		dir := t.TempDir()
		m := s.Open(t, dir)
		s.apply(t, m, 0, cut)
		snapshot(t, m)
		if got, want := m.Durable(), uint64(0); cut > 0 && got != indexOf(cut-1) || cut == 0 && got != want {
			t.Fatalf("cut %d: durable up to %d after a snapshot", cut, got)
		}
		m = s.Open(t, dir)
		if got := from(m); got != cut {
			t.Fatalf("cut %d: reopened at %d", cut, got)
		}
		s.same(t, fmt.Sprintf("reopened at cut %d", cut), m, want.states[cut])
		got := s.apply(t, m, cut, len(s.Log))
		if !slices.Equal(got, want.results[cut:]) {
			t.Errorf("cut %d: the rest was answered otherwise", cut)
		}
		s.same(t, fmt.Sprintf("after cut %d", cut), m, want.states[len(s.Log)])
	}
}

// testReplay crashes some entries after a snapshot: of those something may have survived, and they come again.
func testReplay(t *testing.T, s *Subject, want straight) {
	for _, cut := range s.cuts() {
		dir := t.TempDir()
		m := s.Open(t, dir)
		s.apply(t, m, 0, cut)
		snapshot(t, m)
		s.apply(t, m, cut, min(cut+7, len(s.Log)))
		m = s.Open(t, dir)
		if got := from(m); got != cut {
			t.Fatalf("cut %d: reopened at %d: durable may only move by a snapshot", cut, got)
		}
		s.apply(t, m, cut, len(s.Log))
		snapshot(t, m)
		s.same(t, fmt.Sprintf("replayed from cut %d", cut), m, want.states[len(s.Log)])
		s.same(t, fmt.Sprintf("reopened after the replay from cut %d", cut), s.Open(t, dir), want.states[len(s.Log)])
	}
}

func snapshot(t *testing.T, m fsm.Machine) {
	t.Helper()
	if _, err := m.Snapshot(); err != nil {
		t.Fatal(err)
	}
}

// testConcurrent takes snapshots all the time. Run it under the race detector.
func testConcurrent(t *testing.T, s *Subject, want straight) {
	dir := t.TempDir()
	m := s.Open(t, dir)
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		var last uint64
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if _, err := m.Snapshot(); err != nil {
				done <- err
				return
			}
			if d := m.Durable(); d < last {
				done <- errors.New("durable went back")
				return
			} else {
				last = d
			}
		}
	}()
	for i := range s.Log {
		s.apply(t, m, i, i+1)
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s.same(t, "at the end", m, want.states[len(s.Log)])
	m = s.Open(t, dir)
	s.apply(t, m, from(m), len(s.Log))
	s.same(t, "reopened", m, want.states[len(s.Log)])
}

func testGarbage(t *testing.T, s *Subject, _ straight) {
	for _, data := range [][]byte{{0xff}, []byte("\x0a\xff\xff\xff\xff\x0f"), bytes.Repeat([]byte{0x12}, 64)} {
		m := s.Open(t, t.TempDir())
		if _, err := m.Apply([]fsm.Command{{Index: first, Term: 2, Data: data}}); err == nil {
			t.Errorf("entry %x was applied", data)
		}
	}
}

// testEmpty puts a command without data at some places of the log: it moves the index, and the rest is answered as without it.
func testEmpty(t *testing.T, s *Subject, want straight) {
	for _, cut := range s.cuts() {
		dir := t.TempDir()
		m := s.Open(t, dir)
		s.apply(t, m, 0, cut)
		index := indexOf(cut)
		if _, err := m.Apply([]fsm.Command{{Index: index, Term: 2}}); err != nil {
			t.Fatalf("at %d: %v", index, err)
		}
		snapshot(t, m)
		if d := m.Durable(); d != index {
			t.Errorf("durable up to %d after a snapshot at %d", d, index)
		}
		state := s.Describe(t, m)
		m = s.Open(t, dir)
		s.same(t, fmt.Sprintf("reopened after an empty command at %d", index), m, state)
		for i := cut; i < len(s.Log); i++ {
			results, err := m.Apply([]fsm.Command{{Index: indexOf(i + 1), Term: 2, Data: slices.Clone(s.Log[i])}})
			if err != nil {
				t.Fatalf("entry %d: %v", i, err)
			}
			if got := s.Result(results[0]); got != want.results[i] {
				t.Errorf("entry %d answered %s, and %s after an empty command at %d", i, want.results[i], got, index)
			}
		}
	}
}
