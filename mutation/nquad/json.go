package nquad

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"dragg/graph"
	"dragg/graph/types"
)

// JSONError is a part of a JSON mutation that cannot be read.
type JSONError struct {
	Line, Column int   // from 1; Column counts bytes
	Err          error // what is wrong
}

// Error returns the message with its place.
func (e *JSONError) Error() string {
	return fmt.Sprintf("line %d column %d: %v", e.Line, e.Column, e.Err)
}

// Unwrap returns what is wrong.
func (e *JSONError) Unwrap() error { return e.Err }

// offsetError is an error at a byte of the text.
type offsetError struct {
	at  int
	err error
}

// Error returns the message without the place.
func (e *offsetError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *offsetError) Unwrap() error { return e.err }

// offset adds a place to an error that has none.
func offset(at int, err error) error {
	if placed := (*offsetError)(nil); err == nil || errors.As(err, &placed) {
		return err
	}
	return &offsetError{at: at, err: err}
}

// placed gives an error its line and column in the text.
func placed(text []byte, err error) error {
	e := (*offsetError)(nil)
	if !errors.As(err, &e) {
		return err
	}
	before := text[:min(e.at, len(text))]
	return &JSONError{
		Line: bytes.Count(before, []byte{'\n'}) + 1, Column: len(before) - bytes.LastIndexByte(before, '\n'), Err: e.err,
	}
}

// ReadJSON reads a JSON mutation that sets: an object or an array of objects (dql.md 1.9). newBlank returns a fresh blank
// name for every object without a uid. An error about a part of the text is a *JSONError.
func ReadJSON(text []byte, newBlank func() string) ([]Quad, error) {
	return readJSON(text, &jsonReader{newBlank: newBlank})
}

// ReadJSONDelete reads a JSON mutation that deletes (dql.md facts 100, 104).
func ReadJSONDelete(text []byte) ([]Quad, error) {
	return readJSON(text, &jsonReader{deletes: true})
}

var errRoot = errors.New("only array of map allowed at root")

func readJSON(text []byte, r *jsonReader) ([]Quad, error) {
	tree, err := readTree(text)
	if err != nil {
		return nil, placed(text, err)
	}
	list, ok := tree.([]any)
	if !ok {
		list = []any{tree}
	}
	for _, v := range list {
		o, ok := v.(*object)
		if !ok {
			return nil, errRoot
		}
		if _, err := r.node(o, ""); err != nil {
			return nil, placed(text, err)
		}
	}
	return r.quads, nil
}

// jsonReader turns objects into quads. In a deletion, absent uids are errors and empty values are stars.
type jsonReader struct {
	deletes  bool
	newBlank func() string
	quads    []Quad
}

// node reads one object and returns the node it stands for. via is the predicate that led here, whose facets the object may
// hold.
func (r *jsonReader) node(o *object, via string) (Node, error) {
	subject, err := r.identity(o)
	if err != nil {
		return Node{}, offset(o.at, err)
	}
	bare := true
	for i, key := range o.keys {
		bare = bare && key == "uid"
		if key == "uid" || strings.Contains(key, "|") {
			continue
		}
		if err := r.field(subject, o, key); err != nil {
			return Node{}, offset(o.keysAt[i], err)
		}
	}
	if r.deletes && bare && via == "" {
		r.quads = append(r.quads, Quad{
			Subject: subject, Predicate: "*", StarPredicate: true, Object: Node{Kind: Star}, Origin: FromObject,
		})
	}
	return subject, nil
}

var errNoUID = errors.New("UID must be present and non-zero while deleting edges")

// identity reads the uid of an object. None, null, "" and zero stand for a new node.
func (r *jsonReader) identity(o *object) (Node, error) {
	n := Node{}
	switch v := o.values["uid"].(type) {
	case nil:
	case string:
		n = nodeOfText(v)
	case json.Number:
		n = Node{Named, v.String()}
	default:
		return Node{}, fmt.Errorf("uid must be a string or a number, found %s", kindOf(v))
	}
	if n.Kind == Named {
		if u, err := strconv.ParseUint(n.Name, 0, 64); err == nil && u == 0 || n.Name == "" {
			n = Node{}
		}
	}
	switch {
	case n.Kind != Absent:
		return n, nil
	case r.deletes:
		return Node{}, errNoUID
	}
	return Node{Blank, r.newBlank()}, nil
}

