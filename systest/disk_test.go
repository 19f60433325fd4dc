//go:build systest

package systest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// smallDisk mounts a file system of its own with so many bytes.
func smallDisk(t *testing.T, bytes int64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes))
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		t.Skipf("mounting a file system needs root: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func freeBytes(t testing.TB, dir string) int64 {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	return int64(st.Bavail) * st.Bsize
}

// filler takes room on the disk until leave bytes are free. remove gives it back.
func filler(t testing.TB, dir, name string, leave int64) (remove func()) {
	t.Helper()
	path := filepath.Join(dir, name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := freeBytes(t, dir) - leave; n > 0 {
		if err := unix.Fallocate(int(f.Fd()), 0, 0, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// blobs are large values that fill a disk, and what was acknowledged of them.
type blobs struct{ sums map[string][32]byte } // by uid

// blobBytes is how long one is.
const blobBytes = 256 << 10

func (b *blobs) write(ctx context.Context, c *Client, rng *rand.Rand) error {
	raw := make([]byte, blobBytes*3/4)
	for i := range raw {
		raw[i] = byte(rng.Uint32())
	}
	text := base64.StdEncoding.EncodeToString(raw)
	resp, err := c.NewTxn().Mutate(ctx, &api.Mutation{SetNquads: []byte(`_:b <blob> "` + text + `" .`), CommitNow: true})
	if err == nil {
		b.sums[resp.Uids["b"]] = sha256.Sum256([]byte(text))
	}
	return err
}

// verify reads every blob back.
func (b *blobs) verify(ctx context.Context, c *Client) error {
	for uid, sum := range b.sums {
		resp, err := c.NewReadOnlyTxn().Query(ctx, `{ q(func: uid(`+uid+`)) { blob } }`)
		if err != nil {
			return err
		}
		var out struct{ Q []struct{ Blob string } }
		if err := json.Unmarshal(resp.Json, &out); err != nil {
			return err
		}
		if len(out.Q) != 1 || sha256.Sum256([]byte(out.Q[0].Blob)) != sum {
			return fmt.Errorf("blob %s was acknowledged and is lost or changed", uid)
		}
	}
	return nil
}

// isFull says that the server refused a write because of the disk, and says so.
func isFull(err error) bool {
	return status.Code(err) == codes.ResourceExhausted && strings.Contains(err.Error(), "disk") && strings.Contains(err.Error(), "full")
}

// fullDisk is the state of TestFullDisk.
type fullDisk struct {
	t       *testing.T
	dir     string
	d       *Dragg
	batches *batches
	blobs   *blobs
	rng     *rand.Rand
}

// fill writes until the disk is full and a little longer: only that may be refused.
func (f *fullDisk) fill(c *Client) {
	f.t.Helper()
	var seen failures
	stop, err := f.batches.run(f.d, 2, seen.add)
	if err != nil {
		f.t.Fatal(err)
	}
	refused := 0
	for deadline := time.Now().Add(time.Minute); refused < 20; {
		err := f.blobs.write(context.Background(), c, f.rng)
		switch {
		case isFull(err):
			refused++
			time.Sleep(20 * time.Millisecond)
		case err != nil:
			f.t.Fatalf("after %d blobs: %v", len(f.blobs.sums), err)
		case time.Now().After(deadline):
			f.t.Fatalf("the disk is not full after %d blobs: %d MiB are free", len(f.blobs.sums), freeBytes(f.t, f.dir)>>20)
		}
	}
	stop()
	for text := range seen.take() {
		if !strings.Contains(text, "disk") || !strings.Contains(text, "full") {
			f.t.Errorf("a writer was told: %s", text)
		}
	}
}

// check reads everything back, and sees that writes are refused unless there may be room for some.
func (f *fullDisk) check(c *Client, room bool) {
	f.t.Helper()
	ctx := context.Background()
	if err := errors.Join(f.batches.verify(ctx, c), f.blobs.verify(ctx, c)); err != nil {
		f.t.Fatal(err)
	}
	if room {
		return
	}
	for what, err := range map[string]error{
		"a mutation":      f.batches.write(ctx, c, f.rng),
		"a schema change": c.Alter(ctx, &api.Operation{Schema: "other: string @index(exact) ."}),
	} {
		if !isFull(err) {
			f.t.Errorf("%s on a full disk: %v", what, err)
		}
	}
	// What only takes away is welcome.
	if err := c.Alter(ctx, &api.Operation{DropAttr: "nothing.of.this.name"}); err != nil {
		f.t.Errorf("dropping on a full disk: %v", err)
	}
}

// leave takes room until only bytes are free, once the server does not need or free more in the background: compactions and
// the next log segments take their time.
func (f *fullDisk) leave(name string, bytes int64) (remove func()) {
	f.t.Helper()
	for last, calm := int64(0), 0; calm < 15; time.Sleep(100 * time.Millisecond) {
		free := freeBytes(f.t, f.dir)
		if calm++; free != last {
			last, calm = free, 0
		}
	}
	return filler(f.t, f.dir, name, bytes)
}

func (f *fullDisk) kill() {
	f.t.Helper()
	if err := f.d.Kill(); err != nil {
		f.t.Fatal(err)
	}
}

// startOn starts a server whose data are on a small disk.
func startOn(t *testing.T, disk string) *Dragg {
	t.Helper()
	bin, err := Binary(1)
	if err != nil {
		t.Fatal(err)
	}
	d := &Dragg{Bin: bin, Data: filepath.Join(disk, "data"), Args: []string{"--disk-reserve", "128MiB", "--memory-limit", "768MiB"}}
	startThis(t, d)
	logOnFailure(t, d)
	return d
}

// Goal: a full disk refuses writes in clear words and does nothing else: reads go on, nothing acknowledged is lost, room
// that is made is used without a restart, and a server that is killed and started on the full disk comes up. Method: a small
// file system; first the server's own data fill it, then somebody else's file does.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, 640<<20)
	d := startOn(t, dir)
	ctx := context.Background()
	c := connect(t, d)
	f := &fullDisk{t: t, dir: dir, d: d, blobs: &blobs{sums: map[string][32]byte{}}, rng: rand.New(rand.NewPCG(3, 3))}
	var err error
	if f.batches, err = newBatches(ctx, c); err != nil {
		t.Fatal(err)
	}
	giveBack := filler(t, dir, "somebody.else", 300<<20)
	f.fill(c)
	t.Logf("writes are refused with %d MiB free, after %d blobs", freeBytes(t, dir)>>20, len(f.blobs.sums))
	f.check(c, true)

	f.kill()
	took := restart(t, d)
	t.Logf("restarted on the full disk in %v", took.Round(time.Millisecond))
	c = connect(t, d)
	f.leave("within.the.reserve", 120<<20)
	f.check(c, false)

	// Somebody else takes what the server had kept for itself.
	more := f.leave("all.but.a.little", 4<<20)
	f.check(c, false)
	loading := startLive(t, d, "--files", smallLoad(t))
	waitFor(t, "the loader to meet the full disk", func() bool { return strings.Contains(loading.output(), "full") })
	f.kill()
	started := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		started <- d.Start(ctx)
	}()
	waitFor(t, "the server to say that it waits for room", func() bool { return strings.Contains(d.Log(), "waiting for room") })
	more()
	giveBack() // for a moment: the start may need more than there was
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	giveBack = f.leave("somebody.else", 100<<20)
	c = connect(t, d)
	f.check(c, false)

	pid := d.PID()
	giveBack()
	waitFor(t, "writes to be taken again", func() bool { return f.batches.write(ctx, c, f.rng) == nil })
	loading.wait(t)
	f.check(c, true)
	if d.PID() != pid {
		t.Error("the server was restarted")
	}
	if _, err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := fsckData(d); err != nil {
		t.Fatal(err)
	}
}

// A server whose disk is full can be stopped, and started when there is room.
func TestStopOnFullDisk(t *testing.T) {
	dir := smallDisk(t, 512<<20)
	d := startOn(t, dir)
	ctx := context.Background()
	b, err := newBatches(ctx, connect(t, d))
	if err != nil {
		t.Fatal(err)
	}
	stop, err := b.run(d, 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	giveBack := filler(t, dir, "somebody.else", 30<<20) // amid commits: what is accepted waits in the log
	time.Sleep(300 * time.Millisecond)
	took, err := d.Stop()
	stop()
	if err != nil || took > maxStop && !starved() {
		t.Errorf("stopping took %v: %v", took, err)
	}
	giveBack()
	restart(t, d)
	if err := b.verify(ctx, connect(t, d)); err != nil {
		t.Fatal(err)
	}
}

// startThis is start for a server that is not all default.
func startThis(t testing.TB, d *Dragg) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := d.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.Kill() // the test may have ended it already
		if strings.Contains(d.Log(), "panic") || strings.Contains(d.Log(), "SIGBUS") {
			t.Errorf("the server panicked:\n%s", d.Log())
		}
	})
}

// waitFor waits until holds does.
func waitFor(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// smallLoad is a file for the loader.
func smallLoad(t testing.TB) string {
	t.Helper()
	var lines []string
	for i := range 3000 {
		lines = append(lines, fmt.Sprintf("_:n%d <small> \"%d\" .", i, i))
	}
	path := filepath.Join(t.TempDir(), "small.rdf")
	if err := os.WriteFile(path, []byte(strings.Join(slices.Concat(lines, []string{""}), "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
