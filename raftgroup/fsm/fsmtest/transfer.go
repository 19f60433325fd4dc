package fsmtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"dragg/raftgroup/fsm"
)

// stirring is where a stream goes while its source applies further entries: some at every write.
type stirring struct {
	bytes.Buffer
	t    *testing.T
	s    *Subject
	m    fsm.Machine
	at   int // the next entry
	step int
}

func (w *stirring) Write(p []byte) (int, error) {
	to := min(w.at+w.step, len(w.s.Log))
	w.s.apply(w.t, w.m, w.at, to)
	w.at = to
	return w.Buffer.Write(p)
}

// sent returns the state at a cut of the log, as a machine sends it that goes on applying meanwhile.
func (s *Subject) sent(t *testing.T, cut int) (desc, stream []byte) {
	t.Helper()
	m := s.Open(t, t.TempDir())
	s.apply(t, m, 0, cut)
	desc, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if len(desc) > maxDescriptor {
		t.Fatalf("a descriptor of %d bytes is too large for a log record", len(desc))
	}
	w := &stirring{t: t, s: s, m: m, at: cut, step: 3}
	if err := m.WriteSnapshot(t.Context(), desc, nil, w); err != nil {
		t.Fatalf("cut %d: sending: %v", cut, err)
	}
	var again bytes.Buffer
	if err := m.WriteSnapshot(t.Context(), desc, nil, &again); err != nil {
		t.Fatalf("cut %d: sending again: %v", cut, err)
	}
	if !bytes.Equal(w.Bytes(), again.Bytes()) {
		t.Errorf("cut %d: the stream depends on what is applied after the snapshot", cut)
	}
	return desc, w.Bytes()
}

// maxDescriptor is far below what a Raft message may hold.
const maxDescriptor = 1 << 10

// restore restores a machine and checks that it is where the straight run was.
func (s *Subject) restore(t *testing.T, what string, m fsm.Machine, cut int, desc, stream []byte, want straight) {
	t.Helper()
	if err := m.Restore(t.Context(), desc, bytes.NewReader(stream)); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	s.at(t, what, m, cut, want)
}

// at checks that a machine has exactly the entries before cut, durably.
func (s *Subject) at(t *testing.T, what string, m fsm.Machine, cut int, want straight) {
	t.Helper()
	if got := from(m); got != cut {
		t.Fatalf("%s: durable up to entry %d, want %d", what, got, cut)
	}
	s.same(t, what, m, want.states[cut])
}

// rest gives a machine the rest of the log and checks that it ends as the straight run did.
func (s *Subject) rest(t *testing.T, what string, m fsm.Machine, cut int, want straight) {
	t.Helper()
	if got := s.apply(t, m, cut, len(s.Log)); !slices.Equal(got, want.results[cut:]) {
		t.Errorf("%s: the rest was answered otherwise", what)
	}
	s.same(t, what+", with the rest of the log", m, want.states[len(s.Log)])
}

// testTransfer sends the state at each cut to a fresh machine and to one with another state, and from there on to a third.
func testTransfer(t *testing.T, s *Subject, want straight) {
	for _, cut := range s.cuts() {
		desc, stream := s.sent(t, cut)
		for _, before := range []int{0, (cut * 13) % (len(s.Log) + 1), len(s.Log)} {
			what := fmt.Sprintf("cut %d restored over %d entries", cut, before)
			dir := t.TempDir()
			m := s.Open(t, dir)
			s.apply(t, m, 0, before)
			if before%2 == 0 {
				snapshot(t, m)
			}
			s.restore(t, what, m, cut, desc, stream, want)
			m = s.Open(t, dir)
			s.at(t, what+" and reopened", m, cut, want)
			s.rest(t, what, m, cut, want)
			snapshot(t, m)
			s.same(t, what+", reopened at the end", s.Open(t, dir), want.states[len(s.Log)])
		}
		second := s.Open(t, t.TempDir())
		s.restore(t, "restored", second, cut, desc, stream, want)
		onward, err := second.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		if err := second.WriteSnapshot(t.Context(), onward, nil, &again); err != nil {
			t.Fatalf("cut %d: sending on: %v", cut, err)
		}
		third := s.Open(t, t.TempDir())
		s.restore(t, "sent on", third, cut, onward, again.Bytes(), want)
		s.rest(t, "sent on", third, cut, want)
	}
}

// broken is a stream that fails.
type broken struct{ r io.Reader }

var errBroken = errors.New("the connection broke")

func (b broken) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if errors.Is(err, io.EOF) {
		err = errBroken
	}
	return n, err
}

// testDamage restores from streams that are cut off, broken off or damaged: the old state stays, also where the process ends.
func testDamage(t *testing.T, s *Subject, want straight) {
	cut := len(s.Log) * 2 / 3
	desc0, stream := s.sent(t, cut)
	otherDesc, _ := s.sent(t, cut-1)
	rng := rand.New(rand.NewPCG(1, uint64(len(stream))))
	try := func(what string, desc []byte, r io.Reader) {
		t.Helper()
		dir, before := t.TempDir(), rng.IntN(len(s.Log))
		m := s.Open(t, dir)
		s.apply(t, m, 0, before)
		snapshot(t, m)
		if err := m.Restore(t.Context(), desc, r); err == nil {
			t.Fatalf("%s: restored", what)
		}
		s.at(t, what, m, before, want)
		if rng.IntN(2) == 0 {
			m = s.Open(t, dir)
			s.at(t, what+" and reopened", m, before, want)
		}
		s.restore(t, what+", then whole", m, cut, desc0, stream, want)
		s.rest(t, what, m, cut, want)
	}
	for i := range 12 {
		n := len(stream) * i / 12
		if i > 9 {
			n = len(stream) - 1 - rng.IntN(40)
		}
		try(fmt.Sprintf("cut off after %d of %d bytes", n, len(stream)), desc0, bytes.NewReader(stream[:n]))
		try(fmt.Sprintf("broken off after %d of %d bytes", n, len(stream)), desc0, broken{bytes.NewReader(stream[:n])})
	}
	for i := range 40 {
		at := rng.IntN(len(stream))
		if i < 12 {
			at = i
		}
		bad := slices.Clone(stream)
		bad[at] ^= 1 << rng.IntN(8)
		try(fmt.Sprintf("byte %d of %d damaged", at, len(stream)), desc0, bytes.NewReader(bad))
	}
	try("too long", desc0, bytes.NewReader(append(slices.Clone(stream), 0)))
	try("twice", desc0, bytes.NewReader(append(slices.Clone(stream), stream...)))
	try("another descriptor", otherDesc, bytes.NewReader(stream))
	try("no descriptor", nil, bytes.NewReader(stream))
}
