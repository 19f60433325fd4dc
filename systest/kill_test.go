//go:build systest

package systest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dragg/mutation/nquad"
)

var chaosRounds = flag.Int("chaos", 20, "how often the server is killed")

// maxRestart is how long a start after a kill may take.
const maxRestart = 5 * time.Second

// restart starts a server that was killed or stopped and returns how long it took until it answered.
func restart(t testing.TB, d *Dragg) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	began := time.Now()
	if err := d.Start(ctx); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	switch {
	case took <= maxRestart:
	case starved():
		t.Logf("the restart took %v, but the machine has too little CPU for all that runs on it", took)
	default:
		t.Errorf("the restart took %v, the most is %v", took, maxRestart)
	}
	return took
}

// starved reports whether something was waiting for a CPU for more than half of the last ten seconds: then times say little.
func starved() bool {
	b, err := os.ReadFile("/proc/pressure/cpu")
	var share float64
	if err == nil {
		_, err = fmt.Sscanf(string(b), "some avg10=%f", &share)
	}
	return err == nil && share > 50
}

// Goal: nothing acknowledged is lost and no transaction is half there, however often the server is killed. Method: writers
// write batches and the live loader loads the film data while the server is killed at random moments, at times while it is
// still starting; after every restart all batches are read back through data, indexes, reverse edges and counts, and now
// and then the folder of the dead server is checked by fsck.
func TestKill(t *testing.T) {
	d := start(t)
	logOnFailure(t, d)
	ctx := context.Background()
	b, err := newBatches(ctx, connect(t, d))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	film := filepath.Join("testdata", "film.rdf.gz")
	live := startLive(t, d, "--files", film, "--schema", filepath.Join("testdata", "film.schema"))
	var slowest, total time.Duration
	for round := range *chaosRounds {
		stop, err := b.run(d, 4, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rng.IntN(1200)) * time.Millisecond)
		if err := d.Kill(); err != nil {
			t.Fatal(err)
		}
		stop()
		if round%4 == 3 {
			if err := fsckData(d); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if round%3 == 2 {
			killWhileStarting(t, d, time.Duration(rng.IntN(400))*time.Millisecond)
		}
		took := restart(t, d)
		slowest, total = max(slowest, took), total+took
		c, err := d.Client()
		if err != nil {
			t.Fatal(err)
		}
		if err := b.verify(ctx, c); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		c.Close()
	}
	live.wait(t)
	checkFilm(t, connect(t, d), film)
	if err := b.verify(ctx, connect(t, d)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := fsckData(d); err != nil {
		t.Fatal(err)
	}
	n := b.counts()
	t.Logf("%d kills: %d batches are there, %d are not; restarts took %v on average, %v at most", *chaosRounds, n[present], n[absent],
		(total / time.Duration(max(1, *chaosRounds))).Round(time.Millisecond), slowest.Round(time.Millisecond))
}

// killWhileStarting starts the server and kills it before or after it is ready.
func killWhileStarting(t testing.TB, d *Dragg, after time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), after)
	defer cancel()
	began := time.Now()
	if err := d.Start(ctx); err == nil {
		time.Sleep(after - time.Since(began))
	}
	if err := d.Kill(); err != nil {
		t.Fatal(err)
	}
}

// logOnFailure shows the end of the server's log when the test has failed.
func logOnFailure(t testing.TB, d *Dragg) {
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		select {
		case err := <-d.done: // what it says when it ends by itself
			t.Logf("the server ended: %v", err)
			d.done <- err
		case <-time.After(5 * time.Second):
		}
		lines := strings.Split(d.Log(), "\n")
		t.Logf("the server's log ends:\n%s", strings.Join(lines[max(0, len(lines)-40):], "\n"))
	})
}

// loader is dragg live as a process of its own.
type loader struct {
	cmd *exec.Cmd

	mu  sync.Mutex
	out bytes.Buffer // guarded by mu
}

// Write keeps what the loader prints.
func (l *loader) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func (l *loader) output() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

func startLive(t testing.TB, d *Dragg, args ...string) *loader {
	t.Helper()
	l := &loader{cmd: exec.Command(d.Bin, append([]string{"live", "--alpha", d.GRPC()}, args...)...)}
	l.cmd.Stdout, l.cmd.Stderr = l, l
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.cmd.Process.Kill() }) // it has ended already, unless the test failed
	return l
}

