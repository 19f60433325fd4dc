package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"dragg/cluster/admin"
)

func moveTablet() *cobra.Command {
	o, want, background := &operation{}, admin.Destination{}, false
	cmd := &cobra.Command{
		Use: "move PREDICATE GROUP", Short: "Move a predicate to another group, while it is in use", Args: cobra.ExactArgs(2),
		Long: "Reads go on, and writes but for a moment at the end. It waits until the predicate is there; Ctrl-C ends the wait, not the\n" +
			"move: dragg cluster cancel does that.",
		RunE: func(cmd *cobra.Command, args []string) error {
			group, err := numberOf("GROUP", args[1])
			if err != nil {
				return err
			}
			if want.Group = uint32(group); uint64(want.Group) != group {
				return fmt.Errorf("GROUP: %d is no group", group)
			}
			path := "/v1/tablets/" + url.PathEscape(args[0]) + "/move"
			var op admin.Operation
			if background {
				if show, err := o.ask(cmd.Context(), http.MethodPost, path, want, &op); !show {
					return err
				}
				_, err = fmt.Fprintf(o.out, "Move %s has begun; dragg cluster operations %s says how it ended.\n", op.ID, op.ID)
				return err
			}
			raw, err := o.send(cmd.Context(), http.MethodPost, path, want)
			if err == nil {
				err = o.read(raw, &op)
			}
			if err != nil {
				return err
			}
			w := watch{operation: o, progress: cmd.ErrOrStderr()}
			return w.until(cmd.Context(), op)
		},
	}
	cmd.Flags().Uint64Var(&want.Namespace, "namespace", 0, "of the predicate")
	cmd.Flags().BoolVar(&background, "background", false, "do not wait until it is there")
	return o.add(cmd)
}

// watch waits for a move, and says how far it has come.
type watch struct {
	*operation
	progress io.Writer // for people, beside the answer
	said     string
}

const (
	// watchInterval is how often Zero is asked about an operation.
	watchInterval = 300 * time.Millisecond
	// watchPatience is how long it may fail to answer: elections take seconds.
	watchPatience = 30 * time.Second
)

// until waits until an operation is over, and prints how it ended. Zeros may be away for a while meanwhile.
func (w *watch) until(ctx context.Context, op admin.Operation) error {
	answered := time.Now()
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	path := "/v1/operations/" + url.PathEscape(op.ID)
	for {
		raw, err := w.send(ctx, http.MethodGet, path, nil)
		if err == nil {
			answered = time.Now()
			err = w.read(raw, &op)
		}
		switch {
		case err != nil && (!passing(err) || time.Since(answered) > watchPatience):
			return err
		case err == nil && op.State != admin.Running:
			return w.over(op, raw)
		case err == nil:
			w.tell(ctx, op)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("move %s goes on: dragg cluster operations %s says how it ended: %w", op.ID, op.ID, ctx.Err())
		case <-ticker.C:
		}
	}
}

// passing reports whether an error may be gone in a moment.
func passing(err error) bool {
	var r refusal
	return !errors.As(err, &r) || r.Code == "unavailable"
}

// over prints how an operation ended. An error says that it failed.
func (w *watch) over(op admin.Operation, raw []byte) error {
	if w.asJSON {
		if err := printJSON(w.out, raw); err != nil {
			return err
		}
	}
	if op.State != admin.Done {
		return fmt.Errorf("predicate %s stays in group %d: %s (%s)", op.Predicate, op.From, op.Why, op.Outcome)
	}
	if w.asJSON {
		return nil
	}
	took := ""
	if d, ok := between(op.Began, op.Ended); ok {
		took = " in " + d.String()
	}
	_, err := fmt.Fprintf(w.out, "Predicate %s moved from group %d to group %d%s.\n", op.Predicate, op.From, op.To, took)
	return err
}

func between(began, ended string) (time.Duration, bool) {
	from, err1 := time.Parse(time.RFC3339Nano, began)
	to, err2 := time.Parse(time.RFC3339Nano, ended)
	return to.Sub(from).Round(time.Millisecond), err1 == nil && err2 == nil
}

// tell says how far a move has come, where that has changed.
func (w *watch) tell(ctx context.Context, op admin.Operation) {
	raw, err := w.send(ctx, http.MethodGet, "/v1/moves", nil)
	var all admin.Moves
	if err != nil || w.read(raw, &all) != nil {
		return // the next time
	}
	for _, m := range all.Moves {
		line := fmt.Sprintf("%s: %s received", cmp.Or(m.Step, m.Phase), formatBytes(m.Bytes))
		if fmt.Sprint(m.ID) != op.ID || line == w.said {
			continue
		}
		w.said = line
		if _, err := fmt.Fprintln(w.progress, line); err != nil {
			return // nobody reads it
		}
	}
}

func showMoves(ctx context.Context, o *operation) error {
	var a admin.Moves
	if show, err := o.ask(ctx, http.MethodGet, "/v1/moves", nil, &a); !show {
		return err
	}
	var rows [][]any
	for _, m := range a.Moves {
		rows = append(rows, []any{m.ID, m.Predicate, m.From, m.To, m.Phase, m.Step, formatBytes(m.Bytes), m.Tries, m.Since})
	}
	return o.table("MOVE PREDICATE FROM TO PHASE STEP RECEIVED TRIES SINCE", rows)
}

func cancelMove() *cobra.Command {
	o, reason := &operation{}, ""
	cmd := &cobra.Command{
		Use: "cancel MOVE", Short: "Cancel a move: the predicate stays where it is", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := numberOf("MOVE", args[0])
			if err != nil {
				return err
			}
			var op admin.Operation
			path := fmt.Sprintf("/v1/moves/%d", id)
			if reason != "" {
				path += "?reason=" + url.QueryEscape(reason)
			}
			if show, err := o.ask(cmd.Context(), http.MethodDelete, path, nil, &op); !show {
				return err
			}
			_, err = fmt.Fprintf(o.out, "Move %s is over: predicate %s stays in group %d.\n", op.ID, op.Predicate, op.From)
			return err
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "for whoever asks what became of it")
	return o.add(cmd)
}

func operations() *cobra.Command {
	o := &operation{}
	return o.add(&cobra.Command{
		Use: "operations [ID]", Short: "Show what takes its time, and how it ended: moves and drains", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var a admin.Operations
			if len(args) == 0 {
				if show, err := o.ask(cmd.Context(), http.MethodGet, "/v1/operations", nil, &a); !show {
					return err
				}
				return o.operations(a.Operations)
			}
			var one admin.Operation
			if show, err := o.ask(cmd.Context(), http.MethodGet, "/v1/operations/"+url.PathEscape(args[0]), nil, &one); !show {
				return err
			}
			return o.operations([]admin.Operation{one})
		},
	})
}

func (o *operation) operations(all []admin.Operation) error {
	var rows [][]any
	for _, op := range all {
		what := fmt.Sprintf("node %d of group %d", op.Node, op.From)
		if op.Kind == "move" {
			what = fmt.Sprintf("%s: %d to %d", op.Predicate, op.From, op.To)
		}
		took := ""
		if d, ok := between(op.Began, op.Ended); ok {
			took = d.String()
		}
		rows = append(rows, []any{op.ID, op.Kind, what, op.State, took, op.Why})
	}
	return o.table("ID KIND WHAT STATE TOOK WHY", rows)
}
