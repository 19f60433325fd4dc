// Package storage is the door to the disk: versioned, ordered bytes. It is an interface with two
// implementations, badgerkv (Badger in managed mode) and memkv (an in-memory twin that can lose what was not
// synced), and one conformance suite, storagetest.
//
// A key has many versions, each written at a commit timestamp by the caller. The engine never draws a
// timestamp. Writing the same key at the same timestamp again replaces that version, so replaying a log is
// idempotent. A folded version (Batch.SetFolded) stands beside and in front of the one that was committed at its
// timestamp, so that a replay does not undo a rollup.
//
// Keys sort bytewise ascending; the versions of one key are visited newest first.
package storage

import (
	"context"
	"errors"

	"dragg/graph"
)

// ErrNotFound says that a key has no version at or below the reader's timestamp, or that its newest one is a
// deletion.
var ErrNotFound = errors.New("storage: key not found")

// ErrFull says that the disk has no room for the write. Nothing of the batch was stored. The engine goes on
// serving reads, and accepts writes again once there is room.
var ErrFull = errors.New("storage: disk is full")

// Engine stores versioned bytes. All methods may be called concurrently, except that Close must come last.
// Any error of Write or Sync other than ErrFull and a context error leaves the engine unusable: the caller
// ends the process (a retried fsync proves nothing).
type Engine interface {
	// ReaderAt returns a view of everything written at or below ts, as of now. Later writes at or below ts
	// may or may not be seen; callers read only below their applied watermark, where no more writes arrive
	// (rollups, which change no answer, excepted).
	ReaderAt(ts graph.Timestamp) Reader

	// Write stores the batch: all of it or nothing, also after a crash of the process. It is visible when
	// Write returns, and survives the loss of power only after a later Sync.
	Write(ctx context.Context, b *Batch) error

	// Sync is a barrier: when it returns nil, every batch whose Write returned before Sync began survives the
	// loss of power.
	Sync(ctx context.Context) error

	// DeletePrefix removes every version of every key that starts with prefix, in the background of other
	// work, in bounded steps. Nobody may write under the prefix meanwhile or later. It may be repeated after
	// a crash.
	DeletePrefix(ctx context.Context, prefix []byte) error

	// SetDiscardTs allows the engine to forget, at its leisure, versions below ts that a later version at or
	// below ts marked Complete (or a deletion) has superseded. ts never decreases.
	SetDiscardTs(ts graph.Timestamp)

	// Replace makes what fill writes all that the engine holds, in place of what it held. fill gets a content of its own, which
	// it neither retains nor closes: an empty one, or, for the note that Kept returned, the one that was kept under it. It is
	// all of it or nothing, also after a crash and a loss of power: after an error the engine holds what it held, and what it
	// holds after nil is durable. While fill runs the engine works as ever (and needs room on the disk for both); but when fill
	// returns, nobody may write, sync or delete until Replace has returned as well, and Readers that were opened before then
	// must not be used after. The discard timestamp stays.
	//
	// A Replace without a note removes what was kept, and so does one that succeeds. One that fails leaves what fill has kept.
	// Replaces run one after the other.
	Replace(ctx context.Context, note []byte, fill func(Filling) error) error

	// Kept returns the note of what the last Replace kept and did not complete, in this process or an earlier one; nil if there
	// is nothing.
	Kept() []byte

	// Abandon removes what is kept. Not while a Replace runs: it waits for that.
	Abandon() error

	// Size returns the approximate bytes on disk of keys that start with prefix; of everything for an empty
	// prefix.
	Size(prefix []byte) int64

	// Close flushes and releases the engine.
	Close() error
}

// Filling is the content that Engine.Replace has filled. It is used as an Engine: nothing of it is seen outside.
type Filling interface {
	Engine

	// Keep has what was written so far outlast an error of fill, a crash and a loss of power, for a later Replace to go on with.
	// note, of at most MaxNote bytes, says what it is: each call takes the place of the one before. What is written after it
	// may be there too then, in part.
	Keep(ctx context.Context, note []byte) error
}

// MaxNote bounds the note of Filling.Keep, in bytes.
const MaxNote = 1 << 20

// ErrNoteGone is what Engine.Replace returns for a note that is not the one of what is kept, or where that turned out to be
// damaged: it is removed then.
var ErrNoteGone = errors.New("storage: what was kept is gone")

