package oracle

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"dragg/graph/types"
)

// value is an int64, float64, string, bool, time.Time or shape; as an argument also a pattern.
type value any

// pattern is a regular expression as it stands in a query, between slashes and with its flag.
type pattern string

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

// inStorageOrder sorts a list as lists are answered: by a fingerprint that no reader of the language can know (fact 23), so this is
// the engine's own.
func inStorageOrder(list []value) []value {
	if len(list) > 1 {
		slices.SortFunc(list, func(a, b value) int { return cmp.Compare(types.Fingerprint(stored(a)), types.Fingerprint(stored(b))) })
	}
	return list
}

// stored is an element of a list as the engine has it.
func stored(v value) types.Value {
	switch v := v.(type) {
	case int64:
		return types.OfInt(v)
	case time.Time:
		return types.OfTime(v)
	}
	return types.OfString(v.(string))
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
	case "regexp":
		return args[0].(pattern).matches(v.(string))
	case "match":
		return alike(v.(string), args[0].(string), int(args[1].(int64)))
	case "ngram":
		return strings.Contains(" "+strings.ToLower(v.(string))+" ", " "+strings.ToLower(args[0].(string))+" ")
	case "anyofterms", "allofterms", "anyoftext", "alloftext": // the words have stems of their own, and none is a stop word
		have, want := strings.Fields(strings.ToLower(v.(string))), strings.Fields(strings.ToLower(args[0].(string)))
		found := 0
		for _, w := range want {
			if slices.Contains(have, w) {
				found++
			}
		}
		return found == len(want) || strings.HasPrefix(op, "any") && found > 0
	}
	if s, ok := v.(shape); ok {
		return s.holds(op, args)
	}
	return relation(op, compare(v, args[0]))
}

func (p pattern) matches(text string) bool {
	inner, insensitive := strings.CutSuffix(string(p), "/i")
	inner = strings.Trim(inner, "/")
	if insensitive {
		inner = "(?i)" + inner
	}
	return regexp.MustCompile(inner).MatchString(text)
}

// alike reports whether texts differ by at most so many letters and have three in a row in common (fact 88).
func alike(a, b string, most int) bool {
	return distance(a, b) <= most && slices.ContainsFunc(trigrams(a), func(t string) bool { return slices.Contains(trigrams(b), t) })
}

func trigrams(text string) (list []string) {
	for i := range len(text) - 2 {
		list = append(list, text[i:i+3])
	}
	return list
}

// distance is how many letters have to be put in, taken out or replaced (Levenshtein).
func distance(a, b string) int {
	switch {
	case a == "" || b == "":
		return len(a) + len(b)
	case a[0] == b[0]:
		return distance(a[1:], b[1:])
	}
	return 1 + min(distance(a[1:], b[1:]), distance(a[1:], b), distance(a, b[1:]))
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
