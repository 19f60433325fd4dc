package tok

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode"
)

// MaxRegexp is the length of the longest regular expression in bytes.
const MaxRegexp = 10_000

// CompileRegexp compiles the expression of a regexp function. The only flag is i, which folds case.
func CompileRegexp(expr, flags string) (*regexp.Regexp, error) {
	text, err := withFlags(expr, flags)
	if err != nil {
		return nil, err
	}
	return regexp.Compile(text)
}

func withFlags(expr, flags string) (string, error) {
	switch {
	case len(expr) > MaxRegexp:
		return "", fmt.Errorf("regular expression is longer than %d bytes", MaxRegexp)
	case flags == "":
		return expr, nil
	case flags == "i":
		return "(?i:" + expr + ")", nil
	default:
		return "", fmt.Errorf("invalid regular expression modifier: %s", flags)
	}
}

// RegexpQuery returns a condition on the trigrams of a text that every text meets which the expression
// matches: the analysis of Russ Cox, "Regular Expression Matching with a Trigram Index" (2012), over
// characters instead of bytes. The answer may be QueryAll, where the expression asks for no trigram.
func RegexpQuery(expr, flags string) (*TrigramQuery, error) {
	text, err := withFlags(expr, flags)
	if err != nil {
		return nil, err
	}
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	info := analyzeRegexp(re.Simplify())
	info.simplify(true)
	info.addExact()
	return info.match, nil
}

// Bounds of the sets of strings that the analysis follows before it gives up precision.
const (
	maxExact = 8
	maxSet   = 40
	maxClass = 40
)

// info is what is known of the strings that an expression matches.
type info struct {
	canEmpty bool
	// exact holds all strings that match, where isExact.
	exact   stringSet
	isExact bool
	// prefix and suffix hold beginnings and ends, of which every match has one; unused where isExact.
	prefix, suffix stringSet
	match          *TrigramQuery
}

func anyChar() info {
	return info{prefix: stringSet{""}, suffix: stringSet{""}, match: queryAll()}
}

func anyMatch() info {
	i := anyChar()
	i.canEmpty = true
	return i
}

func exactly(s ...string) info {
	set := stringSet(s).clean()
	return info{canEmpty: set.minLen() == 0, exact: set, isExact: true, match: queryAll()}
}

// analyzeRegexp returns what is known of re. The nesting of re is bounded by the parser.
func analyzeRegexp(re *syntax.Regexp) info {
	var i info
	switch re.Op {
	case syntax.OpNoMatch:
		return info{match: queryNone()}
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return exactly("")
	case syntax.OpLiteral:
		i = exactly("")
		for _, r := range re.Rune {
			i = concat(i, literal(r, re.Flags&syntax.FoldCase != 0))
		}
		return i
	case syntax.OpCharClass:
		return class(re.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return anyChar()
	case syntax.OpCapture:
		return analyzeRegexp(re.Sub[0])
	case syntax.OpConcat:
		return fold(re.Sub, concat, exactly(""))
	case syntax.OpAlternate:
		return fold(re.Sub, alternate, info{match: queryNone()})
	case syntax.OpQuest:
		return alternate(analyzeRegexp(re.Sub[0]), exactly(""))
	case syntax.OpPlus:
		i = analyzeRegexp(re.Sub[0])
		i.addExact()
		return i
	default: // OpStar; OpRepeat is gone after Simplify
		return anyMatch()
	}
}

func fold(subs []*syntax.Regexp, join func(x, y info) info, empty info) info {
	if len(subs) == 0 {
		return empty
	}
	i := analyzeRegexp(subs[0])
	for _, sub := range subs[1:] {
		i = join(i, analyzeRegexp(sub))
	}
	i.simplify(false)
	return i
}

func literal(r rune, foldCase bool) info {
	if !foldCase {
		return exactly(string(r))
	}
	variants := []string{string(r)}
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		variants = append(variants, string(f))
	}
	return exactly(variants...)
}

// class takes the ranges of a character class: pairs of first and last.
func class(ranges []rune) info {
	if len(ranges) == 0 {
		return info{match: queryNone()}
	}
	var all []string
	for n := 0; n+1 < len(ranges); n += 2 {
		if len(all)+int(ranges[n+1]-ranges[n]) >= maxClass {
			return anyChar()
		}
		for r := ranges[n]; r <= ranges[n+1]; r++ {
			all = append(all, string(r))
		}
	}
	return exactly(all...)
}

