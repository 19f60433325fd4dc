package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// release is the version of this source tree.
const release = "0.1.0"

// Version returns the release and, where the build knows it, the commit.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return "v" + release + "-" + s.Value[:12]
			}
		}
	}
	return "v" + release
}

// Main runs a command until it ends or the process is told to stop, and returns the exit status.
func Main(cmd *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.Version = Version()
	err := cmd.ExecuteContext(ctx)
	if err == nil || errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, cmd.Name()+":", err)
	return 1
}

// Root returns the command with all others below it.
func Root() *cobra.Command {
	root := &cobra.Command{
		Use:   "dragg",
		Short: "A distributed graph database that speaks DQL",
		Long: "Dragg is a distributed graph database. Clients of Dgraph's API work with it unchanged.\n\n" +
			"  dragg up            a whole database in one process, in ./data\n" +
			"  dragg live -f FILE  load RDF or JSON into it\n" +
			"  dragg query '{ q(func: has(name), first: 3) { uid name } }'",
	}
	root.AddCommand(Up(), Zero(), Alpha(), Live(), Query(), Mutate(), Schema(), Cluster(), Fsck(), version())
	return root
}

func version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "dragg", Version())
			return err
		},
	}
}
