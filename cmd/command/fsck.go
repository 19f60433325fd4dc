package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"dragg/fsck"
	"dragg/graph"
)

// errDamaged makes fsck end with status 1.
var errDamaged = errors.New("the data is damaged")

// Fsck returns the command that checks the data of a server that is down.
func Fsck() *cobra.Command {
	var log logFlags
	var dir, zeroDir string
	cfg := fsck.Config{}
	cmd := &cobra.Command{
		Use: "fsck", Short: "Check the data of a server that is down", Args: cobra.NoArgs,
		Long: "fsck checks whether everything that is derived agrees with the data: indexes, reverse edges with their facets, counts;\n" +
			"whether every key on disk belongs to somebody; and whether no transaction is open whose verdict is known.\n\n" +
			"The server must be down. As its start would, fsck first applies what the Raft log holds beyond the last checkpoint, and\n" +
			"checks the state that then is current. It mends nothing. The exit status is 1 when something is wrong, and when the\n" +
			"check could not be finished.",
		Example: "  dragg fsck --data ./data",
		RunE: func(cmd *cobra.Command, _ []string) error {
			lg, err := log.logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			folder, err := fsck.Find(dir)
			if err != nil {
				return fmt.Errorf("--data: %w", err)
			}
			if zeroDir != "" {
				folder.Zero = zeroDir
			}
			return runFsck(cmd.Context(), cfg, cmd.OutOrStdout(), func(ctx context.Context, cfg fsck.Config) (fsck.Summary, error) {
				return fsck.Run(ctx, cfg, folder, lg)
			})
		},
	}
	f := cmd.Flags()
	f.StringVarP(&dir, "data", "d", "data", "folder of dragg up, or of an alpha")
	f.StringVar(&zeroDir, "zero-data", "", "folder of Zero, where it is not beside the alpha's; to check open transactions against verdicts")
	f.IntVar(&cfg.MaxFindings, "max-findings", 100, "how many findings are printed; all are counted")
	log.add(f)
	f.Lookup("log-level").DefValue, log.level = "warn", "warn" // a check has its own output
	return configurable(cmd)
}

// runFsck runs a check and prints what it finds.
func runFsck(
	ctx context.Context, cfg fsck.Config, out io.Writer, run func(context.Context, fsck.Config) (fsck.Summary, error),
) error {
	var broken error
	say := func(what any) {
		if _, err := fmt.Fprintln(out, what); err != nil && broken == nil {
			broken = err
		}
	}
	cfg.Report = func(f fsck.Finding) { say(f) }
	cfg.Progress = func(p graph.Predicate, s fsck.Summary) {
		say(fmt.Sprintf("… %s: %d keys, %d nodes, %d derived entries, %d findings", orLayout(p), s.Keys, s.Nodes, s.Derived, s.Findings))
	}
	sum, err := run(ctx, cfg)
	if err != nil {
		return errors.Join(err, broken)
	}
	say(sum)
	if sum.Findings > 0 {
		return errDamaged
	}
	return broken
}

// orLayout names what is being checked.
func orLayout(p graph.Predicate) string {
	if p.Name == "" {
		return "all keys"
	}
	return "predicate " + p.String()
}
