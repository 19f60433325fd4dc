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

	"github.com/dgraph-io/dgo/v250"
	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/systest/embedded"
	"dragg/systest/golden"
)

// target is the server that cases are replayed at.
type target struct {
	dgraph *dgo.Dgraph
	http   string // URL
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

// Goal: the language does not depend on what keeps the lists. Method: the cases that also run against processes on Badger and
// on three groups run here in one process with lists in memory.
func TestGoldenInMemory(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	d := embedded.ForTest(t)
	if _, err := d.Lease(ctx, 100_000); err != nil {
		t.Fatal(err)
	}
	dgraph, url, stop, err := d.Serve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	goldens(t, target{dgraph: dgraph, http: url}, deviations(t))
}

// goldens replays every file at one Alpha.
func goldens(t *testing.T, to target, known map[string]string) {
	t.Helper()
	ctx := context.Background()
	passed, deviating := 0, 0
	for _, folder := range []string{"lang", "api", "bugs", "facts", "oracle"} {
		files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
		if err != nil || len(files) == 0 {
			t.Fatal(folder, err)
		}
		for _, file := range files {
			t.Run(folder+"/"+strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
				if err := to.dgraph.Alter(ctx, &api.Operation{DropAll: true}); err != nil {
					t.Fatal(err)
				}
				p, n := replay(t, to, file, known)
				passed, deviating = passed+p, deviating+n
			})
		}
	}
	t.Logf("%d cases passed, %d deviate as listed", passed, deviating)
	checkUsed(t, known, "lang", "api", "bugs", "facts", "oracle")
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
func replay(t *testing.T, to target, file string, known map[string]string) (passed, deviating int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &golden.Session{Dgraph: to.dgraph, HTTP: to.http}
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
