//go:build systest

package bench

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/systest"
)

// window is how long each throughput is measured, in that many turns.
const (
	window = 3 * time.Second
	turns  = 6
)

func start(b *testing.B, args ...string) *systest.Dragg {
	b.Helper()
	bin, err := systest.Binary(2)
	if err != nil {
		b.Fatal(err)
	}
	d := &systest.Dragg{Bin: bin, Data: filepath.Join(b.TempDir(), "data"), Args: append(args, "--log-level", "warn")}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := d.Start(ctx); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Kill() }) // the benchmark may have ended it already
	return d
}

func clients(b *testing.B, d *systest.Dragg, n int) []*systest.Client {
	b.Helper()
	out := make([]*systest.Client, n)
	for i := range out {
		c, err := d.Client()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(c.Close)
		out[i] = c
	}
	return out
}

// call is one call of a client: the i-th of that worker.
type call func(c *systest.Client, worker, i int) error

// throughput runs fn on every client in parallel for the window and returns calls per second.
func throughput(b *testing.B, cs []*systest.Client, fn call) float64 {
	b.Helper()
	return throughputs(b, cs, fn)[0]
}

// throughputs runs kinds of calls in turns, each on every client in parallel and for the window in all, and returns calls per second
// of each: what else the machine is at meets them alike.
func throughputs(b *testing.B, cs []*systest.Client, kinds ...call) []float64 {
	b.Helper()
	calls, took := make([]atomic.Int64, len(kinds)), make([]time.Duration, len(kinds))
	for turn := range turns {
		for k, fn := range kinds {
			began := time.Now()
			var wg sync.WaitGroup
			for w, c := range cs {
				wg.Go(func() {
					for i := turn << 24; time.Since(began) < window/turns; i++ { // no turn repeats the calls of another
						if err := fn(c, w, i); err != nil {
							b.Error(err)
							return
						}
						calls[k].Add(1)
					}
				})
			}
			wg.Wait()
			took[k] += time.Since(began)
		}
	}
	rates := make([]float64, len(kinds))
	for k := range kinds {
		rates[k] = float64(calls[k].Load()) / took[k].Seconds()
	}
	return rates
}

func checkVersion(c *systest.Client, _, _ int) error {
	_, err := c.Stub.CheckVersion(context.Background(), &api.Check{})
	return err
}

func query(text string) call {
	return func(c *systest.Client, _, _ int) error {
		r, err := c.NewReadOnlyTxn().Query(context.Background(), text)
		if err == nil && !strings.Contains(string(r.Json), "value of") {
			return fmt.Errorf("odd answer: %s", r.Json)
		}
		return err
	}
}

// BenchmarkPointRead compares point reads with an empty call on the same server, 8 clients.
func BenchmarkPointRead(b *testing.B) {
	d := start(b)
	cs := clients(b, d, 8)
	ctx := context.Background()
	must(b, cs[0].Alter(ctx, &api.Operation{Schema: "name: string @index(exact) .\nage: int ."}))
	uids := seed(b, cs[0], 10_000)
	for b.Loop() {
		rates := throughputs(b, cs, checkVersion, func(c *systest.Client, w, i int) error {
			return query(fmt.Sprintf(`{ q(func: uid(%s)) { name } }`, uids[(w*7919+i)%len(uids)]))(c, w, i)
		}, func(c *systest.Client, w, i int) error {
			return query(fmt.Sprintf(`{ q(func: eq(name, "value of %d")) { name } }`, (w*7919+i)%len(uids)))(c, w, i)
		}, func(c *systest.Client, w, i int) error {
			_, err := c.NewReadOnlyTxn().BestEffort().Query(ctx, fmt.Sprintf(`{ q(func: uid(%s)) { name } }`, uids[(w*7919+i)%len(uids)]))
			return err
		})
		base, byUID, byIndex, bestEffort := rates[0], rates[1], rates[2], rates[3]
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(base, "checkversion/s")
		b.ReportMetric(byUID, "uid-read/s")
		b.ReportMetric(100*byUID/base, "uid-read-%")
		b.ReportMetric(byIndex, "index-read/s")
		b.ReportMetric(100*byIndex/base, "index-read-%")
		b.ReportMetric(bestEffort, "best-effort/s")
	}
}

