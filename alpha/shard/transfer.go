package shard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/posting/keys"
	"dragg/protos/pb"
	"dragg/storage"
)

const (
	// markBytes is how many bytes of changes come between two marks, where no list is as large: what a transfer that breaks off
	// sends again.
	markBytes = 1 << 20
	// keepBytes is how much comes between two barriers: what a receiver that is killed needs again.
	keepBytes = 32 << 20
)

// transferSizes are markBytes and keepBytes; tests take smaller ones.
type transferSizes struct{ mark, keep uint64 }

// WriteSnapshot implements fsm.Machine. The lists are read while Apply goes on: versions above the descriptor's bound are left
// out, no version at or above its horizon is forgotten meanwhile, no tablet copy deleted, and rollups do not show in an export.
// So what is written depends on the capture alone; that of a list does not depend on the lists before it, so that a transfer can
// go on behind any list.
func (s *Shard) WriteSnapshot(ctx context.Context, desc, after []byte, w io.Writer) error {
	ctx, out, err := s.gate.working(ctx)
	if err != nil {
		return err
	}
	defer out()
	c, release, err := s.send(desc)
	if err != nil {
		return err
	}
	defer release()
	if err := s.write(ctx, c, after, w); err != nil {
		return fmt.Errorf("sending the state of group %d as of entry %d: %w", c.group, c.applied, errors.Join(err, context.Cause(ctx)))
	}
	return nil
}

func (s *Shard) write(ctx context.Context, c *capture, after []byte, w io.Writer) error {
	desc := c.appendBinary(nil)
	record, err := proto.MarshalOptions{Deterministic: true}.Marshal(c.record())
	if err != nil {
		return err
	}
	id := idOf(desc, record)
	f := newFrameWriter(w)
	if err := f.frame(frameHead, 0, desc); err != nil {
		return err
	}
	from, err := decodePosition(after)
	if err != nil || from.capture != id {
		from = position{} // of another capture: all of this one
	}
	if from.key != nil {
		if err := f.begin(from); err != nil {
			return err
		}
	}
	for piece := range slices.Chunk(record, chunkBytes) {
		if err := f.frame(frameRecord, 0, piece); err != nil {
			return err
		}
	}
	if err := s.writeLists(ctx, c, id, from, f); err != nil {
		return err
	}
	return f.end()
}

// writeLists writes the lists of the capture behind a position, with marks between them.
func (s *Shard) writeLists(ctx context.Context, c *capture, id captureID, from position, f *frameWriter) error {
	var list []byte // that is being written
	visit := func(op storage.Op) error {
		if !bytes.Equal(op.Key, list) && keys.KindOf(op.Key) != keys.KindPart {
			if list != nil && f.bytes-f.marked >= s.sizes.mark {
				if err := f.mark(id, list); err != nil {
					return err
				}
			}
			list = op.Key
		}
		return f.change(op)
	}
	done := graph.Incarnation(0)
	if from.key != nil {
		k, err := keys.Parse(from.key)
		if err != nil {
			return err
		}
		done = k.Incarnation
	}
	for _, e := range c.copies {
		if e.Incarnation < done {
			continue
		}
		if e.Incarnation == done {
			e.From = from.next()
		}
		if err := s.store.Export(ctx, e, visit); err != nil {
			return err
		}
	}
	return nil
}

// Restore implements fsm.Machine. The new state is written beside the old one, which serves readers meanwhile; only when all of
// the stream is here and right are readers let go, and the engine switches, and the state with it. So after an error or a crash
// the old state is there, and the new one after success, record and all. What had come when a stream broke is kept.
func (s *Shard) Restore(ctx context.Context, desc []byte, r io.Reader) error {
	want, err := decodeDescriptor(desc)
	if err != nil {
		return err
	}
	s.recording.Lock()
	defer s.recording.Unlock()
	in, err := s.receive(desc, want, r)
	if err == nil {
		defer s.gate.open()
		err = s.replace(ctx, in)
	}
	if err != nil {
		return fmt.Errorf("the state of group %d as of entry %d cannot be taken over: %w", want.group, want.applied,
			errors.Join(fullClass(err), s.giveUp(ctx, err)))
	}
	next := in.state
	s.batch.Lock()
	defer s.batch.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.adopt(next)
	s.recorded = nil
	close(s.moved)
	s.moved = make(chan struct{})
	s.wake()
	s.lg.Info("took over the state of another replica", "applied", want.applied, "watermark", want.bound, "tablets", len(next.view.tablets),
		"bytes", in.frames.bytes, "bytes_kept_before", in.from.bytes)
	return nil
}

