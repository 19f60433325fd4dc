package alpha

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"github.com/twpayne/go-geom/encoding/wkb"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/internal/fault"
	"dragg/mutation/nquad"
)

// The client carries a transaction's conflict keys and predicates from its mutations to its commit: keys in base 36,
// predicates as group, namespace and name joined by dashes (dql.md fact 125).

func keysToWire(keys []uint64) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = strconv.FormatUint(k, 36)
	}
	return out
}

// keysFromWire refuses what does not parse: a key that is passed over would be a conflict that is missed.
func keysFromWire(keys []string) ([]uint64, error) {
	out := make([]uint64, len(keys))
	for i, k := range keys {
		n, err := strconv.ParseUint(k, 36, 64)
		if err != nil {
			return nil, fault.New(fault.Invalid, "conflict key %q of the transaction is not one that this server gave", k)
		}
		out[i] = n
	}
	return out, nil
}

// predsToWire names the predicates of edges and the groups that serve them.
func (n *Node) predsToWire(steps [][]graph.Edge) []string {
	seen := map[graph.Predicate]bool{}
	out := []string{}
	for _, edges := range steps {
		for _, e := range edges {
			if group, ok := n.shard.Route(e.Predicate, graph.MaxTimestamp); ok && !seen[e.Predicate] {
				seen[e.Predicate] = true
				out = append(out, fmt.Sprintf("%d-%d-%s", group, e.Predicate.Namespace, e.Predicate.Name))
			}
		}
	}
	return out
}

// groupsFromWire returns which groups serve the predicates that a client names, each once: what they are now is the groups' to know.
func groupsFromWire(preds []string) ([]uint32, error) {
	out := make([]uint32, 0, 1)
	for _, p := range preds {
		parts := strings.SplitN(p, "-", 3)
		if len(parts) != 3 {
			return nil, fault.New(fault.Invalid, "predicate %q of the transaction is not of the form group-namespace-name", p)
		}
		group, err1 := strconv.ParseUint(parts[0], 10, 32)
		_, err2 := strconv.ParseUint(parts[1], 10, 64)
		if err1 != nil || err2 != nil {
			return nil, fault.New(fault.Invalid, "predicate %q of the transaction is not of the form group-namespace-name", p)
		}
		if !slices.Contains(out, uint32(group)) {
			out = append(out, uint32(group))
		}
	}
	return out, nil
}

// fromWire reads statements that came as messages instead of text.
func fromWire(list []*api.NQuad) ([]nquad.Quad, error) {
	out := make([]nquad.Quad, 0, len(list))
	for i, w := range list {
		q, err := quadFromWire(w)
		if err != nil {
			return nil, fmt.Errorf("N-Quad %d: %w", i, err)
		}
		out = append(out, q)
	}
	return out, nil
}

// starText is how clients write a star in messages.
const starText = "_STAR_ALL"

func quadFromWire(w *api.NQuad) (nquad.Quad, error) {
	q := nquad.Quad{Subject: nodeFromWire(w.Subject), Predicate: w.Predicate, Lang: w.Lang}
	if w.Predicate == starText {
		q.Predicate, q.StarPredicate = "*", true
	}
	switch {
	case w.ObjectValue.GetDefaultVal() == starText:
		q.Object = nquad.Node{Kind: nquad.Star}
	case w.ObjectId != "":
		q.Object = nodeFromWire(w.ObjectId)
	case w.ObjectValue != nil:
		v, err := valueFromWire(w.ObjectValue)
		if err != nil {
			return q, err
		}
		q.Value = v
	default:
		return q, fmt.Errorf("it has neither an object nor a value")
	}
	for _, f := range w.Facets {
		v, err := facetFromWire(f)
		if err != nil {
			return q, fmt.Errorf("facet %s: %w", f.Key, err)
		}
		q.Facets = append(q.Facets, graph.Facet{Key: f.Key, Value: v})
	}
	return q, nil
}

func nodeFromWire(text string) nquad.Node {
	if name, ok := strings.CutPrefix(text, "_:"); ok {
		return nquad.Node{Kind: nquad.Blank, Name: name}
	}
	if name, ok := strings.CutPrefix(text, "uid("); ok && strings.HasSuffix(name, ")") {
		return nquad.Node{Kind: nquad.Variable, Name: strings.TrimSuffix(name, ")")}
	}
	if text == starText {
		return nquad.Node{Kind: nquad.Star}
	}
	return nquad.Node{Kind: nquad.Named, Name: text}
}

func valueFromWire(w *api.Value) (types.Value, error) {
	switch v := w.Val.(type) {
	case *api.Value_DefaultVal:
		return types.OfDefault(v.DefaultVal), nil
	case *api.Value_StrVal:
		return types.OfString(v.StrVal), nil
	case *api.Value_BytesVal:
		return types.OfBinary(string(v.BytesVal)), nil
	case *api.Value_IntVal:
		return types.OfInt(v.IntVal), nil
	case *api.Value_BoolVal:
		return types.OfBool(v.BoolVal), nil
	case *api.Value_DoubleVal:
		return types.OfFloat(v.DoubleVal), nil
	case *api.Value_PasswordVal:
		return types.OfPassword(v.PasswordVal), nil
	case *api.Value_GeoVal:
		g, err := wkb.Unmarshal(v.GeoVal)
		return types.OfGeo(g), err
	case *api.Value_DateVal:
		return timeFromWire(v.DateVal)
	case *api.Value_DatetimeVal:
		return timeFromWire(v.DatetimeVal)
	case *api.Value_BigfloatVal:
		return types.Parse(string(v.BigfloatVal), types.BigFloat)
	case *api.Value_Vfloat32Val:
		return vectorFromWire(v.Vfloat32Val)
	}
	return types.Value{}, fmt.Errorf("its value has a kind that this server does not know: %T", w.Val)
}

// timeFromWire reads the binary form of Go's time.
func timeFromWire(b []byte) (types.Value, error) {
	var t time.Time
	err := t.UnmarshalBinary(b)
	return types.OfTime(t), err
}

func vectorFromWire(b []byte) (types.Value, error) {
	if len(b)%4 != 0 {
		return types.Value{}, fmt.Errorf("a vector of %d bytes is not one of 32-bit floats", len(b))
	}
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return types.OfVector(v), nil
}

// facetFromWire reads a facet: numbers are little endian, times are Go's binary form.
func facetFromWire(f *api.Facet) (types.Value, error) {
	switch f.ValType {
	case api.Facet_STRING:
		return types.OfString(string(f.Value)), nil
	case api.Facet_BOOL:
		return types.OfBool(len(f.Value) > 0 && f.Value[0] != 0), nil
	case api.Facet_DATETIME:
		return timeFromWire(f.Value)
	case api.Facet_INT, api.Facet_FLOAT:
		if len(f.Value) != 8 {
			return types.Value{}, fmt.Errorf("a number has 8 bytes, not %d", len(f.Value))
		}
		n := binary.LittleEndian.Uint64(f.Value)
		if f.ValType == api.Facet_INT {
			return types.OfInt(int64(n)), nil
		}
		return types.OfFloat(math.Float64frombits(n)), nil
	}
	return types.Value{}, fmt.Errorf("its type %v is unknown", f.ValType)
}
