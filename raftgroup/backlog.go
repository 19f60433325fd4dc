package raftgroup

import (
	"log/slog"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// progressInterval is how often a member that is started says how far it is with its log.
const progressInterval = 2 * time.Second

// backlog is what the log of a member held at its start and its machine did not: what it applies before it is of use. The zero
// backlog is empty.
type backlog struct {
	lg          *slog.Logger
	entries     int
	upto        uint64 // index of the last entry, 0 once it is applied
	bytes, done int
	began, said time.Time
}

func (b *backlog) begin(entries []*raftpb.Entry, durable uint64, lg *slog.Logger) {
	*b = backlog{lg: lg, began: time.Now(), said: time.Now()}
	for _, e := range entries {
		if e.GetIndex() > durable {
			b.entries++
			b.upto = e.GetIndex()
			b.bytes += len(e.GetData())
		}
	}
}

// note says that the log was applied up to index, so many bytes of it just now.
func (b *backlog) note(index uint64, bytes int) {
	if b.upto == 0 {
		return
	}
	b.done += bytes
	switch now := time.Now(); {
	case index >= b.upto:
		b.upto = 0
		b.lg.Info("the log is applied", "entries", b.entries, "bytes", b.bytes, "took", now.Sub(b.began).Round(time.Millisecond))
	case now.Sub(b.said) >= progressInterval:
		b.said = now
		b.lg.Info("applying the log", "bytes", b.done, "of", b.bytes)
	}
}
