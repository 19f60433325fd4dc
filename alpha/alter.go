package alpha

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/cluster/admin"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/schema"
)

// Alter changes the schema or drops data. Unless it is told to run in the background it returns once every index is built.
func (n *Node) Alter(ctx context.Context, op *api.Operation) error {
	began := time.Now()
	err := n.admitted(func() error { return fault.As(fault.Invalid, n.alter(ctx, op)) })
	n.meters.note(kindAlter, began, err)
	return err
}

// alterFor is Alter for somebody at an address: it is logged.
func (n *Node) alterFor(ctx context.Context, from string, op *api.Operation) error {
	err := n.Alter(ctx, op)
	what, name := alteration(op)
	admin.Audit(n.lg, from, what, err, "name", name)
	return err
}

// alteration names what an operation does, and to what.
func alteration(op *api.Operation) (what, name string) {
	switch {
	case op.DropAll || op.DropOp == api.Operation_ALL:
		return "drop everything", ""
	case op.DropOp == api.Operation_DATA:
		return "drop the data", ""
	case op.DropAttr != "":
		return "drop a predicate", op.DropAttr
	case op.DropOp == api.Operation_ATTR:
		return "drop a predicate", op.DropValue
	case op.DropOp == api.Operation_TYPE:
		return "drop a type", op.DropValue
	}
	return "change the schema", fmt.Sprintf("%.200q", op.Schema)
}

func (n *Node) alter(ctx context.Context, op *api.Operation) error {
	switch {
	case op.DropAll || op.DropOp == api.Operation_ALL:
		return n.dropAll(ctx)
	case op.DropOp == api.Operation_DATA:
		if op.DropValue != "" {
			return errors.New("If DropOp is set to DATA, DropValue must be empty")
		}
		return n.change(ctx, &pb.Alter{DropData: true})
	case op.DropOp == api.Operation_ATTR || op.DropAttr != "":
		name := op.DropAttr
		if op.DropOp == api.Operation_ATTR {
			name = op.DropValue
		}
		return n.dropPredicate(ctx, name)
	case op.DropOp == api.Operation_TYPE:
		return n.dropType(ctx, op.DropValue)
	case strings.TrimSpace(op.Schema) == "":
		return errors.New("Operation must have at least one field set")
	}
	return n.alterSchema(ctx, op.Schema, op.RunInBackground)
}

func (n *Node) dropAll(ctx context.Context) error {
	return n.change(ctx, reserved(&pb.Alter{DropAll: true}))
}

// reserved adds the built-in predicates and types to a change.
func reserved(a *pb.Alter) *pb.Alter {
	r := schema.Reserved()
	for _, p := range r.Predicates {
		a.Predicates = append(a.Predicates, &pb.PredicateChange{
			Namespace: uint64(p.Name.Namespace), Predicate: p.Name.Name, Schema: p.AppendBinary(nil), Force: true,
		})
	}
	for _, t := range r.Types {
		a.Types = append(a.Types, &pb.TypeChange{Name: t.Name, Definition: t.AppendBinary(nil)})
	}
	return a
}

// ensureReserved makes the built-in predicates and types that are not there yet.
func (n *Node) ensureReserved(ctx context.Context) error {
	now := n.shard.Schema()
	missing := false
	for _, p := range schema.Reserved().Predicates {
		if _, ok := now.Predicate(p.Name); !ok {
			missing = true
		}
	}
	if !missing {
		return nil
	}
	return n.change(ctx, reserved(&pb.Alter{}))
}

func (n *Node) dropPredicate(ctx context.Context, name string) error {
	switch {
	case name == "":
		return errors.New("If DropOp is set to ATTR, DropValue must not be empty")
	case schema.IsReserved(name):
		return fmt.Errorf("predicate %s is pre-defined and is not allowed to be dropped", name)
	}
	return n.change(ctx, &pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: name, Force: true}}})
}

func (n *Node) dropType(ctx context.Context, name string) error {
	switch {
	case name == "":
		return errors.New("If DropOp is set to TYPE, DropValue must not be empty")
	case schema.IsReserved(name):
		return fmt.Errorf("type %s is pre-defined and is not allowed to be dropped", name)
	}
	return n.change(ctx, &pb.Alter{Types: []*pb.TypeChange{{Name: name}}})
}

// errStale says that a predicate changed while a change to it was prepared.
var errStale = fault.New(fault.Unavailable, "the schema changed meanwhile; please retry")

// change has Zero make a change, and returns once this group knows it; or, with errStale, what stands in its way.
func (n *Node) change(ctx context.Context, a *pb.Alter) error {
	reply, err := n.zero.ChangeSchema(ctx, a)
	if err != nil {
		return fmt.Errorf("changing the schema: %w", err)
	}
	if err := n.shard.WaitSeq(ctx, reply.Seqs[uint32(n.group)]); err != nil {
		return err
	}
	if reply.Stale {
		return fmt.Errorf("predicate %s: %w", reply.StalePredicate, errStale)
	}
	return nil
}

