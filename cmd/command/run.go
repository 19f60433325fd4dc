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
	if err := execute(ctx, cmd); err != nil {
		fmt.Fprintln(os.Stderr, cmd.Name()+":", err)
		return 1
	}
	return 0
}

// execute runs a command. Where it was called in a way that it cannot be, the error says how it can.
func execute(ctx context.Context, cmd *cobra.Command) error {
	begun := false
	cmd.PersistentPreRun = func(*cobra.Command, []string) { begun = true }
	called, err := cmd.ExecuteContextC(ctx)
	switch {
	case err == nil || errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return nil
	case !begun:
		return fmt.Errorf("%w\nusage: %s (%s --help says more)", err, called.UseLine(), called.CommandPath())
	}
	return err
}

// Root returns the command with all others below it.
func Root() *cobra.Command {
	root := &cobra.Command{
		Use:   "dragg",
		Short: "A distributed graph database that speaks DQL",
		Long: "Dragg is a distributed graph database. Clients of Dgraph's API work with it unchanged.\n\n" +
			"  dragg up            a whole database in one process, in ./data\n" +
			"  dragg live -f FILE  load RDF or JSON into it\n" +
			"  dragg query '{ q(func: has(director.film), first: 3) { uid name@en } }'",
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
