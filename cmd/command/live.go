package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"dragg/cluster"
	"dragg/cluster/rpc"
	"dragg/load/live"
)

// Live returns the command that loads data into a running cluster.
func Live() *cobra.Command {
	cfg := live.Config{}
	var address, zeroAddr, onError string
	var log logFlags
	cmd := &cobra.Command{
		Use: "live", Short: "Load RDF or JSON into a running cluster", Args: cobra.NoArgs,
		Example: "  dragg live --files film.rdf.gz --schema film.schema\n" +
			"  dragg live -f data/ --xidmap ids --on-error skip",
		RunE: func(cmd *cobra.Command, _ []string) error {
			lg, err := log.logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			switch onError {
			case "stop":
			case "skip":
				cfg.Skip = true
			default:
				return fmt.Errorf("--on-error must be stop or skip, not %q", onError)
			}
			cfg.Logger, cfg.Progress = lg, cmd.OutOrStdout()
			return withClient(address, func(c *client) error { return runLive(cmd.Context(), c, zeroAddr, cfg) })
		},
	}
	f := cmd.Flags()
	f.StringSliceVarP(&cfg.Paths, "files", "f", nil, "files and folders to load: .rdf .nq .nt .json, each also with .gz")
	f.StringVarP(&cfg.Schema, "schema", "s", "", "file of schema text, applied first")
	f.StringVarP(&zeroAddr, "zero", "z", "", "host:port of Zero's gRPC service, to lease uids from; empty to lease through the Alpha")
	f.IntVarP(&cfg.Batch, "batch", "b", 1000, "N-Quads of one transaction")
	f.IntVarP(&cfg.Lanes, "conc", "c", 4, "transactions on their way at once")
	f.StringVarP(&cfg.XIDs, "xidmap", "x", "", "folder that remembers ids and progress, so that a killed load goes on where it was")
	f.StringVar(&onError, "on-error", "stop", "what to do with a line that cannot be loaded: stop, or skip")
	f.StringVar(&cfg.SkippedTo, "skipped", "skipped.txt", "file for the lines that --on-error skip passes over")
	log.add(f)
	alphaFlag(cmd, &address)
	return configurable(cmd)
}

func runLive(ctx context.Context, c *client, zeroAddr string, cfg live.Config) error {
	if zeroAddr == "" {
		_, err := live.Run(ctx, cfg, c)
		return err
	}
	pool := rpc.NewPool(rpc.Config{})
	c.leases = cluster.NewClient(cluster.ClientConfig{Addresses: []string{zeroAddr}, Pool: pool})
	_, err := live.Run(ctx, cfg, c)
	return errors.Join(err, pool.Close())
}