// alterSchema sets definitions from schema text.
func (n *Node) alterSchema(ctx context.Context, text string, background bool) error {
	update, err := schema.Parse(text)
	if err != nil {
		return err
	}
	if err := n.shard.Room(0); err != nil {
		return err
	}
	// What is allowed depends on the data: look at all that was committed before.
	start, err := n.starter.Start(ctx)
	if err != nil {
		return fmt.Errorf("drawing a timestamp: %w", err)
	}
	if err := n.shard.WaitTimestamp(ctx, start.After); err != nil {
		return err
	}
	var building []*schema.Predicate
	for range maxSchemaRaces {
		building, err = n.tryAlter(ctx, update, inspector{n, start.After})
		if !errors.Is(err, errStale) {
			break
		}
	}
	if err != nil || background {
		return err
	}
	return n.waitBuilt(ctx, building)
}

// errIndexing is said to whoever alters a predicate while its index is being built (dql.md fact 122).
var errIndexing = fault.New(fault.Unavailable, "errIndexingInProgress: an index of the predicate is being built. Please retry")

// tryAlter checks an update against what is defined now and has Zero make it. It returns the predicates that need a build.
func (n *Node) tryAlter(ctx context.Context, update schema.Update, data inspector) ([]*schema.Predicate, error) {
	epochs := n.epochs(update.Predicates) // before the schema is read: what changes in between is refused
	now := n.shard.Schema()
	if err := now.Check(update, func(p graph.Predicate) (bool, error) { return data.hasData(ctx, p) }); err != nil {
		return nil, err
	}
	a := &pb.Alter{}
	var building []*schema.Predicate
	for _, def := range update.Predicates {
		old, _ := now.Predicate(def.Name)
		if old != nil && old.SameDefinition(def) {
			if len(old.Building) > 0 {
				building = append(building, old)
			}
			continue
		}
		if old != nil && len(old.Building) > 0 {
			return nil, fmt.Errorf("predicate %s: %w", def.Name, errIndexing)
		}
		rebuild := schema.Diff(old, def)
		if rebuild.Retype || def.Type == types.Geo && len(rebuild.AddIndex) > 0 {
			if err := data.checkValues(ctx, def); err != nil {
				return nil, err
			}
		}
		next := *def
		next.Building = n.toBuild(old, rebuild)
		if len(next.Building) > 0 {
			building = append(building, &next)
		}
		a.Predicates = append(a.Predicates, definition(&next, epochs[def.Name]))
	}
	for _, t := range update.Types {
		a.Types = append(a.Types, &pb.TypeChange{Name: t.Name, Definition: t.AppendBinary(nil)})
	}
	if len(a.Predicates)+len(a.Types) == 0 {
		return building, nil
	}
	return building, n.change(ctx, a)
}

// toBuild names what must be built from data that is there; nothing for a predicate that is new.
func (n *Node) toBuild(old *schema.Predicate, r schema.Rebuild) []string {
	if old == nil {
		return nil
	}
	var names []string
	for _, t := range r.AddIndex {
		names = append(names, t.Name())
	}
	if r.AddReverse {
		names = append(names, schema.BuildingReverse)
	}
	if r.AddCount {
		names = append(names, schema.BuildingCount)
	}
	return names
}

// epochs returns the epochs of the predicates that there are.
func (n *Node) epochs(defs []*schema.Predicate) map[graph.Predicate]uint64 {
	out := map[graph.Predicate]uint64{}
	for _, def := range defs {
		if t, ok := n.shard.Tablet(def.Name); ok {
			out[def.Name] = t.Epoch
		}
	}
	return out
}

// definition returns the change that gives a predicate a definition, if its epoch is what it was; 0 for a predicate that is not there.
func definition(def *schema.Predicate, epoch uint64) *pb.PredicateChange {
	return &pb.PredicateChange{
		Namespace: uint64(def.Name.Namespace), Predicate: def.Name.Name, Schema: def.AppendBinary(nil), IfEpoch: epoch,
	}
}

// createPredicates makes predicates on first sight. Somebody else may have made them meanwhile: then theirs stay.
func (n *Node) createPredicates(ctx context.Context, defs []*schema.Predicate) error {
	if err := n.shard.Room(0); err != nil {
		return err
	}
	a := &pb.Alter{}
	for _, def := range defs {
		a.Predicates = append(a.Predicates, definition(def, 0))
	}
	if err := n.change(ctx, a); !errors.Is(err, errStale) {
		return err
	}
	return nil
}

// publishBuilt is told by the shard that a build is complete: queries may use it from now on.
func (n *Node) publishBuilt(ctx context.Context, t *pb.Tablet, def *schema.Predicate) error {
	return n.change(ctx, &pb.Alter{Predicates: []*pb.PredicateChange{{
		Namespace: t.Namespace, Predicate: t.Predicate, Schema: def.AppendBinary(nil), KeepEpoch: true,
		IfEpoch: t.Epoch, IfSchema: t.Schema, // another leader may have said so before
	}}})
}

// waitBuilt returns once nothing of the predicates is being built any more.
func (n *Node) waitBuilt(ctx context.Context, building []*schema.Predicate) error {
	began := time.Now()
	for _, def := range building {
		if err := n.shard.WaitBuilt(ctx, def.Name); err != nil {
			return err
		}
	}
	if len(building) > 0 {
		n.lg.Info("the schema change is complete", "predicates", len(building), "took", time.Since(began).Round(time.Millisecond))
	}
	return nil
}
