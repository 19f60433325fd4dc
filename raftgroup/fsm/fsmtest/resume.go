package fsmtest

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"dragg/raftgroup/fsm"
)

// testResume breaks transfers off, some of them several times and with a crash of the receiver in between: the old state stays until
// the rest is there, and then the state is that of the source. A machine that keeps nothing is sent everything again.
func testResume(t *testing.T, s *Subject, want straight) {
	cut := len(s.Log) * 2 / 3
	source := s.Open(t, t.TempDir())
	s.apply(t, source, 0, cut)
	desc, err := source.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	whole := rest(t, source, desc, nil)
	kept := 0
	for i := range 24 {
		rng := rand.New(rand.NewPCG(uint64(i), uint64(len(whole))))
		dir, before := t.TempDir(), rng.IntN(cut)
		m := s.Open(t, dir)
		s.apply(t, m, 0, before)
		snapshot(t, m)
		stream := whole
		for range 1 + rng.IntN(3) {
			n := rng.IntN(len(stream))
			if err := m.Restore(t.Context(), desc, broken{bytes.NewReader(stream[:n])}); err == nil {
				t.Fatalf("a stream was restored that broke off after %d of %d bytes", n, len(stream))
			}
			s.at(t, "broken off", m, before, want)
			if rng.IntN(2) == 0 {
				m = s.Open(t, dir)
				s.at(t, "broken off and reopened", m, before, want)
			}
			if m.Progress([]byte("another")) != nil {
				t.Fatal("it has a part of a state that it never heard of")
			}
			stream = rest(t, source, desc, m.Progress(desc))
			if len(stream) < len(whole) {
				kept++
			}
		}
		bad := slices.Clone(stream)
		bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
		if err := m.Restore(t.Context(), desc, bytes.NewReader(bad)); err == nil {
			t.Fatal("the rest was restored although it was damaged")
		}
		s.at(t, "with a damaged rest", m, before, want)
		stream = rest(t, source, desc, m.Progress(desc))
		s.restore(t, "the rest restored", m, cut, desc, stream, want)
		if m.Progress(desc) != nil {
			t.Fatal("a part is kept although all of it is there")
		}
		s.rest(t, "the rest restored", m, cut, want)
	}
	if same := rest(t, source, desc, []byte("no position")); !bytes.Equal(same, whole) {
		t.Error("a receiver that has nonsense is not sent everything")
	}
	t.Logf("%d transfers went on", kept)
}

func rest(t *testing.T, m fsm.Machine, desc, after []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := m.WriteSnapshot(t.Context(), desc, after, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
