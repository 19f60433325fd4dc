package golden

import (
	"encoding/json"
	"reflect"
	"strings"
)

// Match reports whether got is the answer that want describes.
func Match(want, got string) bool {
	if fragment, ok := strings.CutPrefix(want, "error:"); ok {
		return strings.HasPrefix(got, "error:") &&
			strings.Contains(strings.ToLower(got), strings.ToLower(strings.TrimSpace(fragment)))
	}
	if want == got {
		return true
	}
	rest, bag := strings.CutPrefix(want, "unordered\n")
	w, ok1 := value(rest)
	g, ok2 := value(got)
	return ok1 && ok2 && same(w, g, bag)
}

func value(text string) (any, bool) {
	if !json.Valid([]byte(text)) {
		return nil, false
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err == nil
}

// same compares JSON values; with bag, arrays in any order.
func same(want, got any, bag bool) bool {
	if want == "*" {
		return true
	}
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for k := range w {
			if _, ok := g[k]; !ok || !same(w[k], g[k], bag) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		return ok && len(g) == len(w) && sameList(w, g, bag)
	case json.Number:
		g, ok := got.(json.Number)
		if !ok {
			return false
		}
		a, err1 := w.Float64()
		b, err2 := g.Float64()
		return w == g || err1 == nil && err2 == nil && a == b
	}
	return reflect.DeepEqual(want, got)
}

func sameList(want, got []any, bag bool) bool {
	if !bag {
		for i := range want {
			if !same(want[i], got[i], bag) {
				return false
			}
		}
		return true
	}
	used := make([]bool, len(got))
next:
	for _, w := range want {
		for i, g := range got {
			if !used[i] && same(w, g, bag) {
				used[i] = true
				continue next
			}
		}
		return false
	}
	return true
}
