package fsck

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"dragg/alpha/shard"
	"dragg/graph"
	"dragg/raftgroup"
	"dragg/raftgroup/fsm"
	"dragg/raftgroup/raftlog"
	"dragg/storage/badgerkv"
	"dragg/zero/oracle"
	"dragg/zero/state"
)

// Folder says where the data of a server that is down lies.
type Folder struct {
	Alpha string // holds p and wal
	Zero  string // holds wal; "" where Zero's data is not here
}

// ErrNoData says that a folder holds no data of an Alpha.
var ErrNoData = errors.New("no data of an alpha")

// Find finds the data below the folder of `dragg up` or of `dragg alpha`.
func Find(dir string) (Folder, error) {
	for _, f := range []Folder{{filepath.Join(dir, "alpha"), filepath.Join(dir, "zero")}, {dir, ""}} {
		if !isDir(filepath.Join(f.Alpha, "p")) {
			continue
		}
		if f.Zero != "" && !isDir(filepath.Join(f.Zero, "wal")) {
			f.Zero = ""
		}
		return f, nil
	}
	return Folder{}, fmt.Errorf("%w in %s: neither alpha/p nor p is there", ErrNoData, dir)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// memoryBytes is what the engine may hold in memory during a check.
const memoryBytes = 256 << 20

// reserveBytes is how much room on the disk the replay of the log leaves alone.
const reserveBytes = 16 << 20

// Run opens the data of a server that is down, applies what its Raft log holds beyond its last checkpoint, and checks it.
func Run(ctx context.Context, cfg Config, f Folder, lg *slog.Logger) (sum Summary, err error) {
	path := filepath.Join(f.Alpha, "p")
	engine, err := badgerkv.Open(path, badgerkv.Config{MemoryBytes: memoryBytes, ReserveBytes: reserveBytes, Logger: lg})
	if err != nil {
		return Summary{}, fmt.Errorf("opening the posting lists in %s (is a server running on them?): %w", path, err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	id, err := identity(filepath.Join(f.Alpha, "wal"))
	if err != nil {
		return Summary{}, err
	}
	if id.Group == 0 {
		return Summary{}, fmt.Errorf("%s is the folder of Zero %d, not of an alpha", f.Alpha, id.Node)
	}
	s, err := shard.Open(shard.Config{Group: graph.GroupID(id.Group), Logger: lg}, engine)
	if err != nil {
		return Summary{}, err
	}
	defer context.AfterFunc(ctx, s.Stop)()
	if err := replay(filepath.Join(f.Alpha, "wal"), s, lg); err != nil {
		return Summary{}, fmt.Errorf("replaying the log of the group: %w", err)
	}
	var z *state.Machine
	if f.Zero != "" {
		if z, err = state.Open(f.Zero, oracle.DefaultLimits); err != nil {
			return Summary{}, fmt.Errorf("the state of Zero: %w", err)
		}
		if id, err := identity(filepath.Join(f.Zero, "wal")); err == nil && id.Group != 0 {
			return Summary{}, fmt.Errorf("%s is the folder of Alpha %d, not of a Zero", f.Zero, id.Node)
		}
		if err := replay(filepath.Join(f.Zero, "wal"), z, lg); err != nil {
			return Summary{}, fmt.Errorf("replaying the log of Zero: %w", err)
		}
	}
	return check(ctx, cfg, s, engine, z, graph.GroupID(id.Group))
}

// replay has the machine apply everything that its log holds, as a start of the server would.
func replay(dir string, m fsm.Machine, lg *slog.Logger) error {
	id, err := identity(dir)
	if err != nil {
		return err
	}
	return raftgroup.Replay(dir, id, m, lg)
}

func identity(dir string) (raftlog.Identity, error) {
	id, exists, err := raftlog.ReadIdentity(dir)
	if err == nil && !exists {
		err = fmt.Errorf("there is no log in %s", dir)
	}
	return id, err
}
