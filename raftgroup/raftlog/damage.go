package raftlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// ErrDamaged says that a log lost entries that were committed.
var ErrDamaged = errors.New("raftlog: committed entries are damaged")

// checkTail tells damage from a torn tail in the newest segment. Both end the reading of it early; but behind a torn tail there
// is at most what nobody was told of, while behind damage there are records of commits that go further than what can be read.
// (A follower of a larger group may write entries and their commit at once; where the disk tears that write out of order it is
// taken for damage, which errs on the safe side.)
func checkTail(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	if err != nil || len(names) == 0 {
		return err
	}
	slices.Sort(names)
	path := names[len(names)-1]
	end, err := readSegment(path)
	if err != nil {
		return err
	}
	// Damage of a padding leaves the decoder between two frames.
	end.offset &^= 7
	rest, err := readFrom(path, end.offset)
	if err != nil {
		return err
	}
	if at, commit := newestCommit(rest); commit > end.index {
		return fmt.Errorf("%w: %s can be read up to byte %d and entry %d, but at byte %d it says that %d was committed",
			ErrDamaged, path, end.offset, end.index, end.offset+int64(at), commit)
	}
	return nil
}

// segmentEnd is where the reading of a segment stops.
type segmentEnd struct {
	offset int64
	index  uint64 // nothing above it is known to be committed
}

// readSegment reads a segment as far as it can be read.
func readSegment(path string) (end segmentEnd, err error) {
	f, err := os.Open(path)
	if err != nil {
		return end, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	decoder, rec := wal.NewDecoder(fileutil.NewFileReader(f)), &walpb.Record{}
	for decoder.Decode(rec) == nil { // what ends it is wal.Open's to judge
		end.offset = decoder.LastOffset()
		switch rec.GetType() {
		case wal.CrcType:
			decoder.UpdateCRC(rec.GetCrc())
		case wal.EntryType:
			e := &raftpb.Entry{}
			if proto.Unmarshal(rec.Data, e) == nil {
				end.index = e.GetIndex()
			}
		case wal.StateType:
			end.index = max(end.index, commitOf(rec.Data))
		case wal.SnapshotType:
			s := &walpb.Snapshot{}
			if proto.Unmarshal(rec.Data, s) == nil {
				end.index = max(end.index, s.GetIndex())
			}
		}
	}
	return end, nil
}

func commitOf(data []byte) uint64 {
	h := &raftpb.HardState{}
	if proto.Unmarshal(data, h) != nil {
		return 0
	}
	return h.GetCommit()
}

func readFrom(path string, offset int64) (b []byte, err error) {
	b, err = os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return b[min(offset, int64(len(b))):], nil
}

// newestCommit looks for hard states among bytes that cannot be read in order any more, and returns the highest commit index and
// where it stands. Frames begin at multiples of eight: the length of the record, then the record.
func newestCommit(b []byte) (at int, commit uint64) {
	for i := 0; i+8 <= len(b); i += 8 {
		field := binary.LittleEndian.Uint64(b[i:])
		n := field &^ (0xff << 56)
		if n == 0 || n > maxStateBytes || n > uint64(len(b)-i-8) {
			continue
		}
		rec := &walpb.Record{}
		if proto.Unmarshal(b[i+8:i+8+int(n)], rec) != nil || rec.GetType() != wal.StateType {
			continue
		}
		if c := commitOf(rec.Data); c > commit {
			at, commit = i, c
		}
	}
	return at, commit
}

// maxStateBytes is more than the record of a hard state takes.
const maxStateBytes = 64
