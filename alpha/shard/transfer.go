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

// WriteSnapshot implements fsm.Machine. The lists are read while Apply goes on: versions above the descriptor's bound are left
// out, no version at or above its horizon is forgotten meanwhile, no tablet copy deleted, and rollups do not show in an export.
// So what is written depends on the descriptor alone; that of a list does not depend on the lists before it.
func (s *Shard) WriteSnapshot(ctx context.Context, desc []byte, w io.Writer) error {
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
	if err := s.write(ctx, c, w); err != nil {
		return fmt.Errorf("sending the state of group %d as of entry %d: %w", c.group, c.applied, errors.Join(err, context.Cause(ctx)))
	}
	return nil
}

func (s *Shard) write(ctx context.Context, c *capture, w io.Writer) error {
	f := newFrameWriter(w)
	if err := f.frame(frameHead, 0, c.appendBinary(nil)); err != nil {
		return err
	}
	record, err := proto.MarshalOptions{Deterministic: true}.Marshal(c.record())
	if err != nil {
		return err
	}
	for piece := range slices.Chunk(record, chunkBytes) {
		if err := f.frame(frameRecord, 0, piece); err != nil {
			return err
		}
	}
	for _, e := range c.copies {
		if err := s.store.Export(ctx, e, f.change); err != nil {
			return err
		}
	}
	return f.end()
}

// Restore implements fsm.Machine. The new state is written beside the old one, which serves readers meanwhile; only when all of
// the stream is here and right are readers let go, and the engine switches, and the state with it. So after an error or a crash
// the old state is there, and the new one after success, record and all.
func (s *Shard) Restore(ctx context.Context, desc []byte, r io.Reader) error {
	want, err := decodeDescriptor(desc)
	if err != nil {
		return err
	}
	s.recording.Lock()
	defer s.recording.Unlock()
	var next *loaded
	err = s.store.Replace(ctx, func(e storage.Engine) error {
		if next, err = s.fill(ctx, want, desc, r, e); err != nil {
			return err
		}
		if err := s.gate.close(ctx); err != nil {
			return err
		}
		s.inUse.Store(min(s.inUse.Load(), uint64(want.horizon))) // until the janitor knows better
		return nil
	})
	defer s.gate.open()
	if err != nil {
		return fmt.Errorf("the state of group %d as of entry %d cannot be taken over: %w", want.group, want.applied, fullClass(err))
	}
	s.batch.Lock()
	defer s.batch.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.adopt(next)
	s.recorded = nil
	close(s.moved)
	s.moved = make(chan struct{})
	s.wake()
	s.lg.Info("took over the state of another replica", "applied", want.applied, "watermark", want.bound, "tablets", len(next.view.tablets))
	return nil
}

// fill writes the state that r streams into an empty engine and returns it.
func (s *Shard) fill(ctx context.Context, want descriptor, desc []byte, r io.Reader, e storage.Engine) (*loaded, error) {
	f := &frameReader{r: r}
	head, err := f.next()
	if err != nil {
		return nil, err
	}
	if head.kind != frameHead || !bytes.Equal(head.payload, desc) || want.group != s.cfg.Group {
		return nil, f.wrong("it is no stream of this snapshot, or the snapshot is not of group %d", s.cfg.Group)
	}
	next, first, err := readState(f, want)
	if err != nil {
		return nil, err
	}
	if err := load(ctx, f, first, next, want, e); err != nil {
		return nil, err
	}
	s.mu.Lock()
	forgotten := uint64(s.forgettable) // this process' engine forgets versions below in any case
	s.mu.Unlock()
	next.meta.Horizon = max(next.meta.Horizon, forgotten)
	batch, err := encodeMeta(next.meta)
	if err != nil {
		return nil, err
	}
	return next, e.Write(ctx, batch)
}

// readState reads the record, and the frame that follows it.
func readState(f *frameReader, want descriptor) (*loaded, frame, error) {
	var record []byte
	got, err := f.next()
	for ; err == nil && got.kind == frameRecord; got, err = f.next() {
		record = append(record, got.payload...)
	}
	if err != nil {
		return nil, got, err
	}
	meta := &pb.ShardMeta{}
	if err := proto.Unmarshal(record, meta); err != nil {
		return nil, got, f.wrong("the replica's record: %w", err)
	}
	if err := checkVersion(meta); err != nil {
		return nil, got, f.wrong("the replica's record: %w", err)
	}
	if meta.Applied != want.applied || meta.Watermark != uint64(want.bound) || meta.Horizon != uint64(want.horizon) {
		return nil, got, f.wrong("the replica's record is of another state: of entry %d, not %d", meta.Applied, want.applied)
	}
	next, err := decodeState(meta, want.group)
	if err != nil {
		return nil, got, f.wrong("the replica's record: %w", err)
	}
	return next, got, nil
}

// loadBytes is how much is given to the engine at once.
const loadBytes = 4 << 20

// load writes the changes of the stream, from the frame at on, up to its end.
func load(ctx context.Context, f *frameReader, at frame, next *loaded, want descriptor, e storage.Engine) error {
	live := map[graph.Incarnation]bool{}
	for _, t := range next.view.tablets {
		live[t.incarnation()] = true
	}
	for _, in := range next.view.incoming {
		live[in.incarnation()] = true
	}
	for _, f := range next.view.left {
		live[f.incarnation()] = true
	}
	batch := &storage.Batch{}
	size := 0
	write := func() error {
		err := e.Write(ctx, batch)
		batch, size = &storage.Batch{}, 0
		return err
	}
	for at.kind == frameData {
		err := f.eachChange(at, func(op storage.Op) error {
			if k, err := keys.Parse(op.Key); err != nil || !live[k.Incarnation] || op.Ts > want.bound {
				return fmt.Errorf("key %x at %d does not belong to the state: %w", op.Key, op.Ts, errors.Join(err, errChange))
			}
			batch.Ops = append(batch.Ops, op)
			size += len(op.Key) + len(op.Value)
			return nil
		})
		if err == nil && size >= loadBytes {
			err = write()
		}
		if err == nil {
			at, err = f.next()
		}
		if err != nil {
			return err
		}
	}
	if at.kind != frameEnd {
		return f.wrong("a frame of kind %d is where changes or the end should be", at.kind)
	}
	if err := f.totals(at); err != nil {
		return err
	}
	if err := f.done(); err != nil {
		return err
	}
	return write()
}