// nodeOfText reads "0x1", "_:name" or "uid(v)".
func nodeOfText(text string) Node {
	if name, ok := strings.CutPrefix(text, "_:"); ok {
		return Node{Blank, name}
	}
	if name, ok := variableIn(text, "uid"); ok {
		return Node{Variable, name}
	}
	return Node{Named, text}
}

// variableIn returns v of "uid(v)" or "val(v)".
func variableIn(text, function string) (string, bool) {
	inner, ok := strings.CutPrefix(text, function+"(")
	if !ok || !strings.HasSuffix(inner, ")") {
		return "", false
	}
	name := strings.TrimSpace(inner[:len(inner)-1])
	return name, name != "" && !strings.ContainsAny(name, " \t()")
}

// field reads one key of an object and the facets that go with it.
func (r *jsonReader) field(subject Node, o *object, key string) error {
	q := Quad{Subject: subject, Predicate: key, Origin: FromObject}
	if name, lang, tagged := strings.Cut(key, "@"); tagged {
		if !isLang(lang) {
			return fmt.Errorf("key error: %q is no predicate with a language tag", key)
		}
		q.Predicate, q.Lang = name, lang
	}
	v := o.values[key]
	switch v := v.(type) {
	case []any:
		return r.list(q, o, key, v)
	case *object:
		if len(v.keys) == 0 {
			return nil // what clients make of a value that was not set: a place without coordinates, a friend without fields
		}
	}
	if _, nested := v.(*object); !nested {
		facets, err := facetsOf(o, key)
		if err != nil {
			return err
		}
		q.Facets = facets
	}
	return r.value(q, key, v)
}

// list reads the elements of an array, each with the facets at its index.
func (r *jsonReader) list(q Quad, o *object, key string, list []any) error {
	facets, err := listFacets(o, key, len(list))
	if err != nil {
		return err
	}
	q.Origin = FromArray
	for i, v := range list {
		if _, nested := v.([]any); nested {
			return fmt.Errorf("got unsupported type for list: %s", key)
		}
		q.Facets = facets[i]
		if err := r.value(q, key, v); err != nil {
			return err
		}
	}
	return nil
}

// value reads one value of a key: a scalar, a nested node, or a shape.
func (r *jsonReader) value(q Quad, key string, v any) error {
	if o, ok := v.(*object); ok {
		if geo, ok := geoText(o); ok {
			g, err := types.Parse(geo, types.Geo)
			if err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			q.Value = g
			r.quads = append(r.quads, q)
			return nil
		}
		return r.edge(q, key, o)
	}
	if r.deletes && isEmpty(v) {
		q.Object = Node{Kind: Star}
		q.Facets = nil
		r.quads = append(r.quads, q)
		return nil
	}
	if v == nil {
		return nil
	}
	if err := scalar(&q, v); err != nil {
		return fmt.Errorf("unexpected type for val for attr: %s while converting to nquad: %w", key, err)
	}
	r.quads = append(r.quads, q)
	return nil
}

// edge reads a nested node and the edge to it.
func (r *jsonReader) edge(q Quad, key string, o *object) error {
	at := len(r.quads)
	r.quads = append(r.quads, Quad{})
	target, err := r.node(o, key)
	if err != nil {
		return err
	}
	q.Object = target
	if q.Facets, err = facetsOf(o, key); err != nil {
		return err
	}
	r.quads[at] = q
	return nil
}

// isEmpty reports whether v deletes whatever is there (dql.md fact 104).
func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case json.Number:
		f, err := v.Float64()
		return err == nil && f == 0 && isFloat(v.String())
	}
	return false
}

func isFloat(number string) bool { return strings.ContainsAny(number, ".eE") }

