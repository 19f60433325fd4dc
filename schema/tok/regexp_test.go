package tok

import (
	"regexp"
	"slices"
	"testing"
)

func TestRegexpQuery(t *testing.T) {
	for _, tt := range []struct{ expr, flags, want string }{
		{"abc", "", `"abc"`},
		{"abcd", "", `("abc" AND "bcd")`},
		{"M8", "", "all"},
		{".*", "", "all"},
		{"", "", "all"},
		{"^Steel.*M8$", "", `("Ste" AND "eel" AND "tee")`},
		{"abc|xyz", "", `("abc" OR "xyz")`},
		{"abcd|xyz", "", `("xyz" OR ("abc" AND "bcd"))`},
		{"(bolt|nut) M", "", `(("nut" OR ("bol" AND "olt")) AND (("lt " AND "t M") OR ("t M" AND "ut ")))`},
		{"ab[cd]e", "", `(("abc" AND "bce") OR ("abd" AND "bde"))`},
		{"ab+cde", "", `("bcd" AND "cde")`},
		{"abc?", "", "all"},
		{"a.*bcd", "", `("bcd" OR ("abc" AND "bcd"))`},
		{"ab1", "i", `("AB1" OR "Ab1" OR "aB1" OR "ab1")`},
		{"[^a]abc", "", `"abc"`},
		{"(abc)+", "", `"abc"`},
		{"(abc)*", "", "all"},
		{"Dübel", "", `("Düb" AND "bel" AND "übe")`},
		{"x{3}", "", `"xxx"`},
		{`\Babc\b`, "", `"abc"`},
		{"[[:word:]]+", "", "all"},
		{`[^\x00-\x{10FFFF}]`, "", "none"},
	} {
		q, err := RegexpQuery(tt.expr, tt.flags)
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		if got := q.String(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.expr, got, tt.want)
		}
	}
	if _, err := RegexpQuery("a", "s"); err == nil {
		t.Error("flag s is taken")
	}
	if _, err := RegexpQuery("(", ""); err == nil {
		t.Error("( is taken")
	}
}

// A text that the expression matches meets the trigram condition.
func FuzzRegexpQuery(f *testing.F) {
	for _, seed := range [][2]string{
		{"abc", "xabcx"},
		{"(a|bc)d*e", "bcddde"},
		{"(?i)straße", "STRASSE straße"},
		{"[a-f]{3}g", "abcg"},
		{"x.*y+z?", "x123yy"},
		{"k\u212a", "kK"},
		{"a\ufffdb", "a\xffb"},
		{"(|abc)(|def)gh", "abcgh"},
		{"^(foo|bar|)baz$", "baz"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, expr, text string) {
		if len(expr) > 200 || len(text) > 1000 {
			return
		}
		for _, flags := range []string{"", "i"} {
			re, err := CompileRegexp(expr, flags)
			if err != nil {
				return
			}
			q, err := RegexpQuery(expr, flags)
			if err != nil {
				t.Fatalf("%q compiles, but: %v", expr, err)
			}
			trigrams := appendTrigrams(nil, text)
			if matches(re, text) && !q.Holds(func(s string) bool { return slices.Contains(trigrams, s) }) {
				t.Fatalf("/%s/%s matches %q but not %s", expr, flags, text, q)
			}
		}
	})
}

func matches(re *regexp.Regexp, text string) bool { return re.MatchString(text) }

func BenchmarkRegexpQuery(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := RegexpQuery("(bolt|washer) M[0-9]+", "i"); err != nil {
			b.Fatal(err)
		}
	}
}
