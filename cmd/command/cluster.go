package command

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"dragg/cluster/admin"
)

// Cluster returns the command that shows a cluster to its operator, and changes it.
func Cluster() *cobra.Command {
	cmd := &cobra.Command{
		Use: "cluster", Short: "Show a cluster, and change who is in it, who leads, and which group serves what",
		Long: "Each command asks a Zero, whichever: one that does not lead asks the one that does. What changes the cluster\n" +
			"must be asked on the machine of a Zero.",
		Example: "  dragg cluster status\n" +
			"  dragg cluster promote 1 3        # node 3 shall lead group 1\n" +
			"  dragg cluster move name 2        # group 2 shall serve the predicate name\n" +
			"  dragg cluster rebalance plan     # what would even out the groups\n" +
			"  dragg cluster nodes --json | jq '.nodes[].address'",
		Args: cobra.NoArgs, RunE: showHelp, FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
	}
	cmd.AddCommand(
		shows("status", "Show the cluster in numbers, and what is wrong with it", showStatus),
		shows("nodes", "Show the nodes, and those that were removed", showNodes),
		shows("groups", "Show the groups: who leads, who votes, how much they hold", showGroups),
		shows("tablets", "Show the tablets: which group serves them, how large and how busy they are", showTablets),
		addNode(), removeNode(), promote(), drain(), undrain(),
		moveTablet(), shows("moves", "Show the moves that go on, and how far they have come", showMoves), cancelMove(),
		operations(), rebalance(),
	)
	return cmd
}

// showHelp is what a command does that has others below it. With Args a name that none of them has is an error, also before flags that
// only those others know.
func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// operation is one request to the REST surface of a Zero.
type operation struct {
	zero   string // host:port, or a URL
	asJSON bool   // print the answer as it came
	out    io.Writer
}

// add adds the flags of every command that asks.
func (o *operation) add(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVarP(&o.zero, "zero", "z", "localhost:6080", "host:port of the HTTP service of a Zero")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print the answer as JSON")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.out = cmd.OutOrStdout()
		return run(cmd, args)
	}
	return configurable(cmd)
}

// operationTimeout bounds one request: elections take seconds.
const operationTimeout = 30 * time.Second

// ask sends a request, prints the answer where JSON is wanted, and reports whether it still is to be shown.
func (o *operation) ask(ctx context.Context, method, path string, body, into any) (show bool, err error) {
	raw, err := o.send(ctx, method, path, body)
	if err != nil {
		return false, err
	}
	if o.asJSON {
		return false, printJSON(o.out, raw)
	}
	return true, o.read(raw, into)
}

func (o *operation) read(raw []byte, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("--zero %s does not answer as a Zero does: %w", o.zero, err)
	}
	return nil
}

func (o *operation) send(ctx context.Context, method, path string, body any) (raw []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	url := o.zero
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(url, "/")+path, bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("--zero: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("--zero %s, the HTTP port of a Zero (6080), is not reached: %w", o.zero, err)
	}
	raw, err = io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("--zero: %w", err)
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusAccepted {
		return raw, nil
	}
	var refused admin.Error
	if err := json.Unmarshal(raw, &refused); err != nil || refused.Message == "" {
		return nil, fmt.Errorf("--zero %s answers with status %s: is it the HTTP port of a Zero?", o.zero, resp.Status)
	}
	return nil, refusal(refused)
}

// refusal is what Zero says of a request that it did not carry out.
type refusal admin.Error

// Error returns the message and the code.
func (r refusal) Error() string { return fmt.Sprintf("%s (%s)", r.Message, r.Code) }

// shows returns a command that only looks.
func shows(name, short string, show func(ctx context.Context, o *operation) error) *cobra.Command {
	o := &operation{}
	return o.add(&cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return show(cmd.Context(), o) },
	})
}

// table prints rows of columns, the first with their names.
func (o *operation) table(head string, rows [][]any) error {
	w := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
	lines := []string{strings.ReplaceAll(head, " ", "\t")}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = cmp.Or(fmt.Sprint(c), "-")
		}
		lines = append(lines, strings.Join(cells, "\t"))
	}
	if _, err := fmt.Fprintln(w, strings.Join(lines, "\n")); err != nil {
		return err
	}
	return w.Flush()
}

