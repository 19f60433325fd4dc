package command

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"dragg/cluster/admin"
)

func addNode() *cobra.Command {
	o, want := &operation{}, admin.NewNode{}
	cmd := &cobra.Command{
		Use: "add", Short: "Say which command adds an Alpha", Args: cobra.NoArgs,
		Long: "A node is added by being started on its machine; this says how, and whether there is room for it.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var a admin.Addition
			if show, err := o.ask(cmd.Context(), http.MethodPost, "/v1/nodes", want, &a); !show {
				return err
			}
			_, err := fmt.Fprintf(o.out, "%s\n\n%s\n", a.Command, a.Note)
			return err
		},
	}
	cmd.Flags().Uint32Var(&want.Group, "group", 0, "the group that it shall be in; 0 lets Zero choose")
	cmd.Flags().BoolVar(&want.Learner, "learner", false, "a copy that serves reads and has no vote")
	return o.add(cmd)
}

func drain() *cobra.Command {
	o := &operation{}
	return o.add(&cobra.Command{
		Use: "drain NODE", Short: "Have an Alpha emptied", Args: cobra.ExactArgs(1),
		Long: "It leads nothing where others of its group can. When all voters of a group are drained the group gives its tablets to\n" +
			"the others, one after the other: see dragg cluster operations. Then it may be stopped, or removed.",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := numberOf("NODE", args[0])
			if err != nil {
				return err
			}
			var op admin.Operation
			if show, err := o.ask(cmd.Context(), http.MethodPost, fmt.Sprintf("/v1/nodes/%d/drain", id), struct{}{}, &op); !show {
				return err
			}
			_, err = fmt.Fprintf(o.out, "Node %d of group %d is being drained; dragg cluster operations %s says when that is done.\n",
				op.Node, op.From, op.ID)
			return err
		},
	})
}

func undrain() *cobra.Command {
	o := &operation{}
	return o.add(&cobra.Command{
		Use: "undrain NODE", Short: "Let an Alpha serve again that was drained", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := numberOf("NODE", args[0])
			if err != nil {
				return err
			}
			var n admin.Node
			if show, err := o.ask(cmd.Context(), http.MethodPost, fmt.Sprintf("/v1/nodes/%d/undrain", id), struct{}{}, &n); !show {
				return err
			}
			_, err = fmt.Fprintf(o.out, "Node %d of group %d serves again.\n", n.ID, n.Group)
			return err
		},
	})
}

func removeNode() *cobra.Command {
	o, kind := &operation{}, ""
	cmd := &cobra.Command{
		Use: "remove NODE", Short: "Take an Alpha, or a Zero, out of the cluster for good", Args: cobra.ExactArgs(1),
		Long: "The group of the node removes it, and its number is not used again. The last replica of a group that holds data\n" +
			"stays. A node whose data is lost is removed this way, and a new one started in its place.",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := numberOf("NODE", args[0])
			if err != nil {
				return err
			}
			var n admin.Node
			path := fmt.Sprintf("/v1/nodes/%d?kind=%s", id, url.QueryEscape(kind))
			if show, err := o.ask(cmd.Context(), http.MethodDelete, path, nil, &n); !show {
				return err
			}
			_, err = fmt.Fprintf(o.out, "Node %d at %s was removed from group %d.\n", n.ID, n.Address, n.Group)
			return err
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "alpha", "which is meant: alpha or zero, which are numbered apart")
	return o.add(cmd)
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
