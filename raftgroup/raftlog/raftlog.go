// Package raftlog is the durable log of one member of a Raft group: etcd's write-ahead log with fsync, one directory a group.
//
// What it is not: it does not decide when to sync (Raft's MustSync does) nor when to trim (its caller does, after a storage
// barrier). A torn tail, the trace of a crash in mid-write, is cut off on opening; any other damage refuses to open and
// leaves the directory for diagnosis.
package raftlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

// segmentBytes is the size of one preallocated file of the log.
const segmentBytes = 32 << 20

// setSegmentBytes runs once: the size is a variable of the wal package.
var setSegmentBytes = sync.OnceFunc(func() { wal.SegmentSizeBytes = segmentBytes })

// ErrIdentity says that the log in the directory belongs to another node, group or cluster.
var ErrIdentity = errors.New("raftlog: the log belongs to another node")

// Identity says whose log it is. It is written when the log is made and never changes.
type Identity struct {
	Cluster string `json:"cluster"`
	Group   uint32 `json:"group"` // 0 for the group of Zeros
	Node    uint64 `json:"node"`
}

// Mark is a position in the log up to which the state machine has everything elsewhere, and the membership there.
type Mark struct {
	Index, Term uint64
	ConfState   *raftpb.ConfState
}

// State is what a log held when it was opened: Raft starts from Mark, HardState and the Entries after Mark.
type State struct {
	// Begun is false where a crash cut the making of the log short: Begin is still to be called. The log of a member that
	// waits to be added is begun, with the zero Mark.
	Begun     bool
	Mark      Mark
	HardState *raftpb.HardState
	Entries   []*raftpb.Entry
}

// Log is an open log. Its methods may be called concurrently.
type Log struct {
	wal *wal.WAL
	dir string

	mu    sync.Mutex // held while records are written: zeros must not come between
	ahead ahead      // guarded by mu
}

// ReadIdentity returns whose log is in dir, and false if there is none.
func ReadIdentity(dir string) (id Identity, exists bool, err error) {
	defer asError(dir, &err)
	if !wal.Exist(dir) {
		return Identity{}, false, nil
	}
	mark, _, err := newestMark(dir)
	if err != nil {
		return Identity{}, false, err
	}
	w, err := wal.OpenForRead(zap.NewNop(), dir, mark)
	if err != nil {
		return Identity{}, false, fmt.Errorf("opening the log in %s: %w", dir, err)
	}
	return identityOf(w, dir)
}

// identityOf reads the metadata of a log that is open for reading; ReadAll releases such a log, Close would fail on it.
func identityOf(w *wal.WAL, dir string) (Identity, bool, error) {
	meta, _, _, err := w.ReadAll()
	// A torn tail is Open's to mend; the metadata stands at the head of every segment.
	if err != nil && meta == nil {
		return Identity{}, false, fmt.Errorf("reading the log in %s: %w", dir, err)
	}
	id := Identity{}
	if err := json.Unmarshal(meta, &id); err != nil {
		return Identity{}, false, fmt.Errorf("the log in %s has no identity: %w", dir, err)
	}
	return id, true, nil
}

// Create makes an empty log for a new member whose group starts at mark: index ≥ 1 with the full membership, or the zero Mark
// for a member that waits to be added to a group. The directory must not hold a log.
func Create(dir string, id Identity, mark Mark) (*Log, *State, error) {
	setSegmentBytes()
	meta, err := json.Marshal(id)
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, nil, err
	}
	w, err := wal.Create(zap.NewNop(), dir, meta)
	if err != nil {
		return nil, nil, fmt.Errorf("creating the log in %s: %w", dir, err)
	}
	l := &Log{wal: w, dir: dir}
	st, err := l.Begin(mark)
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	return l, st, nil
}

// Begin gives an empty log its first mark. Create does it; what is left of a crash within Create needs it still.
func (l *Log) Begin(mark Mark) (*State, error) {
	hard := &raftpb.HardState{Term: &mark.Term, Vote: new(uint64), Commit: &mark.Index}
	if err := l.saveMark(mark); err != nil {
		return nil, err
	}
	if err := l.wal.Save(hard, nil); err != nil {
		return nil, err
	}
	return &State{Begun: true, Mark: mark, HardState: hard}, nil
}

// Open opens the log in dir and reads it from its newest mark on. A torn tail is cut off and reported to lg.
func Open(dir string, id Identity, lg *slog.Logger) (l *Log, st *State, err error) {
	defer asError(dir, &err)
	setSegmentBytes()
	mark, begun, err := newestMark(dir)
	if err != nil {
		return nil, nil, err
	}
	if err := checkTail(dir); err != nil {
		return nil, nil, fmt.Errorf("keep the directory for diagnosis and add this node anew: %w", err)
	}
	if err := removeSpare(dir); err != nil {
		return nil, nil, err
	}
	for repaired := false; ; repaired = true {
		w, err := wal.Open(zap.NewNop(), dir, mark)
		if err != nil {
			return nil, nil, fmt.Errorf("opening the log in %s: %w", dir, err)
		}
		meta, hard, entries, err := w.ReadAll()
		if err == nil {
			if entries, err = dropOvertaken(dir, mark, entries); err != nil {
				return nil, nil, errors.Join(err, w.Close())
			}
			return opened(w, dir, id, meta, &State{
				Begun: begun, Mark: Mark{Index: mark.GetIndex(), Term: mark.GetTerm(), ConfState: mark.GetConfState()},
				HardState: hard, Entries: entries,
			})
		}
		if cerr := w.Close(); cerr != nil {
			return nil, nil, errors.Join(err, cerr)
		}
		if repaired || !errors.Is(err, io.ErrUnexpectedEOF) || !wal.Repair(zap.NewNop(), dir) {
			return nil, nil, fmt.Errorf("the log in %s is damaged; keep the directory for diagnosis and add this node anew: %w", dir, err)
		}
		lg.Warn("cut off a torn tail of the Raft log, the trace of a crash", "dir", dir)
	}
}

