package oracle

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// speller writes a query in another way that means the same: fragments, parameters, names in angle brackets, other letter case,
// lists, comments. It works on the text, so that it knows no more of the language than these.
type speller struct {
	rnd    *rand.Rand
	params []string // "$p1: int"
	vars   map[string]string
	frags  []string
}

// request returns the text of the query as it is spelled, and the values of its parameters.
func (q *query) request() (string, map[string]string) {
	if q.spelling == 0 {
		return q.text(), nil
	}
	s := &speller{rnd: rand.New(rand.NewPCG(q.spelling, 3)), vars: map[string]string{}}
	lines := strings.Split(q.text(), "\n")
	for range s.rnd.IntN(3) {
		lines = s.fragment(lines)
	}
	text := s.line(strings.Join(lines, "\n"))
	for _, f := range s.frags {
		text += "\n" + s.line(f)
	}
	if s.params != nil {
		text = "query spelled(" + strings.Join(s.params, ", ") + ") " + text
	}
	return s.spaced(text), s.vars
}

func (s *speller) chance(percent int) bool { return s.rnd.IntN(100) < percent }

// fragment moves the body of a block or an edge into a fragment.
func (s *speller) fragment(lines []string) []string {
	var opens []int
	for i, l := range lines {
		if strings.HasSuffix(l, " {") && !strings.Contains(l, "@groupby") {
			opens = append(opens, i)
		}
	}
	if opens == nil {
		return lines
	}
	from := opens[s.rnd.IntN(len(opens))]
	indent := lines[from][:len(lines[from])-len(strings.TrimLeft(lines[from], " "))]
	to := from + 1
	for lines[to] != indent+"}" {
		to++
	}
	// Some of the fields at the end, from one that begins there.
	at := from + 1
	for at+1 < to && s.chance(30) {
		at++
	}
	if first := lines[at][len(indent)+2:]; first[0] == ' ' || first[0] == '}' {
		return lines
	}
	name := fmt.Sprint("f", len(s.frags)+1)
	s.frags = append(s.frags, "fragment "+name+" {\n"+strings.Join(lines[at:to], "\n")+"\n}")
	return slices.Concat(lines[:at], []string{indent + "  ..." + name}, lines[to:])
}

// line spells the names and arguments of a text.
func (s *speller) line(text string) string {
	replace := func(pattern string, percent int, by func(m []string) string) {
		re := regexp.MustCompile(pattern)
		text = re.ReplaceAllStringFunc(text, func(found string) string {
			if !s.chance(percent) {
				return found
			}
			return by(re.FindStringSubmatch(found))
		})
	}
	mixed := func(m []string) string { return m[1] + s.mixed(m[2]) + m[3] }
	const preds, literal = `name|nick|title|age|rank|score|born|tags|shows`, `(?:"[^"]*"|-?[0-9.]+)`
	replace(`(eq\((?:`+preds+`)[a-z@.]*), (`+literal+`(?:, `+literal+`)*)\)`, 30, func(m []string) string {
		return m[1] + ", [" + m[2] + "])"
	})
	replace(`((?:first|offset|depth): )(-?[0-9]+)`, 40, func(m []string) string { return m[1] + s.param("int", m[2]) })
	replace(`(after: )(0x[0-9a-f]+)`, 40, func(m []string) string { return m[1] + s.param("string", m[2]) })
	replace(`("[^"]*")`, 40, func(m []string) string { return s.param("string", m[1][1:len(m[1])-1]) })
	replace(`((?:eq|le|lt|ge|gt)\((?:age|rank|val\([a-z0-9]+\)|count\(~?[a-z]+\)), )(-?[0-9]+)\)`, 40, func(m []string) string {
		return m[1] + s.param("int", m[2]) + ")"
	})
	replace(`((?:eq|le|lt|ge|gt)\(score, )(-?[0-9.]+)\)`, 40, func(m []string) string { return m[1] + s.param("float", m[2]) + ")" })
	replace(`(func: uid\()(0x[0-9a-f]+)\)`, 40, func(m []string) string { return m[1] + s.param("string", m[2]) + ")" })
	replace(`(\(|, )(0x[0-9a-f]+)`, 20, func(m []string) string {
		n, err := strconv.ParseUint(m[2], 0, 64)
		if err != nil {
			panic(err) // the query's own text
		}
		return m[1] + strconv.FormatUint(n, 10)
	})
	const functions = `eq|le|lt|ge|gt|between|has|uid_in|anyofterms|allofterms|regexp|match|ngram|anyoftext`
	replace(`((?:`+functions+`)\()(~?(?:name|nick|title|age|friend|likes|boss))([,)@])`, 30, angled)
	replace(`(\n +)(~?(?:name|nick|title|age|rank|friend|likes|boss))([ \n@])`, 20, angled)
	replace(`([( ])(`+functions+`|type|near|within|contains|intersects)(\()`, 20, mixed)
	replace(`([ )])(and|or|not)( )`, 30, mixed)
	replace(`(\n +~?(?:friend|likes|boss))( \{)`, 20, func(m []string) string { return m[1] + " @filter()" + m[2] })
	return text
}

func angled(m []string) string { return m[1] + "<" + m[2] + ">" + m[3] }

// mixed returns a word in other letter case.
func (s *speller) mixed(word string) string {
	if s.chance(50) {
		return strings.ToUpper(word)
	}
	return strings.ToUpper(word[:1]) + word[1:]
}

// param makes a parameter of a value, given with the request or as a default.
func (s *speller) param(kind, v string) string {
	name := fmt.Sprint("$p", len(s.params)+1)
	switch s.rnd.IntN(3) {
	case 0:
		if kind == "string" {
			s.params = append(s.params, name+": "+kind+" = "+strconv.Quote(v))
		} else {
			s.params = append(s.params, name+": "+kind+" = "+v)
		}
		return name
	case 1:
		kind += "!"
	}
	s.params = append(s.params, name+": "+kind)
	s.vars[name] = v
	return name
}

// spaced changes white space and adds comments.
func (s *speller) spaced(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		switch s.rnd.IntN(12) {
		case 0:
			l += " # { \"not\" eq(" + l
		case 1:
			l = strings.ReplaceAll(l, ", ", " ,\t")
		case 2:
			l += "\r\n\n"
		}
		lines[i] = l
	}
	if s.chance(10) && !strings.Contains(text, "#") {
		return strings.Join(strings.Split(text, "\n"), " ")
	}
	return strings.Join(lines, "\n")
}
