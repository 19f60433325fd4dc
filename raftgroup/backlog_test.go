package raftgroup

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"dragg/raftgroup/fsm"
)

// largestApply is a machine that notes how many bytes it was handed at once, at most.
type largestApply struct {
	*sumMachine
	once sync.Mutex
	most int // guarded by once
}

func (m *largestApply) Apply(cmds []fsm.Command) ([]any, error) {
	size := 0
	for _, c := range cmds {
		size += len(c.Data)
	}
	m.once.Lock()
	m.most = max(m.most, size)
	m.once.Unlock()
	return m.sumMachine.Apply(cmds)
}

// Goal: a member that is started after a kill applies its log in pieces, so that it can say how far it is and the first who waits
// does not wait for all. Method: 12 entries of a mebibyte that are in no checkpoint.
func TestBacklogIsAppliedInPieces(t *testing.T) {
	dir, disk := filepath.Join(t.TempDir(), "wal"), &sumDisk{}
	g, stop := startGroup(t, dir, openSum(disk), 1<<30)
	for range 12 {
		if _, err := propose(g, 1, 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	m := &largestApply{sumMachine: openSum(disk)}
	g, stop = startGroup(t, dir, m, 1<<30)
	if sum := add(t, g, 1); sum != 13 {
		t.Errorf("sum %d, want 13", sum)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if m.most < 1<<20 || m.most > maxApplyBytes+2<<20 {
		t.Errorf("the machine was handed %d bytes at once, want about %d", m.most, maxApplyBytes)
	}
}

func TestTogether(t *testing.T) {
	size := func(n int) commit { return commit{entry: &raftpb.Entry{Data: make([]byte, n)}} }
	for name, c := range map[string]struct {
		commits []commit
		want    int
	}{
		"all":                 {[]commit{size(1), size(2)}, 2},
		"up to a snapshot":    {[]commit{size(1), {fetch: &raftpb.Message{}}, size(1)}, 1},
		"up to the bound":     {[]commit{size(maxApplyBytes - 1), size(1), size(1)}, 2},
		"one that is too big": {[]commit{size(maxApplyBytes + 1), size(1)}, 1},
	} {
		if got := together(c.commits); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// Goal: what takes long says how far it is. Method: note pieces of a backlog while the clock goes on.
func TestBacklogSaysHowFarItIs(t *testing.T) {
	var out bytes.Buffer
	entries := []*raftpb.Entry{}
	for i := range uint64(5) {
		index := i + 1
		entries = append(entries, &raftpb.Entry{Index: &index, Data: make([]byte, 10)})
	}
	var b backlog
	b.note(1, 10) // before it began there is none
	b.begin(entries, 2, slog.New(slog.NewTextHandler(&out, nil)))
	b.note(3, 10)
	if out.Len() > 0 {
		t.Errorf("at once it says %s", &out)
	}
	b.said = time.Now().Add(-progressInterval)
	b.note(4, 10)
	b.note(5, 10)
	b.note(6, 10)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "bytes=20 of=30") || !strings.Contains(lines[1], "entries=3 bytes=30") {
		t.Errorf("it says\n%s", &out)
	}
}
