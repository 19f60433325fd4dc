package command

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"dragg/cluster/admin"
)

func rebalance() *cobra.Command {
	cmd := &cobra.Command{
		Use: "rebalance", Short: "Show what would even out the groups, when that is done, and do it now",
		Args: cobra.NoArgs, RunE: showHelp, FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
	}
	cmd.AddCommand(
		shows("plan", "Show the moves that would even out the groups, and what keeps them from being made; nothing is moved", showPlan),
		policy(), runPlan(),
	)
	return cmd
}

func showPlan(ctx context.Context, o *operation) error {
	var p admin.PlanOf
	if show, err := o.ask(ctx, http.MethodGet, "/v1/rebalance/plan", nil, &p); !show {
		return err
	}
	var rows [][]any
	for _, m := range p.Moves {
		rows = append(rows, []any{m.Predicate, m.From, m.To, formatBytes(m.Bytes), fmt.Sprintf("%.1f %%", float64(m.Gain)/10), m.Why})
	}
	if err := o.table("PREDICATE FROM TO SIZE GAIN WHY", rows); err != nil {
		return err
	}
	notes := p.Blocked
	if p.Off {
		notes = append(notes, "the policy is off: only dragg cluster rebalance run moves anything")
	}
	for _, n := range notes {
		if _, err := fmt.Fprintln(o.out, "\n! "+n); err != nil {
			return err
		}
	}
	return nil
}

// policyFlags are the parts of a policy; what is not named stays.
type policyFlags struct {
	on, off    bool
	interval   time.Duration
	leastGain  uint32
	leastBytes size
}

// change returns what was named, nil if that is nothing.
func (f *policyFlags) change(changed func(flag string) bool) map[string]any {
	out := map[string]any{}
	for flag, set := range map[string]func(){
		"on":          func() { out["off"] = !f.on },
		"off":         func() { out["off"] = f.off },
		"interval":    func() { out["interval_ms"] = f.interval.Milliseconds() },
		"least-gain":  func() { out["least_gain"] = f.leastGain },
		"least-bytes": func() { out["least_bytes"] = int64(f.leastBytes) },
	} {
		if changed(flag) {
			set()
		}
	}
	return out
}

func policy() *cobra.Command {
	o, f := &operation{}, &policyFlags{}
	cmd := &cobra.Command{
		Use: "policy", Short: "Show when tablets are moved to even out the groups, or change that", Args: cobra.NoArgs,
		Example: "  dragg cluster rebalance policy --interval 1m --least-bytes 1GiB",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var p admin.Policy
			method, body := http.MethodGet, any(nil)
			if change := f.change(cmd.Flags().Changed); len(change) > 0 {
				method, body = http.MethodPut, change
			}
			if show, err := o.ask(cmd.Context(), method, "/v1/rebalance/policy", body, &p); !show {
				return err
			}
			state := "on"
			if p.Off {
				state = "off"
			}
			interval := time.Duration(p.IntervalMs) * time.Millisecond
			return o.table("STATE INTERVAL LEAST-GAIN LEAST-BYTES", [][]any{
				{state, interval, fmt.Sprintf("%.1f %%", float64(p.LeastGain)/10), formatBytes(p.LeastBytes)},
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.on, "on", false, "even out the groups")
	flags.BoolVar(&f.off, "off", false, "move nothing but what is asked for")
	flags.DurationVar(&f.interval, "interval", 0, "pause between two moves, a second or more")
	flags.Uint32Var(&f.leastGain, "least-gain", 0, "how much of everything a move must even out, in thousandths")
	flags.Var(&f.leastBytes, "least-bytes", "by how much groups must differ")
	cmd.MarkFlagsMutuallyExclusive("on", "off")
	return o.add(cmd)
}

func runPlan() *cobra.Command {
	o := &operation{}
	return o.add(&cobra.Command{
		Use: "run", Short: "Begin the first move of the plan now", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var op admin.Operation
			if show, err := o.ask(cmd.Context(), http.MethodPost, "/v1/rebalance/run", struct{}{}, &op); !show {
				return err
			}
			_, err := fmt.Fprintf(o.out, "Move %s has begun: %s from group %d to group %d.\n", op.ID, op.Predicate, op.From, op.To)
			return err
		},
	})
}
