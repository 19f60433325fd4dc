package oracle

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"dragg/graph/types"
)

// value is an int64, float64, string, bool, time.Time or shape.
type value any

func randomValue(rnd *rand.Rand, kind string) value {
	switch kind {
	case "int":
		return int64(rnd.IntN(9) - 2)
	case "float":
		return float64(rnd.IntN(17)-4) / 4 // exact, so that the order of a sum does not matter
	case "bool":
		return rnd.IntN(2) == 0
	case "time":
		return time.Date(2000+rnd.IntN(4), time.Month(1+rnd.IntN(2)), 1, 0, 0, 0, 0, time.UTC)
	case "geo":
		return randomShape(rnd)
	}
	words := []string{"ann", "Bob", "cyd", "Dov", "eve"}
	text := words[rnd.IntN(len(words))]
	if rnd.IntN(2) == 0 {
		text += " " + words[rnd.IntN(len(words))]
	}
	return text
}

// inStorageOrder sorts a list of strings as lists are answered: by a fingerprint that no reader of the language can know
// (fact 23), so this is the engine's own.
func inStorageOrder(list []value) []value {
	if len(list) > 1 {
		slices.SortFunc(list, func(a, b value) int {
			return cmp.Compare(types.Fingerprint(types.OfString(a.(string))), types.Fingerprint(types.OfString(b.(string))))
		})
	}
	return list
}

// plain returns the text of a value as it is written within quotes.
func plain(v value) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}

// literal returns a value as an argument in a query.
func literal(v value) string {
	switch v := v.(type) {
	case string, time.Time:
		return strconv.Quote(plain(v))
	case shape:
		return v.coordinates()
	}
	return plain(v)
}

// test is one function on one value.
func test(op string, v value, args []value) bool {
	switch op {
	case "eq":
		return slices.ContainsFunc(args, func(a value) bool { return compare(v, a) == 0 })
	case "between":
		return compare(v, args[0]) >= 0 && compare(v, args[1]) <= 0
	case "anyofterms", "allofterms":
		have, want := strings.Fields(strings.ToLower(v.(string))), strings.Fields(strings.ToLower(args[0].(string)))
		found := 0
		for _, w := range want {
			if slices.Contains(have, w) {
				found++
			}
		}
		return found == len(want) || op == "anyofterms" && found > 0
	}
	if s, ok := v.(shape); ok {
		return s.holds(op, args)
	}
	return relation(op, compare(v, args[0]))
}

func relation(op string, order int) bool {
	switch op {
	case "lt", "<":
		return order < 0
	case "le", "<=":
		return order <= 0
	case "gt", ">":
		return order > 0
	case "ge", ">=":
		return order >= 0
	case "==":
		return order == 0
	}
	return order != 0
}

// compare orders two values of one kind; numbers of both kinds are compared as numbers.
func compare(a, b value) int {
	switch x := a.(type) {
	case string:
		return strings.Compare(x, b.(string))
	case time.Time:
		return x.Compare(b.(time.Time))
	case bool:
		if x == b.(bool) {
			return 0
		}
		return 1
	case int64:
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(number(a), number(b))
}

func number(v value) float64 {
	if i, ok := v.(int64); ok {
		return float64(i)
	}
	return v.(float64)
}
