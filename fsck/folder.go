package fsck

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"dragg/alpha/shard"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
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
	s, err := shard.Open(shard.Config{Logger: lg}, engine)
	if err != nil {
		return Summary{}, err
	}
	defer context.AfterFunc(ctx, s.Stop)()
	id, err := replay(ctx, filepath.Join(f.Alpha, "wal"), s, lg)
	if err != nil {
		return Summary{}, fmt.Errorf("replaying the log of the group: %w", err)
	}
	var z *state.Machine
	if f.Zero != "" {
		if z, err = state.Open(f.Zero, oracle.DefaultLimits); err != nil {
			return Summary{}, fmt.Errorf("the state of Zero: %w", err)
		}
		if _, err := replay(ctx, filepath.Join(f.Zero, "wal"), z, lg); err != nil {
			return Summary{}, fmt.Errorf("replaying the log of Zero: %w", err)
		}
	}
	return check(ctx, cfg, s, engine, z, graph.GroupID(id.Group))
}

// replay has the machine apply everything that its log holds, as a start of the server would.
func replay(ctx context.Context, dir string, m fsm.Machine, lg *slog.Logger) (raftlog.Identity, error) {
	id, exists, err := raftlog.ReadIdentity(dir)
	if err != nil {
		return id, err
	}
	if !exists {
		return id, fmt.Errorf("there is no log in %s", dir)
	}
	g, err := raftgroup.Open(raftgroup.Config{Dir: dir, Identity: id, Logger: lg, CheckpointInterval: time.Hour}, m)
	if err != nil {
		return id, err
	}
	eg, running := errgroup.WithContext(ctx)
	running, stop := context.WithCancel(running)
	eg.Go(func() error { return g.Run(running) })
	eg.Go(func() error {
		defer stop()
		return barrier(running, g)
	})
	return id, errors.Join(eg.Wait(), ctx.Err())
}

// leaderInterval is how often a replay looks whether the member leads its group of one.
const leaderInterval = 5 * time.Millisecond

// barrier returns when everything in the log is applied: an entry without content, for which every machine does nothing, has
// come through.
func barrier(ctx context.Context, g *raftgroup.Group) error {
	nothing, err := proto.Marshal(&pb.GroupEntry{})
	if err != nil {
		return err
	}
	ticker := time.NewTicker(leaderInterval)
	defer ticker.Stop()
	for {
		_, err := g.Propose(ctx, nothing)
		if err == nil || fault.ClassOf(err) != fault.Unavailable {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
