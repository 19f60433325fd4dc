package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"
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
	return errors.Join(fn(c), c.close())
}

// input returns the text that a command works on: its argument, a file, or standard input for "-" or nothing.
func input(cmd *cobra.Command, args []string, file string) (string, error) {
	switch {
	case file != "" && len(args) > 0:
		return "", errors.New("give the text or --file, not both")
	case file != "":
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

// Query returns the command that asks a query.
func Query() *cobra.Command {
	var address, file string
	var vars []string
	var rdf, debug, explain, profile bool
	cmd := &cobra.Command{
		Use: "query [DQL | -]", Short: "Ask a query and print the answer", Args: cobra.MaximumNArgs(1),
		Example: "  dragg query '{ q(func: has(name), first: 3) { uid name } }'\n" +
			"  dragg query --file top.dql --var '$year=1999'",
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := input(cmd, args, file)
			if err != nil {
				return err
			}
			req := &api.Request{Query: text, ReadOnly: true, Vars: map[string]string{}}
			for _, v := range vars {
				name, value, ok := strings.Cut(v, "=")
				if !ok {
					return fmt.Errorf("--var %s: write it as '$name=value'", v)
				}
				req.Vars["$"+strings.TrimPrefix(name, "$")] = value
			}
			if rdf {
				req.RespFormat = api.Request_RDF
			}
			return withClient(address, func(c *client) error {
				ctx := asking(asking(asking(cmd.Context(), "debug", debug), "explain", explain), "profile", profile)
				resp, err := c.Query(ctx, req)
				switch {
				case err != nil:
					return err
				case explain:
					return printPlan(cmd.OutOrStdout(), resp, "explain")
				case profile:
					if err := printPlan(cmd.ErrOrStderr(), resp, "profile"); err != nil {
						return err
					}
				}
				if rdf {
					_, err := cmd.OutOrStdout().Write(resp.Rdf)
					return err
				}
				return printJSON(cmd.OutOrStdout(), resp.Json)
			})
		},
	}
	alphaFlag(cmd, &address)
	cmd.Flags().StringVarP(&file, "file", "f", "", "file with the query")
	cmd.Flags().StringArrayVar(&vars, "var", nil, "a query variable, as '$name=value'; may be repeated")
	cmd.Flags().BoolVar(&rdf, "rdf", false, "answer as RDF")
	cmd.Flags().BoolVar(&debug, "debug", false, "show the uid of every object")
	cmd.Flags().BoolVar(&explain, "explain", false, "show how the query would be answered, and do not run it")
	cmd.Flags().BoolVar(&profile, "profile", false, "show on stderr what each step of the query cost, beside the answer")
	return configurable(cmd)
}

// Mutate returns the command that changes data.
func Mutate() *cobra.Command {
	var address, file string
	cmd := &cobra.Command{
		Use: "mutate [DOCUMENT | -]", Short: "Change data: { set { N-Quads } delete { N-Quads } } or an upsert block",
		Args:    cobra.MaximumNArgs(1),
		Example: `  dragg mutate '{ set { _:a <name> "Ada" . } }'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := input(cmd, args, file)
			if err != nil {
				return err
			}
			return withClient(address, func(c *client) error {
				resp, err := c.dgraph.RunDQL(cmd.Context(), &api.RunDQLRequest{DqlQuery: text})
				if err != nil {
					return fault.FromGRPC(err)
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
	cmd.Flags().StringVarP(&file, "file", "f", "", "file with the document")
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
				return c.Alter(cmd.Context(), &api.Operation{Schema: text, RunInBackground: background})
			})
		},
	}
	alphaFlag(cmd, &address)
	cmd.Flags().StringVarP(&file, "file", "f", "", "file with schema text")
	cmd.Flags().BoolVar(&background, "background", false, "do not wait until indexes are built")
	return configurable(cmd)
}

func alphaFlag(cmd *cobra.Command, address *string) {
	cmd.Flags().StringVarP(address, "alpha", "a", "localhost:9080", "host:port of an Alpha's gRPC service")
}
