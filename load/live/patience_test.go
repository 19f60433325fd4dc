package live

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/internal/fault"
)

// moody is a server that is away at every other request.
type moody struct {
	sync.Mutex // guards all below: the reader and the lanes call at the same time
	calls      int
	leases     int
	quads      int
	alters     int
}

func (m *moody) away() error {
	if m.calls++; m.calls%2 == 0 {
		return fault.New(fault.Unavailable, "connection refused")
	}
	return nil
}

func (m *moody) Query(_ context.Context, r *api.Request) (*api.Response, error) {
	m.Lock()
	defer m.Unlock()
	if err := m.away(); err != nil {
		return nil, err
	}
	if r.ReadOnly {
		return &api.Response{Json: []byte(`{"schema":[]}`)}, nil
	}
	m.quads++
	return &api.Response{}, nil
}

func (m *moody) Alter(context.Context, *api.Operation) error {
	m.Lock()
	defer m.Unlock()
	if err := m.away(); err != nil {
		return err
	}
	m.alters++
	return nil
}

func (m *moody) LeaseUIDs(_ context.Context, n uint64) (uint64, error) {
	m.Lock()
	defer m.Unlock()
	if err := m.away(); err != nil {
		return 0, err
	}
	m.leases++
	return uint64(m.leases) * n, nil
}

// A server that is away for a moment does not end a load, whatever request it misses.
func TestServerGoesAway(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	rdf := write("x.rdf", "_:a <p> \"1\" .\n_:b <p> \"2\" .\n_:c <p> \"3\" .\n")
	object := write("y.json", `{"q": 1}`)
	text := write("x.schema", "p: string .")
	for first := range 2 {
		m := &moody{calls: first}
		s, err := Run(t.Context(), Config{Paths: []string{rdf, object}, Schema: text, Batch: 1, Lanes: 1}, m)
		if err != nil || s.Quads != 4 || m.quads != 4 || m.leases != 1 || m.alters != 2 || s.Nodes != 4 {
			t.Errorf("%+v, %d quads, %d leases, %d alters: %v", s, m.quads, m.leases, m.alters, err)
		}
	}
}

// A server that never answers ends the load in the end, with what was wrong.
func TestNoServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := Run(t.Context(), Config{Paths: []string{t.TempDir()}}, &nobody{})
		if fault.ClassOf(err) != fault.Unavailable || time.Since(began) < openingPatience {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// nobody is a server that is not there.
type nobody struct{ moody }

func (*nobody) Query(context.Context, *api.Request) (*api.Response, error) {
	return nil, fault.New(fault.Unavailable, "connection refused")
}
