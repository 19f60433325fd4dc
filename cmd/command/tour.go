package command

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"dragg/alpha"
)

// tour greets somebody who started a database by hand: it loads an example into new data, shows what can be asked, and says
// where everything is.
type tour struct {
	flags   *serverFlags
	example string
	out     io.Writer
	lg      *slog.Logger
}

func (t *tour) run(ctx context.Context, n *alpha.Node) error {
	for !n.Ready() {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.addresses()
	return nil
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
