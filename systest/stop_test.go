//go:build systest

package systest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
)

// maxStop is how long a server may take to end when it is told to.
const maxStop = 3 * time.Second

// end sends a signal and returns how long the process took to end, and how it ended.
func end(t testing.TB, d *Dragg, s syscall.Signal) (time.Duration, error) {
	t.Helper()
	began := time.Now()
	if err := syscall.Kill(d.PID(), s); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-d.done:
		return time.Since(began), err
	case <-time.After(30 * time.Second):
		return time.Since(began), errors.Join(errors.New("it did not end"), d.Kill())
	}
}

// Goal: a server that is told to stop amid work ends soon, with status 0, and the next start has everything. Method: writers,
// readers of large answers, an index build and idle connections at the moment of SIGINT and SIGTERM.
func TestStop(t *testing.T) {
	d := start(t)
	logOnFailure(t, d)
	ctx := context.Background()
	b, err := newBatches(ctx, connect(t, d))
	if err != nil {
		t.Fatal(err)
	}
	var slowestStop, slowestStart time.Duration
	for round, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGINT, syscall.SIGTERM} {
		stop, err := b.run(d, 4, nil)
		if err != nil {
			t.Fatal(err)
		}
		stopReading := readAlways(t, d)
		time.Sleep(time.Second)
		building := startBuild(t, d, round)
		time.Sleep(50 * time.Millisecond)
		took, err := end(t, d, signal)
		stop()
		stopReading()
		<-building
		slowestStop = max(slowestStop, took)
		if err != nil {
			t.Errorf("%v: the server ended with %v", signal, err)
		}
		if took > maxStop && !starved() {
			t.Errorf("%v: the end took %v, the most is %v", signal, took, maxStop)
		}
		slowestStart = max(slowestStart, restart(t, d))
		if err := b.verify(ctx, connect(t, d)); err != nil {
			t.Fatalf("after %v: %v", signal, err)
		}
	}
	for line := range strings.Lines(d.Log()) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "DB Closed") {
			t.Errorf("the server says: %s", line)
		}
	}
	if _, err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := fsckData(d); err != nil {
		t.Fatal(err)
	}
	n := b.counts()
	t.Logf("%d batches are there; stops took at most %v, starts %v", n[present], slowestStop.Round(time.Millisecond),
		slowestStart.Round(time.Millisecond))
}

// readAlways has readers ask for everything until the returned function is called.
func readAlways(t testing.TB, d *Dragg) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 3 {
		c, err := d.Client()
		if err != nil {
			cancel()
			t.Fatal(err)
		}
		wg.Go(func() {
			defer c.Close()
			for ctx.Err() == nil {
				_, err := c.NewReadOnlyTxn().Query(ctx, `{ q(func: has(batch.id)) { uid batch.id batch.n batch.member { uid batch.tag } batch.root { uid } } }`)
				if err != nil { // the server is going down
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

// startBuild changes an index, which has to be built while the server is told to stop. The channel closes when the request
// has ended, one way or another.
func startBuild(t testing.TB, d *Dragg, round int) <-chan struct{} {
	t.Helper()
	c, err := d.Client()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // ends with the server
		defer close(done)
		defer c.Close()
		index := []string{"term, trigram", "term", "term, fulltext", "term"}[round]
		_ = c.Alter(context.Background(), &api.Operation{Schema: "batch.tag: string @index(" + index + ") ."}) // the server stops amid it
	}()
	return done
}

// maxLog is how large a log may be.
const maxLog = 256 << 20

// logQuads is how many statements are loaded to see how the logs grow.
const logQuads = 1_000_000

// Goal: the logs stay short, and a kill at the end of a long load is mended soon. Method: load a million quads, look at the
// logs, kill, start, count.
func TestLogsStayShort(t *testing.T) {
	d := start(t)
	logOnFailure(t, d)
	file := filepath.Join(t.TempDir(), "million.rdf")
	writeQuads(t, file, logQuads)
	stopWatching := watchLogs(t, d)
	t.Log(lastLine(load(t, d, "--files", file)))
	most := stopWatching()
	for log, bytes := range most {
		if bytes > maxLog {
			t.Errorf("%s grew to %d MiB", log, bytes>>20)
		}
	}
	if err := d.Kill(); err != nil {
		t.Fatal(err)
	}
	took := restart(t, d)
	t.Logf("logs at most: %v MiB; the restart after the kill took %v", inMiB(most), took.Round(time.Millisecond))
	resp, err := connect(t, d).NewReadOnlyTxn().Query(context.Background(), `{ q(func: has(million.value)) { count(uid) } }`)
	if want := fmt.Sprintf(`{"q":[{"count":%d}]}`, logQuads); err != nil || string(resp.Json) != want {
		t.Errorf("%s %v, want %s", resp.GetJson(), err, want)
	}
}

func writeQuads(t testing.TB, path string, n int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range n {
		fmt.Fprintf(w, "_:n%d <million.value> \"%d is the number of this node\" .\n", i, i)
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// watchLogs looks at the size of the logs until the returned function is called, which returns the largest sizes in bytes.
func watchLogs(t testing.TB, d *Dragg) (stop func() map[string]int64) {
	t.Helper()
	most := map[string]int64{}
	quit, done := make(chan struct{}), make(chan struct{})
	look := func() {
		for _, log := range []string{"alpha/wal", "zero/wal"} {
			most[log] = max(most[log], folderBytes(filepath.Join(d.Data, log)))
		}
	}
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			case <-time.After(200 * time.Millisecond):
				look()
			}
		}
	}()
	return func() map[string]int64 {
		close(quit)
		<-done
		look()
		return most
	}
}

// folderBytes returns the size of the files in a folder, as far as they stay while it looks.
func folderBytes(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error { // what has gone meanwhile does not count
		if err != nil || e.IsDir() {
			return nil
		}
		if info, err := e.Info(); err == nil {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}

func inMiB(sizes map[string]int64) map[string]int64 {
	out := map[string]int64{}
	for name, n := range sizes {
		out[name] = n >> 20
	}
	return out
}