// seed makes n nodes with a name and returns their uids.
func seed(b *testing.B, c *systest.Client, n int) []string {
	b.Helper()
	uids := make([]string, n)
	for from := 0; from < n; from += 1000 {
		var text strings.Builder
		for i := from; i < from+1000; i++ {
			fmt.Fprintf(&text, "_:n%d <name> \"value of %d\" .\n_:n%d <age> \"%d\" .\n", i, i, i, i%90)
		}
		r, err := c.NewTxn().Mutate(context.Background(), &api.Mutation{SetNquads: []byte(text.String()), CommitNow: true})
		must(b, err)
		for i := from; i < from+1000; i++ {
			uids[i] = r.Uids["n"+strconv.Itoa(i)]
		}
	}
	return uids
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// commitThree commits three new values in one request.
func commitThree(c *systest.Client, w, i int) error {
	text := fmt.Sprintf("_:n <name> \"n%d.%d\" .\n_:n <age> \"%d\" .\n_:n <email> \"m%d.%d@example.org\" .\n", w, i, i, w, i)
	_, err := c.NewTxn().Mutate(context.Background(), &api.Mutation{SetNquads: []byte(text), CommitNow: true})
	return err
}

// BenchmarkCommit compares commit-now of three new values, fsync on, with an empty call: 1 and 64 clients.
func BenchmarkCommit(b *testing.B) {
	d := start(b)
	cs := clients(b, d, 64)
	must(b, cs[0].Alter(context.Background(), &api.Operation{Schema: "name: string .\nage: int .\nemail: string ."}))
	for b.Loop() {
		one, all := throughputs(b, cs[:1], checkVersion, commitThree), throughputs(b, cs, checkVersion, commitThree)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(one[0], "checkversion-1/s")
		b.ReportMetric(one[1], "commit-1/s")
		b.ReportMetric(all[0], "checkversion-64/s")
		b.ReportMetric(all[1], "commit-64/s")
		b.ReportMetric(100*all[1]/all[0], "commit-64-%")
	}
}

// BenchmarkLiveFilm loads the film data with term, exact, fulltext, trigram, year, reverse and count indexes.
func BenchmarkLiveFilm(b *testing.B) {
	data := filepath.Join("..", "testdata")
	for b.Loop() {
		d := start(b)
		rate := live(b, d, "-f", filepath.Join(data, "film.rdf.gz"), "-s", filepath.Join(data, "film.schema"))
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(rate, "quads/s")
		b.ReportMetric(rss(b, d.PID()), "server-MiB")
	}
}

// BenchmarkHotList loads a million edges into one node and a million into as many, both with @reverse @count.
func BenchmarkHotList(b *testing.B) {
	const edges = 1_000_000
	dir := b.TempDir()
	schema := write(b, dir, "hot.schema", func(w *bufio.Writer) { fmt.Fprintln(w, "follows: [uid] @reverse @count .") })
	hot := write(b, dir, "hot.rdf", func(w *bufio.Writer) {
		for i := range edges {
			fmt.Fprintf(w, "_:n%d <follows> _:hub .\n", i)
		}
	})
	spread := write(b, dir, "spread.rdf", func(w *bufio.Writer) {
		for i := range edges {
			fmt.Fprintf(w, "_:n%d <follows> _:m%d .\n", i, i)
		}
	})
	for b.Loop() {
		d := start(b)
		spreadRate := live(b, d, "-f", spread, "-s", schema)
		spreadWAL := walMiB(b, d)
		must(b, d.Kill())
		d = start(b)
		hotRate := live(b, d, "-f", hot, "-s", schema)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(spreadRate, "spread-edges/s")
		b.ReportMetric(hotRate, "hot-edges/s")
		b.ReportMetric(100*hotRate/spreadRate, "hot-%")
		b.ReportMetric(rss(b, d.PID()), "server-MiB")
		b.ReportMetric(spreadWAL, "wal-MiB")
		checkHub(b, d, edges)
	}
}

// checkHub asks for the count of the hot list: speed without the right answer is worth nothing.
func checkHub(b *testing.B, d *systest.Dragg, edges int) {
	b.Helper()
	c := clients(b, d, 1)[0]
	text := fmt.Sprintf(`{ q(func: eq(count(~follows), %d)) { count(~follows) } }`, edges)
	r, err := c.NewReadOnlyTxn().Query(context.Background(), text)
	must(b, err)
	if want := fmt.Sprintf(`{"q":[{"count(~follows)":%d}]}`, edges); string(r.Json) != want {
		b.Errorf("the hub answers %s, want %s", r.Json, want)
	}
}

func write(b *testing.B, dir, name string, fn func(w *bufio.Writer)) string {
	b.Helper()
	path := filepath.Join(dir, name)
	f, err := os.Create(path)
	must(b, err)
	w := bufio.NewWriter(f)
	fn(w)
	must(b, w.Flush())
	must(b, f.Close())
	return path
}

// live runs dragg live and returns the rate that its summary tells.
func live(b *testing.B, d *systest.Dragg, args ...string) float64 {
	b.Helper()
	out, err := exec.Command(d.Bin, append([]string{"live", "--alpha", d.GRPC()}, args...)...).CombinedOutput()
	if err != nil {
		b.Fatalf("dragg live: %v\n%s", err, out)
	}
	_, rest, _ := strings.Cut(string(out), "loaded ")
	_, rest, _ = strings.Cut(rest, "(")
	number, _, ok := strings.Cut(rest, "/s)")
	rate, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil {
		b.Fatalf("no summary in:\n%s", out)
	}
	return rate
}

// rss returns the resident memory of a process in MiB.
func rss(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(b, err)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kib, err := strconv.ParseFloat(f[1], 64)
			must(b, err)
			return kib / 1024
		}
	}
	b.Fatal("no VmRSS")
	return 0
}

// walMiB returns the size of the Alpha's log.
func walMiB(b *testing.B, d *systest.Dragg) float64 {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(d.Data, "alpha", "wal", "*"))
	must(b, err)
	total := int64(0)
	for _, f := range files {
		info, err := os.Stat(f)
		must(b, err)
		total += info.Size()
	}
	return float64(total) / (1 << 20)
}
