package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"

	"dragg/cluster"
	"dragg/internal/fault"
)

// clientMessageBytes bounds answers.
const clientMessageBytes = 1 << 30

// client speaks the client API to an Alpha.
type client struct {
	conn   *grpc.ClientConn
	dgraph api.DgraphClient
	// leases, if not nil, leases uids from Zero instead of through the Alpha.
	leases *cluster.Client
}

func dial(address string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(clientMessageBytes), grpc.MaxCallSendMsgSize(clientMessageBytes)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return conn, nil
}

func newClient(address string) (*client, error) {
	conn, err := dial(address)
	if err != nil {
		return nil, fmt.Errorf("--alpha: %w", err)
	}
	return &client{conn: conn, dgraph: api.NewDgraphClient(conn)}, nil
}

func (c *client) close() error { return c.conn.Close() }

// Query implements live.Client.
func (c *client) Query(ctx context.Context, r *api.Request) (*api.Response, error) {
	resp, err := c.dgraph.Query(ctx, r)
	return resp, fault.FromGRPC(err)
}

// Alter implements live.Client.
func (c *client) Alter(ctx context.Context, op *api.Operation) error {
	_, err := c.dgraph.Alter(ctx, op)
	return fault.FromGRPC(err)
}

// LeaseUIDs implements live.Client.
func (c *client) LeaseUIDs(ctx context.Context, n uint64) (uint64, error) {
	if c.leases != nil {
		first, err := c.leases.LeaseUIDs(ctx, n)
		return uint64(first), err
	}
	r, err := c.dgraph.AllocateIDs(ctx, &api.AllocateIDsRequest{HowMany: n, LeaseType: api.LeaseType_UID})
	return r.GetStart(), fault.FromGRPC(err)
}

// withClient runs fn with a client of the Alpha at address.
func withClient(address string, fn func(c *client) error) error {
	c, err := newClient(address)
	if err != nil {
		return err
	}
	err = fn(c)
	if err != nil && c.conn.GetState() == connectivity.TransientFailure {
		err = fmt.Errorf("--alpha %s is not reached; dragg up starts a database: %w", address, err)
	}
	return errors.Join(err, c.close())
}

// input returns the text that a command works on: its argument, a file, or standard input for "-" or nothing.
func input(cmd *cobra.Command, args []string, file string) (string, error) {
	switch {
	case file != "" && len(args) > 0:
		return "", errors.New("give the text or --file, not both")
	case file != "" && file != "-":
		b, err := os.ReadFile(file)
		return string(b), err
	case len(args) > 0 && args[0] != "-":
		return args[0], nil
	}
	b, err := io.ReadAll(cmd.InOrStdin())
	return string(b), err
}

// printJSON writes JSON for people.
func printJSON(out io.Writer, raw []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := out.Write(b.Bytes())
	return err
}

// Mutate returns the command that changes data.
func Mutate() *cobra.Command {
	var address, file string
	cmd := &cobra.Command{
		Use: "mutate [DOCUMENT | -]", Short: "Change data: { set { N-Quads } delete { N-Quads } }, an upsert block, or JSON",
		Args: cobra.MaximumNArgs(1),
		Example: `  dragg mutate '{ set { _:a <name> "Ada" . } }'` + "\n" +
			`  dragg mutate '{ "set": { "name": "Ada" } }'       # also delete, query, cond, mutations`,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := input(cmd, args, file)
			if err != nil {
				return err
			}
			return withClient(address, func(c *client) error {
				resp, err := c.dgraph.RunDQL(cmd.Context(), &api.RunDQLRequest{DqlQuery: text})
				if err != nil {
					return pointed(fault.FromGRPC(err), text)
				}
				out, err := json.Marshal(struct {
					CommitTs uint64            `json:"commit_ts,omitempty"`
					Uids     map[string]string `json:"uids,omitempty"`
					Queries  json.RawMessage   `json:"queries,omitempty"`
				}{resp.GetTxn().GetCommitTs(), resp.Uids, resp.Json})
				if err != nil {
					return err
				}
				return printJSON(cmd.OutOrStdout(), out)
			})
		},
	}
	alphaFlag(cmd, &address)
	cmd.Flags().StringVarP(&file, "file", "f", "", "file with the document, - for standard input")
	return configurable(cmd)
}

// Schema returns the command that shows or changes the schema.
func Schema() *cobra.Command {
	var address, file string
	var background bool
	cmd := &cobra.Command{
		Use: "schema [TEXT | -]", Short: "Show the schema, or change it", Args: cobra.MaximumNArgs(1),
		Example: "  dragg schema                                  # show it\n" +
			"  dragg schema 'name: string @index(term) .'    # change it",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClient(address, func(c *client) error {
				if len(args) == 0 && file == "" {
					resp, err := c.Query(cmd.Context(), &api.Request{Query: "schema {}", ReadOnly: true})
					if err != nil {
						return err
					}
					return printJSON(cmd.OutOrStdout(), resp.Json)
				}
				text, err := input(cmd, args, file)
				if err != nil {
					return err
				}
				return pointed(c.Alter(cmd.Context(), &api.Operation{Schema: text, RunInBackground: background}), text)
			})
		},
	}
	alphaFlag(cmd, &address)
	cmd.Flags().StringVarP(&file, "file", "f", "", "file with schema text, - for standard input")
	cmd.Flags().BoolVar(&background, "background", false, "do not wait until indexes are built")
	return configurable(cmd)
}

func alphaFlag(cmd *cobra.Command, address *string) {
	cmd.Flags().StringVarP(address, "alpha", "a", "localhost:9080", "host:port of an Alpha's gRPC service")
}