// Reader is a view of an Engine. It must be closed. One goroutine may use it at a time; Versions and Scan may
// not be nested within one Reader.
type Reader interface {
	// Versions calls fn for each version of key at or below the reader's timestamp, newest first, down to and
	// including the first one that is Complete or a deletion (deletions are not passed on). fn returns false
	// to stop. The value is only valid during the call. Where there is no version to pass, it returns
	// ErrNotFound.
	Versions(key []byte, fn func(ts graph.Timestamp, v Version) (more bool)) error

	// Scan returns an iterator over the keys in [from, to) that have a version at or below the reader's
	// timestamp, in ascending order. A nil to means the end of the store.
	Scan(from, to []byte) Iterator

	// KeysDown calls fn for the keys that Scan visits, in descending order. fn returns false to stop; the key is only valid
	// during the call.
	KeysDown(from, to []byte, fn func(key []byte) (more bool)) error

	// History is a Scan that passes more: of each key every version that a reader from floor on, up to this one, might be
	// passed, and also what stands behind a folded version at the same timestamp. So it goes on below a version that is
	// Complete, and passes deletions, as long as they are above floor. Keys of which it has nothing to pass may be visited
	// or not. floor must not be below the discard timestamp.
	History(from, to []byte, floor graph.Timestamp) Iterator

	// Changes is a History that ends above since: of each key it passes the versions above since alone. An engine finds them
	// without visiting what is older, as far as it can.
	Changes(from, to []byte, since graph.Timestamp) Iterator

	// Close releases the view.
	Close()
}

// Iterator walks keys in ascending order, and for each key its versions newest first, as Reader.Versions does.
// Keys whose newest version is a deletion are skipped.
//
//	for it.Next() {
//		key := it.Key()                       // valid until Next
//		it.Versions(func(ts, v) bool { … })   // at most once per key; may be left out
//	}
//	err := it.Close()
type Iterator interface {
	// Next moves to the next key and reports whether there is one.
	Next() bool
	// SeekGE moves so that the following Next lands on the first key at or above key. It only moves forward.
	SeekGE(key []byte)
	// Key returns the current key, valid until Next.
	Key() []byte
	// Versions visits the versions of the current key.
	Versions(fn func(ts graph.Timestamp, v Version) (more bool)) error
	// Close releases the iterator and returns the first error it met.
	Close() error
}

// Version is one stored value.
type Version struct {
	Value []byte
	// Complete says that older versions of the key do not matter to readers at or above this one.
	Complete bool
	// Deleted says that this is a deletion, which History alone passes, and Folded that it is the result of a rollup.
	Deleted, Folded bool
}

// Op is one change of a Batch.
type Op struct {
	Key, Value []byte
	Ts         graph.Timestamp
	Complete   bool
	Delete     bool
	// Folded says that the version is the result of a rollup at Ts: readers at or above Ts see it instead of
	// what was or will be written there without Folded. Only another folded one replaces it. It is Complete.
	Folded bool
}

// Batch is a list of changes to be stored together. The engine owns the slices it holds from Write on.
type Batch struct {
	Ops []Op
	// Owed says that the batch was promised already: it may use what is left of a full disk for as long as the engine
	// can store it at all.
	Owed  bool
	bytes int
}

// Set adds a version that builds on older ones.
func (b *Batch) Set(key, value []byte, ts graph.Timestamp) {
	b.add(Op{Key: key, Value: value, Ts: ts})
}

// SetComplete adds a version that makes older ones irrelevant.
func (b *Batch) SetComplete(key, value []byte, ts graph.Timestamp) {
	b.add(Op{Key: key, Value: value, Ts: ts, Complete: true})
}

// SetFolded adds a complete version that hides what else is or will be written of the key at ts.
func (b *Batch) SetFolded(key, value []byte, ts graph.Timestamp) {
	b.add(Op{Key: key, Value: value, Ts: ts, Complete: true, Folded: true})
}

// DeleteFolded adds a deletion that hides what else is or will be written of the key at ts.
func (b *Batch) DeleteFolded(key []byte, ts graph.Timestamp) {
	b.add(Op{Key: key, Ts: ts, Delete: true, Complete: true, Folded: true})
}

// Delete adds a deletion: at and above ts the key does not exist.
func (b *Batch) Delete(key []byte, ts graph.Timestamp) {
	b.add(Op{Key: key, Ts: ts, Delete: true, Complete: true})
}

// Bytes returns the approximate size of the batch.
func (b *Batch) Bytes() int { return b.bytes }

// Len returns the number of changes.
func (b *Batch) Len() int { return len(b.Ops) }

func (b *Batch) add(op Op) {
	b.Ops = append(b.Ops, op)
	b.bytes += len(op.Key) + len(op.Value) + 16
}
