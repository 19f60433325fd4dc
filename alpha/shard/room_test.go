package shard

// A full disk: what is new is refused before it is accepted, what was accepted waits, and a process that stops does not wait.

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/raftgroup/fsm"
	"dragg/schema"
	"dragg/storage"
	"dragg/storage/memkv"
)

// oneEntry replicates to this shard alone.
type oneEntry struct {
	s     *Shard
	index uint64
}

// ProposeThen implements Proposer.
func (o *oneEntry) ProposeThen(_ context.Context, cmd []byte, _ func(any, func(any)) bool) (any, error) {
	o.index++
	res, err := o.s.Apply([]fsm.Command{{Index: o.index, Term: 1, Data: cmd}})
	if err != nil {
		return nil, err
	}
	return res[0], nil
}

// withName is a shard that serves a predicate "name".
func withName(t *testing.T, engine storage.Engine, room func(int64) error) *Shard {
	t.Helper()
	s, err := Open(Config{Group: 1, Room: room}, engine)
	if err != nil {
		t.Fatal(err)
	}
	s.Attach(&oneEntry{s: s})
	def := &schema.Predicate{Name: graph.Pred("name"), Type: types.String}
	deliver(t, s, &pb.Event{Seq: 1, TabletSet: &pb.TabletSet{Ts: 1, Tablet: &pb.Tablet{
		Predicate: "name", Schema: def.AppendBinary(nil), Group: 1, Incarnation: 1, Epoch: 1,
	}}})
	return s
}

func deliver(t *testing.T, s *Shard, e *pb.Event) {
	t.Helper()
	if err := s.Deliver(t.Context(), &pb.StreamBatch{Events: []*pb.Event{e}, Watermark: e.GetVerdict().GetCommitTs()}); err != nil {
		t.Fatal(err)
	}
}

func named(name string) [][]graph.Edge {
	return [][]graph.Edge{{{Subject: 1, Predicate: graph.Pred("name"), Value: types.OfString(name)}}}
}

func TestFullDiskRefusesPrewrites(t *testing.T) {
	var asked []int64
	room := func(bytes int64) error {
		if asked = append(asked, bytes); bytes > 100 {
			return storage.ErrFull
		}
		return nil
	}
	s := withName(t, memkv.New(memkv.Config{}), room)
	if _, err := s.Prewrite(t.Context(), Writing{Start: 5, Steps: named("small")}); err != nil {
		t.Fatal(err)
	}
	big := named(string(make([]byte, 200)))
	if _, err := s.Prewrite(t.Context(), Writing{Start: 6, Steps: big}); fault.ClassOf(err) != fault.Exhausted || !errors.Is(err, storage.ErrFull) {
		t.Errorf("a prewrite without room: %v", err)
	}
	if n, _ := s.Pending(); n != 1 || s.proposing.Load() != 0 {
		t.Errorf("%d transactions pending, %d bytes on their way", n, s.proposing.Load())
	}
	if last := asked[len(asked)-1]; last < 200+asked[1] {
		t.Errorf("asked for room for %v bytes: what is pending counts", asked)
	}
}

func TestFullDiskHoldsApplyUp(t *testing.T) {
	for _, stop := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			engine := memkv.New(memkv.Config{})
			s := withName(t, engine, nil)
			if _, err := s.Prewrite(t.Context(), Writing{Start: 5, Steps: named("Ada")}); err != nil {
				t.Fatal(err)
			}
			engine.SetFull(true)
			cmd, err := proto.Marshal(&pb.GroupEntry{Stream: &pb.StreamBatch{
				Events: []*pb.Event{{Seq: 2, Verdict: &pb.Verdict{StartTs: 5, CommitTs: 7}}}, Watermark: 7,
			}})
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				_, err := s.Apply([]fsm.Command{{Index: 9, Term: 1, Data: cmd}})
				done <- err
			}()
			time.Sleep(10 * fullRetry)
			select {
			case err := <-done:
				t.Fatalf("it did not wait: %v", err)
			default:
			}
			if stop {
				s.Stop()
				s.Stop()
				if err := <-done; !errors.Is(err, errStopped) {
					t.Errorf("stopped with %v", err)
				}
				return
			}
			engine.SetFull(false)
			if err := <-done; err != nil || s.Watermark() != 7 {
				t.Errorf("with room again: %v, watermark %d", err, s.Watermark())
			}
		})
	}
}
