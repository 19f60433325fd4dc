package live

import (
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/internal/fault"
	"dragg/mutation/nquad"
)

// database is a server that remembers what was set.
type database struct {
	mu      sync.Mutex
	triples map[string]bool // guarded by mu
	known   map[string]bool // guarded by mu: predicates
	alters  []string        // guarded by mu
	next    uint64          // guarded by mu: uid
	commits int             // guarded by mu
	// refuse says what is wrong with a statement, nil for nothing.
	refuse func(q *nquad.Quad) error
	// answer, if not nil, is asked before each commit, and after; what it returns is the reply.
	before, after func(commit int) error
}

func newDatabase() *database {
	return &database{triples: map[string]bool{}, known: map[string]bool{}, next: 1}
}

// Query implements Client.
func (d *database) Query(ctx context.Context, r *api.Request) (*api.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Query != "" {
		var entries []string
		for p := range d.known {
			entries = append(entries, fmt.Sprintf(`{"predicate":%q}`, p))
		}
		return &api.Response{Json: []byte(`{"schema":[` + strings.Join(entries, ",") + `]}`)}, nil
	}
	d.commits++
	if d.before != nil {
		if err := d.before(d.commits); err != nil {
			return nil, err
		}
	}
	quads, err := nquad.ReadRDF(r.Mutations[0].SetNquads)
	if err != nil {
		return nil, fault.As(fault.Invalid, err)
	}
	for i := range quads {
		if d.refuse != nil {
			if err := d.refuse(&quads[i]); err != nil {
				return nil, fault.As(fault.Invalid, err)
			}
		}
	}
	for i := range quads {
		q := &quads[i]
		object := q.Object.Name
		if q.HasValue() {
			object = q.Value.Text()
		}
		d.triples[q.Subject.Name+" "+q.Predicate+" "+object] = true
		d.known[q.Predicate] = true
	}
	if d.after != nil {
		if err := d.after(d.commits); err != nil {
			return nil, err
		}
	}
	return &api.Response{}, nil
}

// Alter implements Client.
func (d *database) Alter(_ context.Context, op *api.Operation) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if strings.Contains(op.Schema, "refused") {
		return fault.New(fault.Invalid, "this schema is refused")
	}
	d.alters = append(d.alters, strings.TrimSpace(op.Schema))
	d.known[strings.SplitN(op.Schema, ":", 2)[0]] = true
	return nil
}

// LeaseUIDs implements Client.
func (d *database) LeaseUIDs(_ context.Context, n uint64) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := d.next
	d.next += n
	return first, nil
}

// graph returns the triples with nodes by their names; twice says which names more than one node has.
func (d *database) graph() (triples, twice []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	names, nodes := map[string]string{}, map[string]int{}
	for t := range d.triples {
		if f := strings.SplitN(t, " ", 3); f[1] == "name" {
			names[f[0]] = f[2]
			if nodes[f[2]]++; nodes[f[2]] == 2 {
				twice = append(twice, f[2])
			}
		}
	}
	for t := range d.triples {
		f := strings.SplitN(t, " ", 3)
		for _, i := range []int{0, 2} {
			if name, ok := names[f[i]]; ok {
				f[i] = name
			}
		}
		triples = append(triples, strings.Join(f, " "))
	}
	slices.Sort(triples)
	return triples, twice
}

// files writes a folder of files, gzipped where the name ends in .gz or the text begins with GZ.
func files(t testing.TB, dir string, texts map[string]string) {
	t.Helper()
	for name, text := range texts {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		text, packed := strings.CutPrefix(text, "GZ")
		if packed || strings.HasSuffix(name, ".gz") {
			z := gzip.NewWriter(f)
			if _, err := z.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
		} else if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