func (l *loader) wait(t testing.TB) {
	t.Helper()
	if err := l.cmd.Wait(); err != nil {
		t.Fatalf("dragg live: %v\n%s", err, l.output())
	}
	t.Logf("dragg live: %s", lastLine(l.output()))
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// Goal: a loader that is killed goes on where it was and never makes a node twice. Method: dragg live with --xidmap is
// killed at random moments and started again until it is through; then the data must be exactly those of the file.
func TestKillLoader(t *testing.T) {
	d := start(t)
	logOnFailure(t, d)
	film := filepath.Join("testdata", "film.rdf.gz")
	args := []string{"--files", film, "--schema", filepath.Join("testdata", "film.schema"), "--xidmap", filepath.Join(t.TempDir(), "ids")}
	rng := rand.New(rand.NewPCG(2, uint64(time.Now().UnixNano())))
	kills := 0
	for ; kills < 6; kills++ {
		l := startLive(t, d, args...)
		time.Sleep(time.Duration(200+rng.IntN(1500)) * time.Millisecond)
		if err := l.cmd.Process.Kill(); err != nil {
			break // it was faster
		}
		if l.cmd.Wait() == nil {
			break
		}
	}
	t.Logf("killed %d times; then: %s", kills, lastLine(load(t, d, args...)))
	c := connect(t, d)
	checkFilm(t, c, film)
	// Once more, through a mapping that is complete: nothing may change.
	load(t, d, args...)
	checkFilm(t, c, film)
	if _, err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := fsckData(d); err != nil {
		t.Fatal(err)
	}
}

// films is what the film data say of a node, without uids.
type films struct {
	name, date string
	directed   []string // names of targets, sorted; "?" for a target without a name
	directs    []string
	byOthers   int // how many edges of directed_by lead here
}

func (f films) String() string {
	return fmt.Sprintf("%s|%s|%v|%v|%d", f.name, f.date, f.directed, f.directs, f.byOthers)
}

// checkFilm compares what the server has with what the file says, node by node, as a multiset without uids.
func checkFilm(t testing.TB, c *Client, file string) {
	t.Helper()
	want := filmsOf(t, file)
	got := filmsFrom(t, c)
	slices.Sort(want)
	slices.Sort(got)
	if slices.Equal(want, got) {
		return
	}
	missing, extra := difference(want, got), difference(got, want)
	t.Errorf("the film data differ: %d nodes in the file, %d in the database\nonly in the file: %d, as %q\nonly in the database: %d, as %q",
		len(want), len(got), len(missing), missing[:min(len(missing), 5)], len(extra), extra[:min(len(extra), 5)])
}

// difference returns what a has and b has not; both are sorted.
func difference(a, b []string) (out []string) {
	for len(a) > 0 {
		switch {
		case len(b) > 0 && b[0] < a[0]:
			b = b[1:]
		case len(b) > 0 && b[0] == a[0]:
			a, b = a[1:], b[1:]
		default:
			out, a = append(out, a[0]), a[1:]
		}
	}
	return out
}

// filmsOf reads the file with no help from the loader.
func filmsOf(t testing.TB, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	type edge struct{ from, predicate, to string }
	nodes := map[string]*films{}
	at := func(id string) *films {
		if nodes[id] == nil {
			nodes[id] = &films{}
		}
		return nodes[id]
	}
	var edges []edge
	for s := bufio.NewScanner(z); s.Scan(); {
		q, ok, perr := nquad.ReadLine(s.Bytes())
		if perr != nil || !ok {
			t.Fatalf("%s: %v", s.Text(), perr)
		}
		subject := q.Subject.Name
		switch q.Predicate {
		case "name":
			if n := at(subject); q.Lang == "en" {
				n.name = q.Value.Text()
			}
		case "initial_release_date":
			at(subject).date = q.Value.Text()
		case "directed_by", "director.film":
			edges = append(edges, edge{subject, q.Predicate, q.Object.Name})
		}
	}
	for _, e := range edges {
		name := "?"
		if to := at(e.to); to.name != "" {
			name = to.name
		}
		if e.predicate == "directed_by" {
			at(e.from).directed = append(at(e.from).directed, name)
			at(e.to).byOthers++
		} else {
			at(e.from).directs = append(at(e.from).directs, name)
		}
	}
	var out []string
	for _, n := range nodes {
		out = append(out, n.line())
	}
	return out
}

func (f *films) line() string {
	slices.Sort(f.directed)
	slices.Sort(f.directs)
	f.date, _, _ = strings.Cut(f.date, "T")
	return f.String()
}

// filmsFrom reads the database.
func filmsFrom(t testing.TB, c *Client) []string {
	t.Helper()
	resp, err := c.NewReadOnlyTxn().Query(context.Background(), `{
		var(func: has(name@en)) { a as uid }
		var(func: has(initial_release_date)) { b as uid }
		var(func: has(directed_by)) { c as uid directed_by { d as uid } }
		var(func: has(director.film)) { e as uid director.film { f as uid } }
		q(func: uid(a, b, c, d, e, f)) {
			uid name@en initial_release_date n: count(~directed_by) directed_by { uid name@en } director.film { uid name@en }
		}
	}`)
	if err != nil {
		t.Fatal(err)
	}
	type node struct {
		Name     string `json:"name@en"`
		Date     string `json:"initial_release_date"`
		N        int    `json:"n"`
		Directed []node `json:"directed_by"`
		Directs  []node `json:"director.film"`
	}
	var r struct{ Q []node }
	if err := json.Unmarshal(resp.Json, &r); err != nil {
		t.Fatal(err)
	}
	names := func(ns []node) (out []string) {
		for _, n := range ns {
			if n.Name == "" {
				n.Name = "?"
			}
			out = append(out, n.Name)
		}
		return out
	}
	var out []string
	for _, n := range r.Q {
		f := films{name: n.Name, date: n.Date, directed: names(n.Directed), directs: names(n.Directs), byOthers: n.N}
		out = append(out, f.line())
	}
	return out
}

// failures counts errors by their text.
type failures struct {
	mu    sync.Mutex
	texts map[string]int // guarded by mu
}

func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.texts == nil {
		f.texts = map[string]int{}
	}
	f.texts[err.Error()]++
}

func (f *failures) take() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	texts := f.texts
	f.texts = nil
	return texts
}
