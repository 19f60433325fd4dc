//go:build systest

package systest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/systest/golden"
)

// start runs a database in a folder of the test.
func start(t testing.TB, args ...string) *Dragg {
	t.Helper()
	bin, err := Binary(1)
	if err != nil {
		t.Fatal(err)
	}
	d := &Dragg{Bin: bin, Data: filepath.Join(t.TempDir(), "data"), Args: args}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := d.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.Kill() // the test may have ended it already
		if strings.Contains(d.Log(), "panic") {
			t.Errorf("the server panicked:\n%s", d.Log())
		}
	})
	return d
}

func connect(t testing.TB, d *Dragg) *Client {
	t.Helper()
	c, err := d.Client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// deviations reads testdata/deviations.txt: cases whose recorded answer ours differs from, with the reason.
//
//	FILE:LINE reason
func deviations(t *testing.T) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "deviations.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if place, reason, ok := strings.Cut(s.Text(), " "); ok && !strings.HasPrefix(place, "#") {
			out[place] = reason
		}
	}
	return out
}

// Goal: clients see what the reference answers show, case by case. Method: the files under testdata are replayed by the stock
// client, each on an empty database; what deviates on purpose is listed with its reason, and that list must hold exactly.
func TestGolden(t *testing.T) {
	d := start(t)
	if err := d.AssignUIDs(context.Background(), 100_000); err != nil {
		t.Fatal(err)
	}
	goldens(t, d, deviations(t))
}

// The same on a cluster of three groups: the predicates of every case are spread over three processes.
func TestGoldenOnGroups(t *testing.T) {
	c, _ := startCluster(t, 1, 3, 1)
	if err := c.Zeros[0].AssignUIDs(context.Background(), 100_000); err != nil {
		t.Fatal(err)
	}
	known := deviations(t)
	known["api/http-alter.txt:205"] = "the state names three groups, the recorded one had one"
	goldens(t, c.Alphas[0].Dragg, known)
}

// goldens replays every file at one Alpha.
func goldens(t *testing.T, d *Dragg, known map[string]string) {
	t.Helper()
	ctx := context.Background()
	c := connect(t, d)
	passed, deviating := 0, 0
	for _, folder := range []string{"lang", "api", "bugs"} {
		files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
		if err != nil || len(files) == 0 {
			t.Fatal(folder, err)
		}
		for _, file := range files {
			t.Run(folder+"/"+strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
				if err := c.Alter(ctx, &api.Operation{DropAll: true}); err != nil {
					t.Fatal(err)
				}
				p, n := replay(t, c, d, file, known)
				passed, deviating = passed+p, deviating+n
			})
		}
	}
	t.Logf("%d cases passed, %d deviate as listed", passed, deviating)
	checkUsed(t, known, "lang", "api", "bugs")
}

// checkUsed fails for listed deviations in the folders that were not met.
func checkUsed(t *testing.T, left map[string]string, folders ...string) {
	t.Helper()
	for place := range left {
		if folder, _, _ := strings.Cut(place, "/"); slices.Contains(folders, folder) {
			t.Errorf("testdata/deviations.txt lists %s, but there is no such case or it passes", place)
		}
	}
}

// replay runs the cases of a file. It removes from known what it met.
func replay(t *testing.T, c *Client, d *Dragg, file string, known map[string]string) (passed, deviating int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &golden.Session{Dgraph: c.Dgraph, HTTP: d.HTTP()}
	cases := golden.Parse(string(text))
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	rel, err := filepath.Rel("testdata", file)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range cases {
		got := s.Run(context.Background(), x)
		if golden.Match(x.Want, got) {
			passed++
			continue
		}
		place := fmt.Sprintf("%s:%d", filepath.ToSlash(rel), x.Line)
		if _, ok := known[place]; ok {
			delete(known, place)
			deviating++
			continue
		}
		t.Errorf("%s: %s\n%s\nwant %s\ngot  %s", place, x.Command, x.Body, x.Want, got)
	}
	return passed, deviating
}

// The same over real data: the film set, loaded by the live loader.
func TestGoldenFilm(t *testing.T) {
	d := start(t)
	load(t, d, "--files", filepath.Join("testdata", "film.rdf.gz"), "--schema", filepath.Join("testdata", "film.schema"))
	c := connect(t, d)
	known := deviations(t)
	files, err := filepath.Glob(filepath.Join("testdata", "film", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { replay(t, c, d, file, known) })
	}
	checkUsed(t, known, "film")
}
