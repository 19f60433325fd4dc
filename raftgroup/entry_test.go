package raftgroup

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

type found struct {
	by  owner
	cmd string
}

func commandsIn(e *raftpb.Entry) (out []found, err error) {
	err = eachCommand(e, func(by owner, cmd []byte) { out = append(out, found{by, string(cmd)}) })
	return out, err
}

// Goal: the entries of a batch hold its commands, in order, each with who proposed it; small ones share an entry, up to its bound.
func TestEntriesHoldTheBatch(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var batch []proposal
		var want []found
		for i := range rng.IntN(30) {
			n := rng.IntN(40)
			if rng.IntN(40) == 0 {
				n = rng.IntN(2 * maxEntryBytes)
			}
			cmd := bytes.Repeat([]byte{byte(i)}, n)
			batch = append(batch, proposal{cmd: cmd, seq: rng.Uint64()})
			want = append(want, found{owner{7, batch[i].seq}, string(cmd)})
		}
		entries := entriesOf(7, batch)
		var got []found
		for i, e := range entries {
			part, err := commandsIn(e)
			if err != nil || len(part) == 0 {
				t.Fatalf("%d commands: %v", len(part), err)
			}
			if len(e.GetData()) > maxEntryBytes && len(part) > 1 {
				t.Fatalf("%d commands in %d bytes", len(part), len(e.GetData()))
			}
			if i > 0 && len(e.GetData())+len(entries[i-1].GetData()) < maxEntryBytes/2 {
				t.Fatalf("two entries of %d and %d bytes", len(entries[i-1].GetData()), len(e.GetData()))
			}
			got = append(got, part...)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d commands became %d", len(want), len(got))
		}
	}
}

// The bytes of an entry are a format: logs of earlier versions hold them.
func TestEntryBytes(t *testing.T) {
	for name, c := range map[string]struct {
		batch []proposal
		want  string
	}{
		"one": {
			[]proposal{{cmd: []byte("ab"), seq: 0x0102}},
			"\x00\x00\x00\x00\x00\x00\x00\x07" + "\x00\x00\x00\x00\x00\x00\x01\x02" + "ab",
		},
		"several": {
			[]proposal{{cmd: []byte("ab"), seq: 0x0102}, {cmd: nil, seq: 3}},
			"\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x07" +
				"\x00\x00\x00\x00\x00\x00\x01\x02" + "\x00\x00\x00\x02" + "ab" +
				"\x00\x00\x00\x00\x00\x00\x00\x03" + "\x00\x00\x00\x00",
		},
	} {
		if e := entriesOf(7, c.batch); len(e) != 1 || string(e[0].GetData()) != c.want {
			t.Errorf("%s: %d entries, %x", name, len(e), e[0].GetData())
		}
	}
}

// FuzzEachCommand: no bytes make it panic, or leave the entry; what it reads is what writing it anew gives.
func FuzzEachCommand(f *testing.F) {
	for _, n := range []int{1, 2, 5} {
		var batch []proposal
		for i := range n {
			batch = append(batch, proposal{cmd: []byte("command")[:i], seq: uint64(i)})
		}
		f.Add(entriesOf(3, batch)[0].GetData())
	}
	f.Add([]byte{})
	f.Add(make([]byte, headerBytes+frameBytes-1))
	f.Add(append(make([]byte, headerBytes+8), 0xff, 0xff, 0xff, 0xff))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := commandsIn(&raftpb.Entry{Data: data})
		if err != nil || len(list) == 0 || len(data) > maxEntryBytes {
			return
		}
		var batch []proposal
		for _, c := range list {
			batch = append(batch, proposal{cmd: []byte(c.cmd), seq: c.by.seq})
		}
		again, err := commandsIn(entriesOf(list[0].by.node, batch)[0])
		if err != nil || !slices.Equal(again, list) {
			t.Fatalf("%v became %v: %v", list, again, err)
		}
	})
}

// Goal: proposals that come close together share entries; each proposer gets the answer to its own, and a restart applies each once.
// Method: many propose different numbers at once, so that the sums that they get tell the order in which they were applied.
func TestProposalsShareEntries(t *testing.T) {
	const proposers, rounds = 64, 20
	dir, disk := filepath.Join(t.TempDir(), "wal"), &sumDisk{}
	m := openSum(disk)
	g, stop := startGroup(t, dir, m, 1<<30)
	want := add(t, g, 1)
	var got sync.Map // the sums that proposers got
	for range rounds {
		var wg sync.WaitGroup
		for i := range uint64(proposers) {
			wg.Go(func() {
				sum, err := propose(g, i+1, 0)
				if before, again := got.LoadOrStore(sum, i); err != nil || again {
					t.Errorf("proposer %d got the sum %d that %v got: %v", i, sum, before, err)
				}
			})
			want += i + 1
		}
		wg.Wait()
	}
	if entries := g.Applied(); entries > proposers*rounds/2 {
		t.Errorf("%d proposals took %d entries", proposers*rounds, entries)
	}
	order := slices.Clone(m.order)
	for i, sum := range m.sums() {
		if by, ok := got.Load(sum); i > 0 && (!ok || by.(uint64)+1 != order[i]) {
			t.Fatalf("command %d is %d, but %v was told of it", i, order[i], by)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	m = openSum(disk)
	g, stop = startGroup(t, dir, m, 1<<30)
	if sum := add(t, g, 0); sum != want || !slices.Equal(m.order[:len(order)], order) {
		t.Errorf("after a restart the sum is %d, want %d", sum, want)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
