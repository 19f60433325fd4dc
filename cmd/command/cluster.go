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
		Use: "cluster", Short: "Show a cluster, and change who is in it and who leads",
		Long: "Each command asks a Zero, whichever: one that does not lead asks the one that does. What changes the cluster\n" +
			"must be asked on the machine of a Zero.",
		Example: "  dragg cluster status\n" +
			"  dragg cluster promote 1 3        # node 3 shall lead group 1\n" +
			"  dragg cluster nodes --json | jq '.nodes[].address'",
	}
	cmd.AddCommand(
		shows("status", "Show the cluster in numbers, and what is wrong with it", showStatus),
		shows("nodes", "Show the nodes, and those that were removed", showNodes),
		shows("groups", "Show the groups: who leads, who votes, how much they hold", showGroups),
		shows("tablets", "Show the tablets: which group serves them, how large they are", showTablets),
		removeNode(), promote(),
	)
	return cmd
}

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
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	raw, err := o.send(ctx, method, path, body)
	if err != nil {
		return false, err
	}
	if o.asJSON {
		return false, printJSON(o.out, raw)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return false, fmt.Errorf("--zero %s does not answer as a Zero does: %w", o.zero, err)
	}
	return true, nil
}

func (o *operation) send(ctx context.Context, method, path string, body any) (raw []byte, err error) {
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
		return nil, fmt.Errorf("--zero: %w", err)
	}
	raw, err = io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("--zero: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return raw, nil
	}
	var refused admin.Error
	if err := json.Unmarshal(raw, &refused); err != nil || refused.Message == "" {
		return nil, fmt.Errorf("--zero %s answers with status %s: is it the HTTP port of a Zero?", o.zero, resp.Status)
	}
	return nil, fmt.Errorf("%s (%s)", refused.Message, refused.Code)
}

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
		size, moving := "", ""
		if t.Bytes != nil {
			size = formatBytes(*t.Bytes)
		}
		if t.MovingTo != 0 {
			moving = fmt.Sprintf("group %d", t.MovingTo)
		}
		rows = append(rows, []any{t.Predicate, t.Group, size, t.Epoch, moving})
	}
	return o.table("PREDICATE GROUP SIZE EPOCH MOVING-TO", rows)
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

func removeNode() *cobra.Command {
	o := &operation{}
	return o.add(&cobra.Command{
		Use: "remove NODE", Short: "Take an Alpha out of the cluster for good", Args: cobra.ExactArgs(1),
		Long: "The group of the node removes it, and its number is not used again. The last replica of a group that holds data\n" +
			"stays. A node whose data is lost is removed this way, and a new one started in its place.",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := numberOf("NODE", args[0])
			if err != nil {
				return err
			}
			var n admin.Node
			if show, err := o.ask(cmd.Context(), http.MethodDelete, fmt.Sprintf("/v1/nodes/%d", id), nil, &n); !show {
				return err
			}
			_, err = fmt.Fprintf(o.out, "Node %d at %s was removed from group %d.\n", n.ID, n.Address, n.Group)
			return err
		},
	})
}

func promote() *cobra.Command {
	o := &operation{}
	return o.add(&cobra.Command{
		Use: "promote GROUP NODE", Short: "Have a voter of a group lead it; group 0 is the Zeros", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			group, err1 := numberOf("GROUP", args[0])
			node, err2 := numberOf("NODE", args[1])
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
			want := admin.Leadership{Node: node}
			if show, err := o.ask(cmd.Context(), http.MethodPost, fmt.Sprintf("/v1/groups/%d/leader", group), want, &want); !show {
				return err
			}
			_, err := fmt.Fprintf(o.out, "Node %d leads group %d.\n", want.Node, group)
			return err
		},
	})
}

func numberOf(what, text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is no number: dragg cluster groups shows those that there are", what, text)
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
