package shard

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"dragg/storage"
)

// A stream is frames, numbered from 0, each with a checksum over all of it:
//
//	kind (1) │ number (4) │ count (4) │ length (4) │ CRC-32C (4) │ payload
//
// See docs/format/snapshots.md.
const frameHeader = 1 + 4 + 4 + 4 + 4

// The kinds of frame, in the order in which they come first.
const (
	frameHead   = 'H' // the descriptor
	frameMark   = 'P' // a position: before the record where a transfer goes on, between changes where one may
	frameRecord = 'M' // a piece of pb.ShardMeta
	frameData   = 'D' // changes of lists
	frameEnd    = 'E' // totals
)

const (
	// frameBytes is from which size on a frame of changes is complete.
	frameBytes = 256 << 10
	// maxFrame bounds a frame: one change may be large, and no frame is larger than one change and frameBytes.
	maxFrame = 1 << 30
)

// frameWriter writes frames.
type frameWriter struct {
	w      io.Writer
	number uint32
	buf    []byte // the frame that is being filled, with room for its header
	count  uint32
	last   []byte // key of the last change in the frame

	changes, bytes uint64 // of all transfers of the state together
	marked         uint64 // bytes at the last mark
}

func newFrameWriter(w io.Writer) *frameWriter {
	return &frameWriter{w: w, buf: make([]byte, frameHeader, frameHeader+frameBytes*5/4)}
}

// frame writes a frame of the given kind.
func (f *frameWriter) frame(kind byte, count uint32, payload []byte) error {
	f.buf = append(f.buf[:frameHeader], payload...)
	return f.finish(kind, count)
}

func (f *frameWriter) finish(kind byte, count uint32) error {
	if len(f.buf)-frameHeader > maxFrame {
		return fmt.Errorf("a change of %d bytes is too large to be sent", len(f.buf))
	}
	f.buf[0] = kind
	binary.BigEndian.PutUint32(f.buf[1:], f.number)
	binary.BigEndian.PutUint32(f.buf[5:], count)
	binary.BigEndian.PutUint32(f.buf[9:], uint32(len(f.buf)-frameHeader))
	binary.BigEndian.PutUint32(f.buf[13:], 0)
	binary.BigEndian.PutUint32(f.buf[13:], checksum(f.buf))
	f.number++
	_, err := f.w.Write(f.buf)
	f.buf, f.count, f.last = f.buf[:frameHeader], 0, f.last[:0]
	return err
}

// change adds a change. A frame that is complete is written.
func (f *frameWriter) change(op storage.Op) error {
	before := len(f.buf)
	f.buf = appendChange(f.buf, op, f.last)
	f.last = append(f.last[:0], op.Key...)
	f.count++
	f.changes++
	f.bytes += uint64(len(f.buf) - before)
	if len(f.buf) < frameBytes {
		return nil
	}
	return f.finish(frameData, f.count)
}

// flush writes the changes that wait for their frame to be complete.
func (f *frameWriter) flush() error {
	if f.count == 0 {
		return nil
	}
	return f.finish(frameData, f.count)
}

// begin has the totals count from a position on, and writes it.
func (f *frameWriter) begin(p position) error {
	f.changes, f.bytes, f.marked = p.changes, p.bytes, p.bytes
	return f.frame(frameMark, 0, p.appendBinary(nil))
}

// mark writes that everything up to the list at key, with it, has come.
func (f *frameWriter) mark(id captureID, key []byte) error {
	if err := f.flush(); err != nil {
		return err
	}
	f.marked = f.bytes
	return f.frame(frameMark, 0, position{id, f.changes, f.bytes, key}.appendBinary(nil))
}

// end writes what is left, and the totals: frames before this one, and of all transfers changes and bytes of changes.
func (f *frameWriter) end() error {
	if err := f.flush(); err != nil {
		return err
	}
	b := binary.BigEndian.AppendUint32(nil, f.number)
	b = binary.BigEndian.AppendUint64(b, f.changes)
	return f.frame(frameEnd, 0, binary.BigEndian.AppendUint64(b, f.bytes))
}

// frame is a frame that was read and found intact.
type frame struct {
	kind    byte
	count   uint32
	payload []byte
}

// frameReader reads frames.
type frameReader struct {
	r              io.Reader
	number         uint32 // of the next frame
	at             int64  // bytes read
	changes, bytes uint64 // of all transfers of the state together
}

// errBroken says that the stream broke off or was damaged on its way: what came before is as it was sent.
var errBroken = errors.New("the stream broke")

// wrong returns an error that says where the stream is wrong.
func (f *frameReader) wrong(format string, args ...any) error {
	return fmt.Errorf("frame %d, after %d bytes: %w", f.number, f.at, fmt.Errorf(format, args...))
}

// broke is wrong for what happened on the way.
func (f *frameReader) broke(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errBroken, f.wrong(format, args...))
}

func (f *frameReader) next() (frame, error) {
	var head [frameHeader]byte
	if n, err := io.ReadFull(f.r, head[:]); err != nil {
		return frame{}, f.broke("it ended %d bytes into the frame's head: %w", n, noEOF(err))
	}
	got := frame{kind: head[0], count: binary.BigEndian.Uint32(head[5:])}
	length, sum := binary.BigEndian.Uint32(head[9:]), binary.BigEndian.Uint32(head[13:])
	if length > maxFrame {
		return frame{}, f.broke("it claims to have %d bytes: it is damaged", length)
	}
	binary.BigEndian.PutUint32(head[13:], 0)
	whole := bytes.NewBuffer(make([]byte, 0, frameHeader+min(length, 2*frameBytes)))
	whole.Write(head[:])
	// The length is not believed before the bytes are here.
	if n, err := io.CopyN(whole, f.r, int64(length)); err != nil {
		return frame{}, f.broke("it ended %d bytes into the frame's %d: %w", n, length, noEOF(err))
	}
	if checksum(whole.Bytes()) != sum {
		return frame{}, f.broke("it is damaged: its checksum does not match")
	}
	if n := binary.BigEndian.Uint32(head[1:]); n != f.number {
		return frame{}, f.broke("frame %d is in its place", n)
	}
	f.number++
	f.at += int64(whole.Len())
	got.payload = whole.Bytes()[frameHeader:]
	return got, nil
}

// done checks that the stream has ended.
func (f *frameReader) done() error {
	var b [1]byte
	n, err := io.ReadFull(f.r, b[:])
	if n > 0 {
		return f.wrong("the stream goes on after its end")
	}
	if !errors.Is(err, io.EOF) {
		return f.wrong("after the end: %w", err)
	}
	return nil
}

// totals checks the last frame against what was read.
func (f *frameReader) totals(end frame) error {
	if len(end.payload) != 4+8+8 {
		return f.wrong("the totals have %d bytes", len(end.payload))
	}
	frames, changes := binary.BigEndian.Uint32(end.payload), binary.BigEndian.Uint64(end.payload[4:])
	if size := binary.BigEndian.Uint64(end.payload[12:]); frames != f.number-1 || changes != f.changes || size != f.bytes {
		return f.wrong("%d frames with %d changes in %d bytes were sent, %d with %d in %d came",
			frames, changes, size, f.number-1, f.changes, f.bytes)
	}
	return nil
}

// eachChange calls fn for the changes of a frame. They share the memory of the frame.
func (f *frameReader) eachChange(d frame, fn func(storage.Op) error) error {
	if err := eachChange(d.payload, d.count, fn); err != nil {
		return f.wrong("%w", err)
	}
	f.changes += uint64(d.count)
	f.bytes += uint64(len(d.payload))
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