// asError turns a panic of the wal package, its answer to records whose checksum holds but whose content does not, into an
// error.
func asError(dir string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the log in %s is damaged; keep the directory for diagnosis and add this node anew: %v", dir, p)
	}
}

// SpareBytes returns how much room on the disk the segments take that the log in dir has allocated and not used yet. Open
// gives it back before it allocates the same again.
func SpareBytes(dir string) (bytes int64, err error) {
	return bytes, eachSpare(dir, func(_ string, size int64) error {
		bytes += size
		return nil
	})
}

// removeSpare removes the spare segment that a killed process left: its successor makes one by another name.
func removeSpare(dir string) error {
	return eachSpare(dir, func(path string, _ int64) error { return os.Remove(path) })
}

func eachSpare(dir string, fn func(path string, size int64) error) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.tmp"))
	if err != nil {
		return err
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		if err := fn(name, info.Size()); err != nil {
			return err
		}
	}
	return nil
}

func opened(w *wal.WAL, dir string, id Identity, meta []byte, st *State) (*Log, *State, error) {
	var got Identity
	if err := json.Unmarshal(meta, &got); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("the log in %s has no identity: %w", dir, err), w.Close())
	}
	if got != id {
		err := fmt.Errorf("%w: %s is of %+v, this node is %+v", ErrIdentity, dir, got, id)
		return nil, nil, errors.Join(err, w.Close())
	}
	return &Log{wal: w, dir: dir}, st, nil
}

// newestMark finds the newest snapshot record that the log's own hard state covers, and whether it is one of ours: wal.Create
// writes one of index 0.
func newestMark(dir string) (mark *walpb.Snapshot, begun bool, err error) {
	marks, err := wal.ValidSnapshotEntries(zap.NewNop(), dir)
	if err != nil {
		return nil, false, fmt.Errorf("reading the marks of the log in %s: %w", dir, err)
	}
	if len(marks) == 0 {
		return nil, false, fmt.Errorf("the log in %s has no mark to start from", dir)
	}
	mark = marks[len(marks)-1]
	return mark, mark.GetIndex() > 0 || len(marks) > 1, nil
}

// Save appends entries and the hard state, and syncs them where Raft needs it. After an error the log must not be used:
// what reached the disk is unknown.
func (l *Log) Save(hard *raftpb.HardState, entries []*raftpb.Entry) error {
	if hard == nil && len(entries) == 0 {
		return nil
	}
	if hard == nil {
		hard = &raftpb.HardState{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ahead.before(l.dir, entries)
	return l.wal.Save(hard, entries)
}

// SetMark records that everything up to mark is durable elsewhere, and deletes the segments below it. Call it only after
// the storage barrier.
func (l *Log) SetMark(mark Mark) error {
	if err := l.saveMark(mark); err != nil {
		return err
	}
	return l.release(mark.Index)
}

func (l *Log) saveMark(mark Mark) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wal.SaveSnapshot(record(mark))
}

// Restore records, durably, that a snapshot of another member took the place of the log: everything up to mark is durable
// elsewhere, what the log held is void, and entries follow. The hard state must cover mark.
func (l *Log) Restore(mark Mark, hard *raftpb.HardState, entries []*raftpb.Entry) error {
	if err := l.saveMark(mark); err != nil {
		return err
	}
	if err := l.Save(hard, entries); err != nil {
		return err
	}
	// Until the hard state covers it the mark does not count: only now the segments below are not needed any more.
	if err := l.wal.Sync(); err != nil {
		return err
	}
	return l.release(mark.Index)
}

// Sync makes everything saved durable, also what Raft does not need synced: a commit index alone.
func (l *Log) Sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wal.Sync()
}

// release gives up the segments below index.
func (l *Log) release(index uint64) error {
	if err := l.wal.ReleaseLockTo(index); err != nil {
		return err
	}
	return l.deleteBelow(index)
}

// deleteBelow removes the segments whose every entry is below index.
func (l *Log) deleteBelow(index uint64) error {
	names, err := filepath.Glob(filepath.Join(l.dir, "*.wal"))
	if err != nil {
		return err
	}
	slices.Sort(names)
	for i := 0; i+1 < len(names); i++ {
		var seq, first uint64
		if _, err := fmt.Sscanf(filepath.Base(names[i+1]), "%016x-%016x.wal", &seq, &first); err != nil {
			return fmt.Errorf("odd file in the log directory: %s", names[i+1])
		}
		if first > index {
			return nil
		}
		if err := os.Remove(names[i]); err != nil {
			return err
		}
	}
	return nil
}

// Close syncs and closes the log.
func (l *Log) Close() error { return l.wal.Close() }

func record(m Mark) *walpb.Snapshot {
	return &walpb.Snapshot{Index: &m.Index, Term: &m.Term, ConfState: m.ConfState}
}
