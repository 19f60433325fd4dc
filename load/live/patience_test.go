package live

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/internal/fault"
)

// moody is a server that is away at every other request.
type moody struct {
	calls  int
	leases int
	quads  int
}

func (m *moody) away() error {
	if m.calls++; m.calls%2 == 0 {
		return fault.New(fault.Unavailable, "connection refused")
	}
	return nil
}

func (m *moody) Query(_ context.Context, r *api.Request) (*api.Response, error) {
	if r.ReadOnly {
		return &api.Response{Json: []byte(`{"schema":[]}`)}, nil
	}
	if err := m.away(); err != nil {
		return nil, err
	}
	m.quads++
	return &api.Response{}, nil
}

func (m *moody) Alter(context.Context, *api.Operation) error { return nil }

func (m *moody) LeaseUIDs(_ context.Context, n uint64) (uint64, error) {
	if err := m.away(); err != nil {
		return 0, err
	}
	m.leases++
	return uint64(m.leases) * n, nil
}

// A server that is away for a moment does not end a load, whatever request it misses.
func TestServerGoesAway(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.rdf")
	if err := os.WriteFile(file, []byte("_:a <p> \"1\" .\n_:b <p> \"2\" .\n_:c <p> \"3\" .\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for first := range 2 {
		m := &moody{calls: first}
		s, err := Run(t.Context(), Config{Paths: []string{file}, Batch: 1, Lanes: 1}, m)
		if err != nil || s.Quads != 3 || m.quads != 3 || m.leases != 1 || s.Nodes != 3 {
			t.Errorf("%+v, %d requests: %v", s, m.quads, err)
		}
	}
}
