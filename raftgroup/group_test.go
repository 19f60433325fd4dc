package raftgroup

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"dragg/internal/fault"
	"dragg/raftgroup/fsm"
	"dragg/raftgroup/raftlog"
)

// sumMachine adds up numbers. Its durable part survives in disk, its volatile part is lost by reopen.
type sumMachine struct {
	mu      sync.Mutex
	sum     uint64
	index   uint64
	disk    *sumDisk
	seen    []uint64 // indexes applied since it was opened
	order   []uint64 // and what was added
	failing error
}

type sumDisk struct{ sum, index uint64 }

func openSum(d *sumDisk) *sumMachine { return &sumMachine{sum: d.sum, index: d.index, disk: d} }

func (m *sumMachine) Apply(cmds []fsm.Command) ([]any, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return nil, m.failing
	}
	var out []any
	for _, c := range cmds {
		m.sum += binary.BigEndian.Uint64(c.Data)
		m.index = c.Index
		m.seen, m.order = append(m.seen, c.Index), append(m.order, binary.BigEndian.Uint64(c.Data))
		out = append(out, m.sum)
	}
	return out, nil
}

// sums returns the sum after each addition since it was opened, when it was empty then.
func (m *sumMachine) sums() (out []uint64) {
	sum := uint64(0)
	for _, n := range m.order {
		sum += n
		out = append(out, sum)
	}
	return out
}

func (m *sumMachine) Durable() uint64 { m.mu.Lock(); defer m.mu.Unlock(); return m.disk.index }

func (m *sumMachine) Snapshot() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	*m.disk = sumDisk{m.sum, m.index}
	return nil, nil
}

func (m *sumMachine) WriteSnapshot(context.Context, []byte, []byte, io.Writer) error { return nil }
func (m *sumMachine) Restore(context.Context, []byte, io.Reader) error               { return nil }
func (m *sumMachine) Progress([]byte) []byte                                         { return nil }

func startGroup(t *testing.T, dir string, m fsm.Machine, checkpointBytes int) (*Group, func() error) {
	t.Helper()
	g, err := Open(Config{
		Dir: dir, Identity: raftlog.Identity{Cluster: "c", Group: 1, Node: 7}, CheckpointBytes: checkpointBytes, KeepBytes: 1 << 10,
	}, m)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	return g, func() error { cancel(); return <-done }
}

