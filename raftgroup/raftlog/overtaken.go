package raftlog

import (
	"errors"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// dropOvertaken returns the entries behind mark without those that the mark made void. A mark that Restore wrote replaces the
// log; where the log held another entry at the mark's index, everything behind that entry was never committed, was forgotten
// by Raft in memory, and must not come back. wal.ReadAll cannot know: it keeps what has a higher index.
func dropOvertaken(dir string, mark *walpb.Snapshot, entries []*raftpb.Entry) (_ []*raftpb.Entry, err error) {
	if len(entries) == 0 || mark.GetIndex() == 0 {
		return entries, nil
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	readers := make([]fileutil.FileReader, 0, len(names))
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		readers = append(readers, fileutil.NewFileReader(f))
	}
	if behindOvertaken(wal.NewDecoder(readers...), mark) {
		return nil, nil
	}
	return entries, nil
}

// behindOvertaken reports whether all entries behind mark were written before it, on top of another entry than the mark's.
func behindOvertaken(decoder wal.Decoder, mark *walpb.Snapshot) (overtaken bool) {
	var term uint64 // of the entry at the mark's index, 0 where the log does not reach it
	rec := &walpb.Record{}
	for decoder.Decode(rec) == nil { // ReadAll was content with the log already
		switch rec.GetType() {
		case wal.CrcType:
			decoder.UpdateCRC(rec.GetCrc())
		case wal.EntryType:
			e := &raftpb.Entry{}
			if proto.Unmarshal(rec.Data, e) != nil {
				return false
			}
			switch {
			case e.GetIndex() < mark.GetIndex():
				term = 0
			case e.GetIndex() == mark.GetIndex():
				term = e.GetTerm()
			case e.GetIndex() == mark.GetIndex()+1:
				overtaken = false // the log goes on from the mark
			}
		case wal.SnapshotType:
			m := &walpb.Snapshot{}
			if proto.Unmarshal(rec.Data, m) == nil && m.GetIndex() == mark.GetIndex() {
				overtaken = term != 0 && term != mark.GetTerm()
			}
		}
	}
	return overtaken
}