func concat(x, y info) info {
	out := info{canEmpty: x.canEmpty && y.canEmpty, match: and(x.match, y.match)}
	if out.match.Op == QueryNone {
		return out
	}
	if x.isExact && y.isExact {
		out.exact, out.isExact = cross(x.exact, y.exact), true
		out.simplify(false)
		return out
	}
	xSuffix, yPrefix := x.suffix, y.prefix
	out.prefix, out.suffix = x.prefix, y.suffix
	if x.isExact {
		xSuffix = x.exact
		out.prefix = cross(x.exact, y.prefix)
	} else if x.canEmpty {
		out.prefix = union(x.prefix, yPrefixOf(y))
	}
	if y.isExact {
		yPrefix = y.exact
		out.suffix = cross(x.suffix, y.exact)
	} else if y.canEmpty {
		out.suffix = union(y.suffix, xSuffix)
	}
	if len(xSuffix)*len(yPrefix) <= maxSet && xSuffix.minLen()+yPrefix.minLen() >= 3 {
		out.match = and(out.match, trigramsOf(cross(xSuffix, yPrefix)))
	}
	out.simplify(false)
	return out
}

func yPrefixOf(y info) stringSet {
	if y.isExact {
		return y.exact
	}
	return y.prefix
}

func alternate(x, y info) info {
	if x.match.Op == QueryNone {
		return y
	}
	if y.match.Op == QueryNone {
		return x
	}
	out := info{canEmpty: x.canEmpty || y.canEmpty}
	if x.isExact && y.isExact {
		out.exact, out.isExact = union(x.exact, y.exact), true
		out.match = or(x.match, y.match)
		out.simplify(false)
		return out
	}
	x.addExact()
	y.addExact()
	out.prefix, out.suffix = union(x.prefix, y.prefix), union(x.suffix, y.suffix)
	out.match = or(x.match, y.match)
	out.simplify(false)
	return out
}

// addExact gives up the exact set: its trigrams go into match, its ends into prefix and suffix.
func (i *info) addExact() {
	if !i.isExact {
		return
	}
	i.match = and(i.match, trigramsOf(i.exact))
	i.prefix, i.suffix = i.exact, i.exact
	i.exact, i.isExact = nil, false
	i.prefix, i.suffix = i.prefix.cut(first), i.suffix.cut(last)
}

// simplify keeps the sets small.
func (i *info) simplify(force bool) {
	if i.isExact {
		least := i.exact.minLen()
		if len(i.exact) > maxExact && least >= 3 || len(i.exact) > maxSet || least >= 4 || least >= 3 && force {
			i.addExact()
		}
		return
	}
	i.match = and(i.match, and(trigramsOf(i.prefix), trigramsOf(i.suffix)))
	i.prefix, i.suffix = i.prefix.cut(first), i.suffix.cut(last)
}

// stringSet is sorted and without duplicates.
type stringSet []string

func (s stringSet) clean() stringSet {
	slices.Sort(s)
	return slices.Compact(s)
}

// minLen returns the length of the shortest member in characters.
func (s stringSet) minLen() int {
	least := -1
	for _, m := range s {
		if n := len([]rune(m)); least < 0 || n < least {
			least = n
		}
	}
	return max(least, 0)
}

// cut shortens the members to two characters, and further while there are too many of them.
func (s stringSet) cut(end func(s string, n int) string) stringSet {
	for n := 2; ; n-- {
		out := make(stringSet, 0, len(s))
		for _, m := range s {
			out = append(out, end(m, n))
		}
		out = out.clean()
		if len(out) <= maxSet || n == 0 {
			return out
		}
		s = out
	}
}

func first(s string, n int) string {
	r := []rune(s)
	return string(r[:min(n, len(r))])
}

func last(s string, n int) string {
	r := []rune(s)
	return string(r[len(r)-min(n, len(r)):])
}

// cross returns every member of x followed by every member of y.
func cross(x, y stringSet) stringSet {
	out := make(stringSet, 0, len(x)*len(y))
	for _, a := range x {
		for _, b := range y {
			out = append(out, a+b)
		}
	}
	return out.clean()
}

func union(x, y stringSet) stringSet {
	return append(append(make(stringSet, 0, len(x)+len(y)), x...), y...).clean()
}
