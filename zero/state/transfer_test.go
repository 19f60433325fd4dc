package state

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"dragg/protos/pb"
	"dragg/raftgroup/fsm"
)

// The bytes of docs/format/snapshots.md.
func TestGoldenTransfer(t *testing.T) {
	d := drive(t)
	desc, err := d.m.Snapshot()
	if got := hex.EncodeToString(desc); err != nil || got != "00010000000000000002" {
		t.Errorf("descriptor %s, %v", got, err)
	}
	var stream bytes.Buffer
	if err := d.m.WriteSnapshot(t.Context(), desc, nil, &stream); err != nil {
		t.Fatal(err)
	}
	const want = "0000000000000020" + "44524147475a" + "0001" + "43c728b6" + "080110021a016320e8072801380140016a007001"
	if got := hex.EncodeToString(stream.Bytes()); got != want {
		t.Errorf("stream %s, want %s", got, want)
	}
}

// Goal: only the newest snapshot is sent; of an older one the receiver is told so.
func TestOldDescriptorIsGone(t *testing.T) {
	d := drive(t)
	old, err := d.m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	d.apply(&pb.ZeroEntry{Lease: &pb.Lease{TsBound: 5}})
	if _, err := d.m.Snapshot(); err != nil {
		t.Fatal(err)
	}
	if err := d.m.WriteSnapshot(t.Context(), old, nil, new(bytes.Buffer)); !errors.Is(err, fsm.ErrSnapshotGone) {
		t.Errorf("an old snapshot: %v", err)
	}
	for _, desc := range [][]byte{nil, make([]byte, 10), make([]byte, 11)} {
		if err := d.m.WriteSnapshot(t.Context(), desc, nil, new(bytes.Buffer)); err == nil {
			t.Errorf("descriptor %x was taken", desc)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	desc, err := d.m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.m.WriteSnapshot(ended, desc, nil, new(bytes.Buffer)); !errors.Is(err, context.Canceled) {
		t.Errorf("a stream that nobody wants: %v", err)
	}
	if err := d.m.Restore(ended, desc, new(bytes.Buffer)); !errors.Is(err, context.Canceled) {
		t.Errorf("a restore that nobody wants: %v", err)
	}
}

// Goal: readers of the old state go on in the new one. Method: one waits for events of a group when its Zero, which lags, is
// restored; checkpoints are made all the while. Run it under the race detector.
func TestReadersSeeTheRestoredState(t *testing.T) {
	log := randomLog(t, rand.New(rand.NewPCG(3, 1)), 80)
	ahead, behind := open(t, t.TempDir()), open(t, t.TempDir())
	for i, data := range log {
		for _, m := range []*Machine{ahead, behind} {
			if m == behind && i > 4 {
				continue
			}
			if _, err := m.Apply([]fsm.Command{{Index: uint64(i + 1), Data: data}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	desc, err := ahead.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	if err := ahead.WriteSnapshot(t.Context(), desc, nil, &stream); err != nil {
		t.Fatal(err)
	}
	seq := behind.s.stream(1).next - 1
	_, changed, err := behind.Events(1, seq)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range 5 {
				if _, err := behind.Snapshot(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	if err := behind.Restore(t.Context(), desc, &stream); err != nil {
		t.Fatal(err)
	}
	<-changed
	wg.Wait()
	got, _, err := behind.Events(1, seq)
	want, _, wantErr := ahead.Events(1, seq)
	if (err == nil) != (wantErr == nil) || got.String() != want.String() {
		t.Errorf("the stream goes on with %v, %v; want %v, %v", got, err, want, wantErr)
	}
	if got, want := behind.State(), ahead.State(); got.String() != want.String() {
		t.Errorf("state %v, want %v", got, want)
	}
	if got := open(t, behind.file.dir); got.State().String() != ahead.State().String() {
		t.Errorf("a checkpoint of the old state came over the restored one")
	}
}
