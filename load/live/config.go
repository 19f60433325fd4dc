package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
)

// Client is the part of the client API that a load uses.
type Client interface {
	Query(ctx context.Context, r *api.Request) (*api.Response, error)
	Alter(ctx context.Context, op *api.Operation) error
	// LeaseUIDs returns the first of n consecutive uids.
	LeaseUIDs(ctx context.Context, n uint64) (uint64, error)
}

// Config says what to load and how. Zero values take the defaults.
type Config struct {
	// Paths are files and folders: .rdf, .nq, .nt and .json, each also with .gz.
	Paths []string
	// Schema is a file of schema text, applied first; "" for none.
	Schema string
	// Batch is how many N-Quads one transaction holds. Default 1000.
	Batch int
	// Lanes is how many transactions are on their way at once. Default 4.
	Lanes int
	// XIDs is the folder that remembers which external id has which uid, and how far the load is; "" for no folder.
	XIDs string
	// Skip saves what cannot be loaded to SkippedTo and goes on, instead of stopping.
	Skip      bool
	SkippedTo string
	// Progress gets a line every Every, and the summary; nil for none. Default 1 s.
	Progress io.Writer
	Every    time.Duration
	Logger   *slog.Logger
}

func (c *Config) setDefaults() error {
	if c.Batch == 0 {
		c.Batch = 1000
	}
	if c.Lanes == 0 {
		c.Lanes = 4
	}
	if c.Every == 0 {
		c.Every = time.Second
	}
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	var errs []error
	if c.Batch < 0 || c.Lanes < 0 {
		errs = append(errs, fmt.Errorf("batch %d and lanes %d must be above 0", c.Batch, c.Lanes))
	}
	if len(c.Paths) == 0 && c.Schema == "" {
		errs = append(errs, errors.New("nothing to load: name files or folders, or a schema"))
	}
	if c.Skip && c.SkippedTo == "" {
		errs = append(errs, errors.New("skipping needs a file to save what is skipped"))
	}
	return errors.Join(errs...)
}

// BadLine is a statement that cannot be loaded.
type BadLine struct {
	File string
	Line int
	Text string // as it stands in the file
	Err  error
}

// Error names the place and what is wrong.
func (e *BadLine) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap returns what is wrong.
func (e *BadLine) Unwrap() error { return e.Err }

// Summary is what a load did.
type Summary struct {
	Quads   int64 // loaded
	Nodes   int64 // that got a uid
	Aborts  int64 // transactions that were sent again
	Skipped int64 // statements that could not be loaded
	Resumed int64 // statements that an earlier run had loaded
	Took    time.Duration
}

// String renders the summary for people.
func (s Summary) String() string {
	rate := float64(s.Quads) / max(s.Took.Seconds(), 1e-9)
	text := fmt.Sprintf("loaded %d N-Quads in %s (%.0f/s), %d new nodes, %d aborts", s.Quads, s.Took.Round(time.Millisecond),
		rate, s.Nodes, s.Aborts)
	if s.Resumed > 0 {
		text += fmt.Sprintf(", %d were in already", s.Resumed)
	}
	if s.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", s.Skipped)
	}
	return text
}
