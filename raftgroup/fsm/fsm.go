// Package fsm is the contract between Raft and what it replicates.
package fsm

import (
	"context"
	"errors"
	"io"
)

// ErrSnapshotGone says that the state of a descriptor cannot be streamed any more: there is a newer snapshot, or a part of the
// state was deleted since. Take a new Snapshot and send that.
var ErrSnapshotGone = errors.New("the state as of this snapshot is gone: take a new snapshot")

// Command is a command of a committed entry of the log. Several may share an entry, and so its index: they come with one Apply. One
// without data changes nothing but the index that is applied: changes of the group's membership reach the machine like that, so that
// Durable covers them.
type Command struct {
	Index uint64
	Term  uint64
	Data  []byte
}

// Machine is a replicated state machine. Apply and Restore are called by one goroutine, never at the same time. Snapshot is
// called by another one, also while Apply runs, but not while Restore runs: it captures a state between two batches, and only
// that capture may hold Apply up, never the wait for the disk. Durable, Progress and WriteSnapshot may be called at any time.
//
// Apply must be a pure function of the machine's state and the commands: no clock, randomness, network, configuration or
// map order, and no waiting. fsmtest.Run proves what it can of that.
type Machine interface {
	// Apply applies commands in order and returns one result for each, which is handed to the proposer if it is on this
	// node. An error means that the replica cannot go on (a disk that fails, an entry that cannot be decoded) and ends
	// the process; an entry that is merely refused is a result, the same on every replica.
	Apply(cmds []Command) (results []any, err error)

	// Durable returns the index of the last command whose effects survive the loss of power. Replay starts after it,
	// and the log is never trimmed past it.
	Durable() uint64

	// Snapshot makes everything applied so far durable (moving Durable up to it) and returns a descriptor of that
	// state, small enough for a log record. A group of several members needs the descriptor also when there was nothing
	// to be made durable. It holds at least until the next call; longer where a WriteSnapshot of it is under way.
	Snapshot() (desc []byte, err error)

	// WriteSnapshot streams the state that desc describes, or a later one, to a replica that needs it. It fails where
	// that state is not there any more, with ErrSnapshotGone. Apply goes on meanwhile and does not show in the stream.
	//
	// after is what Progress of the receiver returned. A machine that has that very state still streams only what comes behind;
	// else, and for nil, all of it.
	WriteSnapshot(ctx context.Context, desc, after []byte, w io.Writer) error

	// Restore replaces the machine's state by the one streamed in r: durably, all or nothing, so that after an error or a
	// crash the old state is there. Durable moves to the index of the new state. The stream may break off and may be
	// damaged; its end must be told from that by the stream itself. What arrived before that may be kept for the next Restore
	// of the same descriptor: a stream may begin where Progress says, or at the start.
	Restore(ctx context.Context, desc []byte, r io.Reader) error

	// Progress returns, small enough for a message, what the machine has kept of the state that desc describes, for
	// WriteSnapshot on the other side; nil if nothing, or if it keeps nothing. It survives a crash.
	Progress(desc []byte) (after []byte)
}
