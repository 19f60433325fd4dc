package shard

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"dragg/graph"
	"dragg/posting/keys"
	"dragg/storage"
)

// loadBytes is how much is given to the engine at once.
const loadBytes = 4 << 20

// incomingState is a state that another replica sends, on its way into an engine.
type incomingState struct {
	frames *frameReader
	desc   []byte
	want   descriptor
	from   position  // where the stream begins; the zero position is the start
	id     captureID // of what is sent
	state  *loaded   // the record
	first  frame     // behind the record

	keepBytes uint64 // see the constant

	engine   storage.Filling
	live     map[graph.Incarnation]bool // whose lists may come
	batch    *storage.Batch             // what the engine has not yet
	size     int                        // of batch
	markedAt position                   // up to here everything has come
	keptAt   position                   // up to here the engine has it for good
}

// note is what the engine keeps a part of the state under.
func (in *incomingState) note(p position) []byte { return p.appendBinary(bytes.Clone(in.desc)) }

// load writes the changes of the stream up to its end. Where it breaks, the engine keeps what came up to the last mark.
func (in *incomingState) load(ctx context.Context, e storage.Filling) error {
	in.engine, in.batch, in.keptAt = e, &storage.Batch{}, in.from
	in.live = map[graph.Incarnation]bool{}
	for _, t := range in.state.view.tablets {
		in.live[t.incarnation()] = true
	}
	for _, t := range in.state.view.incoming {
		in.live[t.incarnation()] = true
	}
	for _, t := range in.state.view.left {
		in.live[t.incarnation()] = true
	}
	err := in.loadAll(ctx)
	if errors.Is(err, errBroken) && in.markedAt.bytes > in.keptAt.bytes {
		err = errors.Join(err, in.keep(context.WithoutCancel(ctx))) // it takes no longer than a checkpoint
	}
	return err
}

func (in *incomingState) loadAll(ctx context.Context) error {
	f, at := in.frames, in.first
	var err error
	for ; err == nil && (at.kind == frameData || at.kind == frameMark); at, err = f.next() {
		if at.kind == frameMark {
			err = in.mark(ctx, at)
		} else {
			err = in.changes(ctx, at)
		}
		if err != nil {
			return err
		}
	}
	if err != nil {
		return err
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
	return in.flush(ctx)
}

// changes takes the changes of a frame.
func (in *incomingState) changes(ctx context.Context, at frame) error {
	err := in.frames.eachChange(at, func(op storage.Op) error {
		if k, err := keys.Parse(op.Key); err != nil || !in.live[k.Incarnation] || op.Ts > in.want.bound {
			return fmt.Errorf("key %x at %d does not belong to the state: %w", op.Key, op.Ts, errors.Join(err, errChange))
		}
		in.batch.Ops = append(in.batch.Ops, op)
		in.size += len(op.Key) + len(op.Value)
		return nil
	})
	if err != nil || in.size < loadBytes {
		return err
	}
	return in.flush(ctx)
}

func (in *incomingState) flush(ctx context.Context) error {
	err := in.engine.Write(ctx, in.batch)
	in.batch, in.size = &storage.Batch{}, 0
	return err
}

// mark takes the lists before a mark for whole.
func (in *incomingState) mark(ctx context.Context, at frame) error {
	p, err := decodePosition(at.payload)
	if err != nil {
		return in.frames.wrong("%w", err)
	}
	if p.capture != in.id || p.changes != in.frames.changes || p.bytes != in.frames.bytes {
		return in.frames.wrong("a mark after %d changes in %d bytes, %d in %d came", p.changes, p.bytes, in.frames.changes, in.frames.bytes)
	}
	in.markedAt = p
	if p.bytes-in.keptAt.bytes < in.keepBytes {
		return nil
	}
	return in.keep(ctx)
}

// keep has the engine keep the lists before the last mark. There may be more.
func (in *incomingState) keep(ctx context.Context) error {
	if err := in.flush(ctx); err != nil {
		return err
	}
	in.keptAt = in.markedAt
	return in.engine.Keep(ctx, in.note(in.keptAt))
}