// scalar sets the value of a quad (dql.md fact 103). Text stays text, whatever it looks like: the schema decides.
func scalar(q *Quad, v any) error {
	switch v := v.(type) {
	case string:
		if name, ok := variableIn(v, "val"); ok {
			q.ValueOf = name
			return nil
		}
		q.Value = types.OfString(v)
	case bool:
		q.Value = types.OfBool(v)
	case json.Number:
		n, ok := number(v.String())
		if !ok {
			return fmt.Errorf("%s is out of the range of 64-bit numbers; larger ones can be given as text", v)
		}
		q.Value = n
	default:
		return fmt.Errorf("%s is no value", kindOf(v))
	}
	return nil
}

func number(text string) (types.Value, bool) {
	if isFloat(text) {
		f, err := strconv.ParseFloat(text, 64)
		return types.OfFloat(f), err == nil
	}
	i, err := strconv.ParseInt(text, 10, 64)
	return types.OfInt(i), err == nil
}

// geoText returns the GeoJSON of an object that has exactly type and coordinates (dql.md fact 105).
func geoText(o *object) (string, bool) {
	if len(o.keys) != 2 {
		return "", false
	}
	kind, ok := o.values["type"].(string)
	list, ok2 := o.values["coordinates"].([]any)
	if !ok || !ok2 {
		return "", false
	}
	b, err := json.Marshal(map[string]any{"type": kind, "coordinates": list})
	if err != nil {
		return "", false
	}
	return string(b), true
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case []any:
		return "an array"
	}
	return "an object"
}

// facetsOf collects the facets of key in o: the keys key|name.
func facetsOf(o *object, key string) ([]graph.Facet, error) {
	var facets []graph.Facet
	for _, k := range o.keys {
		name, ok := strings.CutPrefix(k, key+"|")
		if !ok || o.values[k] == nil {
			continue
		}
		v, ok := facetValue(o.values[k])
		if !ok {
			return nil, fmt.Errorf("facet: %s: facet value can only be string/number/bool", k)
		}
		facets = append(facets, graph.Facet{Key: name, Value: v})
	}
	if len(facets) > maxFacets {
		return nil, fmt.Errorf("more than %d facets of %s", maxFacets, key)
	}
	sortFacets(facets)
	return facets, nil
}

// listFacets collects the facets of a list's elements: key|name maps indexes to values. An index past the list is ignored.
func listFacets(o *object, key string, n int) ([][]graph.Facet, error) {
	out := make([][]graph.Facet, n)
	for _, k := range o.keys {
		name, ok := strings.CutPrefix(k, key+"|")
		if !ok || o.values[k] == nil {
			continue
		}
		byIndex, ok := o.values[k].(*object)
		if !ok {
			return nil, fmt.Errorf("facets format should be of type map for scalarlist predicates, found: %v for facet: %s",
				o.values[k], k)
		}
		for _, index := range byIndex.keys {
			i, err := strconv.Atoi(index)
			if err != nil {
				return nil, fmt.Errorf("facet: %s: %q is no index of the list", k, index)
			}
			v, ok := facetValue(byIndex.values[index])
			if !ok {
				return nil, fmt.Errorf("facet: %s: facet value can only be string/number/bool", k)
			}
			if i >= 0 && i < n {
				out[i] = append(out[i], graph.Facet{Key: name, Value: v})
			}
		}
	}
	for _, f := range out {
		if len(f) > maxFacets {
			return nil, fmt.Errorf("more than %d facets of an element of %s", maxFacets, key)
		}
		sortFacets(f)
	}
	return out, nil
}

// facetValue reads a JSON facet: a text that is a date becomes one (dql.md fact 106).
func facetValue(v any) (types.Value, bool) {
	switch v := v.(type) {
	case string:
		if t, err := types.Parse(v, types.DateTime); err == nil {
			return t, true
		}
		return types.OfString(v), true
	case bool:
		return types.OfBool(v), true
	case json.Number:
		return number(v.String())
	}
	return types.Value{}, false
}
