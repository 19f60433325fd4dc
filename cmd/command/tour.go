package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/alpha"
	"dragg/cluster"
	"dragg/load/live"
)

// tour greets somebody who started a database by hand: it loads an example into new data, shows what can be asked, and says
// where everything is.
type tour struct {
	flags   *serverFlags
	example string // folder with a schema, data and queries; "" for none
	zero    cluster.Zero
	out     io.Writer
	lg      *slog.Logger
}

// readyPoll is how often the tour looks whether the database answers.
const readyPoll = 20 * time.Millisecond

// run is the tour. What goes wrong in it is told, but does not end the database.
func (t *tour) run(ctx context.Context, n *alpha.Node) error {
	ticker := time.NewTicker(readyPoll)
	defer ticker.Stop()
	for !n.Ready() {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
	if t.example != "" {
		if err := t.show(ctx, n); err != nil && ctx.Err() == nil {
			t.lg.Error("the example could not be shown", "folder", t.example, "err", err)
		}
	}
	t.addresses()
	return nil
}

// show loads the example, unless it is in already, and asks its queries.
func (t *tour) show(ctx context.Context, n *alpha.Node) error {
	marker := filepath.Join(t.flags.data, "example.loaded")
	if _, err := os.Stat(marker); errors.Is(err, fs.ErrNotExist) {
		if err := t.load(ctx, n); err != nil {
			return err
		}
		if err := os.WriteFile(marker, []byte(t.example+"\n"), 0o644); err != nil {
			return err
		}
	}
	files, err := filepath.Glob(filepath.Join(t.example, "queries", "*.dql"))
	if err != nil {
		return err
	}
	slices.Sort(files)
	for _, f := range files {
		if err := t.ask(ctx, n, f); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
	}
	return nil
}

func (t *tour) load(ctx context.Context, n *alpha.Node) error {
	schemas, err := filepath.Glob(filepath.Join(t.example, "*.schema"))
	if err != nil {
		return err
	}
	cfg := live.Config{Paths: []string{t.example}, XIDs: filepath.Join(t.flags.data, "example-ids"), Logger: t.lg, Progress: t.out}
	if len(schemas) > 0 {
		cfg.Schema = schemas[0]
	}
	fmt.Fprintf(t.out, "Loading the example in %s ...\n", t.example)
	_, err = live.Run(ctx, cfg, inProcess{n, t.zero})
	return err
}

// ask prints a query, its headline and its answer.
func (t *tour) ask(ctx context.Context, n *alpha.Node, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	began := time.Now()
	resp, err := n.Do(ctx, &api.Request{Query: string(text), ReadOnly: true}, alpha.Options{})
	if err != nil {
		return err
	}
	took := time.Since(began)
	fmt.Fprintf(t.out, "\n%s\n", strings.TrimSpace(string(text)))
	if err := printJSON(t.out, resp.Json); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "(%s)\n", took.Round(time.Microsecond))
	return err
}

func (t *tour) addresses() {
	fmt.Fprintf(t.out, "\nDragg %s is up. Data is in %s.\n", Version(), t.flags.data)
	for _, a := range []struct {
		what string
		port int
	}{
		{"gRPC for clients", alphaGRPCPort},
		{"HTTP for clients", alphaHTTPPort},
		{"HTTP of Zero", zeroHTTPPort},
	} {
		fmt.Fprintf(t.out, "  %-17s localhost:%d\n", a.what, a.port+t.flags.offset)
	}
	fmt.Fprintln(t.out, "Stop with Ctrl-C.")
}

// inProcess loads into the Alpha of this process.
type inProcess struct {
	n    *alpha.Node
	zero cluster.Zero
}

// Query implements live.Client.
func (p inProcess) Query(ctx context.Context, r *api.Request) (*api.Response, error) {
	return p.n.Do(ctx, r, alpha.Options{})
}

// Alter implements live.Client.
func (p inProcess) Alter(ctx context.Context, op *api.Operation) error { return p.n.Alter(ctx, op) }

// LeaseUIDs implements live.Client.
func (p inProcess) LeaseUIDs(ctx context.Context, n uint64) (uint64, error) {
	first, err := p.zero.LeaseUIDs(ctx, n)
	return uint64(first), err
}