func add(t *testing.T, g *Group, n uint64) uint64 {
	t.Helper()
	got, err := propose(g, n, 0)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func propose(g *Group, n uint64, padding int) (uint64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	res, err := g.Propose(ctx, append(binary.BigEndian.AppendUint64(nil, n), make([]byte, padding)...))
	if err != nil {
		return 0, err
	}
	return res.(uint64), nil
}

// Goal: whatever was acknowledged is there after a restart, and nothing is applied twice. Method: stop the group with and
// without a checkpoint at several points; the machine loses what it did not snapshot.
func TestRestartReplaysExactly(t *testing.T) {
	dir, disk := filepath.Join(t.TempDir(), "wal"), &sumDisk{}
	want := uint64(0)
	for round := range 6 {
		m := openSum(disk)
		g, stop := startGroup(t, dir, m, 1<<30)
		if round > 0 {
			want++
			if got := add(t, g, 1); got != want {
				t.Fatalf("round %d: sum %d after restart, want %d", round, got, want)
			}
		}
		for n := uint64(1); n <= 20; n++ {
			want += n
			add(t, g, n)
			if round%2 == 1 && n == 10 {
				if err := g.Checkpoint(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// Goal: the log does not grow with the number of writes. Method: write 40 checkpoints' worth from 16 writers.
func TestLogIsTrimmed(t *testing.T) {
	dir, disk := filepath.Join(t.TempDir(), "wal"), &sumDisk{}
	m := openSum(disk)
	g, stop := startGroup(t, dir, m, 4<<20)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 100 {
				if _, err := propose(g, 1, 100<<10); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := add(t, g, 0); got != 1600 {
		t.Errorf("sum %d, want 1600", got)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		files, err := filepath.Glob(filepath.Join(dir, "*.wal"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) <= 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log still has %d segments", len(files))
		}
		add(t, g, 0)
		if err := g.Checkpoint(); err != nil {
			t.Fatal(err)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	g, stop = startGroup(t, dir, openSum(disk), 1<<30)
	if got := add(t, g, 0); got != 1600 {
		t.Errorf("sum %d after restart, want 1600", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// A machine that fails ends the group, and those who wait learn that the outcome is unknown.
func TestMachineFailureEndsRun(t *testing.T) {
	m := openSum(&sumDisk{})
	broken := errors.New("the disk is gone")
	m.failing = broken
	g, stop := startGroup(t, filepath.Join(t.TempDir(), "wal"), m, 1<<30)
	_, err := propose(g, 1, 0)
	if fault.ClassOf(err) != fault.Unknown {
		t.Errorf("proposal got %v, want an unknown outcome", err)
	}
	if err := stop(); !errors.Is(err, broken) {
		t.Errorf("Run returned %v, want %v", err, broken)
	}
	if _, err := propose(g, 1, 0); !errors.Is(err, ErrNotLeader) {
		t.Errorf("proposal after the end got %v, want ErrNotLeader", err)
	}
}

// A group that is not told to stop does not end in silence, even where its machine says "canceled".
func TestCanceledMachineIsAFailure(t *testing.T) {
	m := openSum(&sumDisk{})
	g, stop := startGroup(t, filepath.Join(t.TempDir(), "wal"), m, 1<<30)
	add(t, g, 1)
	m.mu.Lock()
	m.failing = fmt.Errorf("a request that was given up: %w", context.Canceled)
	m.mu.Unlock()
	if _, err := propose(g, 1, 0); err == nil {
		t.Error("the proposal succeeded")
	}
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("the group ended with %v", err)
	}
}

// A log is refused when it is another node's, or when the data it was trimmed for is gone.
func TestOpenRefusesWhatDoesNotFit(t *testing.T) {
	dir, disk := filepath.Join(t.TempDir(), "wal"), &sumDisk{}
	g, stop := startGroup(t, dir, openSum(disk), 1<<30)
	add(t, g, 1)
	if err := g.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	other := Config{Dir: dir, Identity: raftlog.Identity{Cluster: "c", Group: 1, Node: 8}}
	if _, err := Open(other, openSum(disk)); !errors.Is(err, raftlog.ErrIdentity) {
		t.Errorf("another node's log: %v", err)
	}
	mine := Config{Dir: dir, Identity: raftlog.Identity{Cluster: "c", Group: 1, Node: 7}}
	if _, err := Open(mine, openSum(&sumDisk{})); err == nil {
		t.Error("a log whose data is gone was opened")
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(mine, openSum(disk)); err == nil {
		t.Error("data without its log was opened")
	}
}

// A torn tail is cut off, and what was synced before it is there.
func TestTornTail(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	g, stop := startGroup(t, dir, openSum(&sumDisk{}), 1<<30)
	for range 5 {
		add(t, g, 2)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	f, err := os.OpenFile(files[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	// The file is preallocated with zeros: the tail is the last byte that is not zero. Tear a record that claims more.
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	end := len(b)
	for end > 0 && b[end-1] == 0 {
		end--
	}
	end = (end + 7) / 8 * 8
	if _, err := f.WriteAt([]byte{0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3}, int64(end)); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(int64(end + 11)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	g, stop = startGroup(t, dir, openSum(&sumDisk{}), 1<<30)
	if got := add(t, g, 0); got != 10 {
		t.Errorf("sum %d after a torn tail, want 10", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkPropose(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			g, err := Open(Config{
				Dir: filepath.Join(b.TempDir(), "wal"), Identity: raftlog.Identity{Node: 1}, Logger: slog.New(slog.DiscardHandler),
			}, openSum(&sumDisk{}))
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- g.Run(ctx) }()
			if _, err := propose(g, 0, 0); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.SetParallelism(writers / 2)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := propose(g, 1, 200); err != nil {
						b.Error(err)
					}
				}
			})
			cancel()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}

// A member that is alone keeps no log that others could want: who joins is sent its state.
func TestAloneKeepsNoLog(t *testing.T) {
	g, stop := startGroup(t, filepath.Join(t.TempDir(), "wal"), openSum(&sumDisk{}), 1<<30)
	for n := range uint64(20) {
		add(t, g, n)
	}
	if err := g.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if first, err := g.step.tail.FirstIndex(); err != nil || first <= 20 {
		t.Errorf("after a checkpoint of 20 entries the log in memory begins at %d (%v)", first, err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
