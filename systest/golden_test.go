//go:build systest

package systest

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
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

// at returns the way to a server.
func at(t *testing.T, d *Dragg) target {
	t.Helper()
	return target{dgraph: connect(t, d).Dgraph, http: d.HTTP()}
}

// Goal: clients see what the reference answers show, case by case. Method: the files under testdata are replayed by the stock
// client, each on an empty database; what deviates on purpose is listed with its reason, and that list must hold exactly.
func TestGolden(t *testing.T) {
	d := start(t)
	if err := d.AssignUIDs(context.Background(), 100_000); err != nil {
		t.Fatal(err)
	}
	goldens(t, at(t, d), deviations(t))
}

// The same on a cluster of three groups: the predicates of every case are spread over three processes.
func TestGoldenOnGroups(t *testing.T) {
	c, _ := startCluster(t, 1, 3, 1)
	if err := c.Zeros[0].AssignUIDs(context.Background(), 100_000); err != nil {
		t.Fatal(err)
	}
	known := deviations(t)
	known["api/http-alter.txt:205"] = "the state names three groups, the recorded one had one"
	goldens(t, at(t, c.Alphas[0].Dragg), known)
}

// The same over real data: the film set, loaded by the live loader.
func TestGoldenFilm(t *testing.T) {
	d := start(t)
	load(t, d, "--files", filepath.Join("testdata", "film.rdf.gz"), "--schema", filepath.Join("testdata", "film.schema"))
	to := at(t, d)
	known := deviations(t)
	files, err := filepath.Glob(filepath.Join("testdata", "film", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { replay(t, to, file, known) })
	}
	checkUsed(t, known, "film")
}