// replace has the engine hold what comes in, and shuts the gate before it does.
func (s *Shard) replace(ctx context.Context, in *incomingState) error {
	var note []byte
	if in.from.key != nil {
		note = in.note(in.from)
	}
	return s.store.Replace(ctx, note, func(e storage.Filling) error {
		if err := s.fill(ctx, in, e); err != nil {
			return err
		}
		if err := s.gate.close(ctx); err != nil {
			return err
		}
		s.inUse.Store(min(s.inUse.Load(), uint64(in.want.horizon))) // until the janitor knows better
		return nil
	})
}

// fill writes the state that comes in into an engine, with its record.
func (s *Shard) fill(ctx context.Context, in *incomingState, e storage.Filling) error {
	if err := in.load(ctx, e); err != nil {
		return err
	}
	next := in.state
	s.mu.Lock()
	forgotten := uint64(s.forgettable) // this process' engine forgets versions below in any case
	s.mu.Unlock()
	next.meta.Horizon = max(next.meta.Horizon, forgotten)
	batch, err := encodeMeta(next.meta)
	if err != nil {
		return err
	}
	return e.Write(ctx, batch)
}

// giveUp removes what is kept, unless it is whole as far as it goes: a disk that is full needs the room, and what was wrong once
// would be wrong again.
func (s *Shard) giveUp(ctx context.Context, err error) error {
	if errors.Is(err, errBroken) || ctx.Err() != nil {
		return nil
	}
	return s.engine.Abandon()
}

// receive reads what comes before the lists, and checks that it is the state that is wanted, or the rest of what is kept of it.
func (s *Shard) receive(desc []byte, want descriptor, r io.Reader) (*incomingState, error) {
	f := &frameReader{r: r}
	head, err := f.next()
	if err != nil {
		return nil, err
	}
	if head.kind != frameHead || !bytes.Equal(head.payload, desc) || want.group != s.cfg.Group {
		return nil, f.wrong("it is no stream of this snapshot, or the snapshot is not of group %d", s.cfg.Group)
	}
	in := &incomingState{frames: f, desc: desc, want: want, keepBytes: s.sizes.keep}
	at, err := f.next()
	if err == nil && at.kind == frameMark {
		if in.from, err = decodePosition(at.payload); err != nil || !bytes.Equal(at.payload, s.Progress(desc)) {
			return nil, f.wrong("it does not go on where an earlier stream broke off: %w", err)
		}
		f.changes, f.bytes = in.from.changes, in.from.bytes
		at, err = f.next()
	}
	if err != nil {
		return nil, err
	}
	if err := in.readState(at); err != nil {
		return nil, err
	}
	if in.from.key != nil && in.from.capture != in.id {
		return nil, f.wrong("it goes on with the lists of another state")
	}
	in.markedAt = in.from
	return in, nil
}

// readState reads the record, from the frame at on, and the frame that follows it.
func (in *incomingState) readState(at frame) error {
	f, want := in.frames, in.want
	var record []byte
	var err error
	for ; err == nil && at.kind == frameRecord; at, err = f.next() {
		record = append(record, at.payload...)
	}
	if err != nil {
		return err
	}
	meta := &pb.ShardMeta{}
	if err := proto.Unmarshal(record, meta); err != nil {
		return f.wrong("the replica's record: %w", err)
	}
	if err := checkVersion(meta); err != nil {
		return f.wrong("the replica's record: %w", err)
	}
	if meta.Applied != want.applied || meta.Watermark != uint64(want.bound) || meta.Horizon != uint64(want.horizon) {
		return f.wrong("the replica's record is of another state: of entry %d, not %d", meta.Applied, want.applied)
	}
	if in.state, err = decodeState(meta, want.group); err != nil {
		return f.wrong("the replica's record: %w", err)
	}
	in.id, in.first = idOf(in.desc, record), at
	return nil
}