func showNodes(ctx context.Context, o *operation) error {
	var a admin.Nodes
	if show, err := o.ask(ctx, http.MethodGet, "/v1/nodes", nil, &a); !show {
		return err
	}
	var rows [][]any
	row := func(n admin.Node, role string) {
		var notes []string
		if n.Silent {
			notes = append(notes, "does not answer")
		}
		if n.Draining {
			notes = append(notes, "draining")
		}
		rows = append(rows, []any{n.ID, n.Kind, n.Group, n.Address, role, strings.Join(notes, ", ")})
	}
	for _, n := range a.Nodes {
		switch {
		case n.Leader:
			row(n, "leader")
		case n.Learner:
			row(n, "learner")
		default:
			row(n, "follower")
		}
	}
	for _, n := range a.Removed {
		row(n, "removed")
	}
	return o.table("ID KIND GROUP ADDRESS ROLE NOTES", rows)
}

func showGroups(ctx context.Context, o *operation) error {
	var a admin.Groups
	if show, err := o.ask(ctx, http.MethodGet, "/v1/groups", nil, &a); !show {
		return err
	}
	return o.groups(a)
}

func (o *operation) groups(a admin.Groups) error {
	var rows [][]any
	for _, g := range a.Groups {
		rows = append(rows, []any{g.ID, known(g.Leader), list(g.Voters), list(g.Learners), g.Tablets, formatBytes(g.Bytes)})
	}
	return o.table("GROUP LEADER VOTERS LEARNERS TABLETS SIZE", rows)
}

func showTablets(ctx context.Context, o *operation) error {
	var a admin.Tablets
	if show, err := o.ask(ctx, http.MethodGet, "/v1/tablets", nil, &a); !show {
		return err
	}
	var rows [][]any
	for _, t := range a.Tablets {
		size, load, moving := "", "", ""
		if t.Bytes != nil {
			size = formatBytes(*t.Bytes)
		}
		if t.Load != nil {
			load = fmt.Sprintf("%.1f/s", *t.Load)
		}
		if t.MovingTo != 0 {
			moving = fmt.Sprintf("group %d", t.MovingTo)
		}
		rows = append(rows, []any{t.Predicate, t.Group, size, load, t.Epoch, moving})
	}
	return o.table("PREDICATE GROUP SIZE LOAD EPOCH MOVING-TO", rows)
}

func showStatus(ctx context.Context, o *operation) error {
	var c admin.Cluster
	if show, err := o.ask(ctx, http.MethodGet, "/v1/cluster", nil, &c); !show {
		return err
	}
	var groups admin.Groups
	if _, err := o.ask(ctx, http.MethodGet, "/v1/groups", nil, &groups); err != nil {
		return err
	}
	var nodes admin.Nodes
	if _, err := o.ask(ctx, http.MethodGet, "/v1/nodes", nil, &nodes); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(o.out, "Cluster %s: %d Zeros, %d groups of up to %d voters, %d Alphas, %d tablets.\n\n",
		c.ID, c.Zeros, c.Groups, c.Replicas, c.Alphas, c.Tablets); err != nil {
		return err
	}
	if err := o.groups(groups); err != nil {
		return err
	}
	for _, problem := range problems(c, groups, nodes) {
		if _, err := fmt.Fprintln(o.out, "\n! "+problem); err != nil {
			return err
		}
	}
	return nil
}

// problems says what an operator should look at.
func problems(c admin.Cluster, groups admin.Groups, nodes admin.Nodes) (out []string) {
	for _, g := range groups.Groups {
		switch {
		case g.Leader == 0:
			out = append(out, fmt.Sprintf("Nobody says that he leads group %d yet: if that stays, look whether a majority of it is up.", g.ID))
		case g.ID != 0 && len(g.Voters) < int(c.Replicas):
			out = append(out, fmt.Sprintf("Group %d has %d of %d voters: start more Alphas.", g.ID, len(g.Voters), c.Replicas))
		case len(g.Voters) == 2:
			out = append(out, fmt.Sprintf("Group %d has 2 voters: it stands still when either is away. Three can spare one.", g.ID))
		}
	}
	for _, n := range nodes.Nodes {
		if n.Silent {
			out = append(out, fmt.Sprintf("Node %d of group %d at %s does not answer.", n.ID, n.Group, n.Address))
		}
	}
	return out
}

func numberOf(what, text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		shown := map[string]string{"NODE": "nodes", "GROUP": "groups", "MOVE": "moves"}[what]
		return 0, fmt.Errorf("%s: %q is no number: dragg cluster %s shows those that there are", what, text, shown)
	}
	return n, nil
}

// known writes the id of a leader, nothing where it is not known.
func known(id uint64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatUint(id, 10)
}

func list(ids []uint64) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = strconv.FormatUint(id, 10)
	}
	return strings.Join(out, ",")
}

// formatBytes writes a size for people.
func formatBytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, unit := float64(n), 0
	for v >= 1024 && unit < len(units)-1 {
		v, unit = v/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[unit])
}
