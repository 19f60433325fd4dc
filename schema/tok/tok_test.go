package tok

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"dragg/graph/types"
)

// tokensOf returns the tokens that the tokenizer called name makes of v.
func tokensOf(t testing.TB, name string, v types.Value, lang string) []string {
	t.Helper()
	k, ok := Lookup(name)
	if !ok {
		t.Fatalf("no tokenizer %s", name)
	}
	tokens, err := k.AppendTokens(nil, v, lang)
	if err != nil {
		t.Fatalf("%s of %s: %v", name, v.Text(), err)
	}
	return tokens
}

// Names and IDs lead to the same tokenizer, and no ID is used twice.
func TestLookup(t *testing.T) {
	ids := map[byte]bool{}
	for _, k := range kinds() {
		byName, ok := Lookup(k.Name())
		byID, ok2 := ByID(k.ID())
		if !ok || !ok2 || byName.ID() != k.ID() || byID.Name() != k.Name() || ids[k.ID()] {
			t.Errorf("%s (%d): by name %v, by id %v", k.Name(), k.ID(), byName, byID)
		}
		ids[k.ID()] = true
	}
	if _, ok := Lookup("soundex"); ok {
		t.Error("soundex is known")
	}
	if _, ok := ByID(0); ok {
		t.Error("id 0 is known")
	}
}

// Sortable tokens order as the values do: never the other way round, and strictly where the tokenizer is not
// lossy.
func TestSortableTokensKeepOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, k := range kinds() {
		if !k.sortable {
			continue
		}
		var values []types.Value
		for range 500 {
			values = append(values, randomValue(rng, k.typ))
		}
		slices.SortFunc(values, func(a, b types.Value) int { c, _ := types.Compare(a, b); return c })
		for i := 1; i < len(values); i++ {
			a, b := tokensOf(t, k.name, values[i-1], "")[0], tokensOf(t, k.name, values[i], "")[0]
			c, _ := types.Compare(values[i-1], values[i])
			if a > b || !k.lossy && c < 0 && a >= b {
				t.Fatalf("%s: %s before %s, tokens %q and %q", k.name, values[i-1].Text(), values[i].Text(), a, b)
			}
		}
	}
}

func randomValue(rng *rand.Rand, id types.ID) types.Value {
	sign := 1 - 2*rng.Float64()
	switch id {
	case types.Int:
		return types.OfInt(int64(rng.Uint64()) >> rng.IntN(64))
	case types.Float:
		return types.OfFloat(sign * math.Pow(10, 40*rng.Float64()-10))
	case types.BigFloat:
		v, _ := types.NewBigFloat(sign * math.Pow(10, 60*rng.Float64()-10))
		return v
	case types.DateTime:
		zone := time.FixedZone("", rng.IntN(86400)-43200)
		return types.OfTime(time.Unix(rng.Int64N(253402300800+62167219200)-62167219200, rng.Int64N(1e9)).In(zone))
	default:
		b := make([]byte, rng.IntN(6))
		for i := range b {
			b[i] = byte('a' + rng.IntN(4))
		}
		return types.OfString(string(b))
	}
}

func TestTextTokens(t *testing.T) {
	for _, tt := range []struct{ tokenizer, lang, text, want string }{
		{Term, "", "Keeping Ants at Home: a Guide", "a|ants|at|guide|home|keeping"},
		{Term, "", "Café Élan", "café|élan"},
		{Term, "", "bees Bees BEES", "bees"},
		{Term, "", "東京 Guide", "guide|京|東"},
		{Term, "", "...", ""},
		{Term, "", "can't C++ 3.14", "3.14|c|can't"},
		{Exact, "", "Red fox", "Red fox"},
		{Exact, "", "", ""},
		{FullText, "", "The runners were running along the river", "along|river|run|runner"},
		{FullText, "", "to be or not to be", ""},
		{FullText, "en-AU", "A cheese and a mouse", "chees|mous"},
		{FullText, "de", "Die Häuser der Stadt", "haus|stadt"},
		{FullText, "fr", "Le cheval mange une pomme", "cheval|mang|pome"},
		{FullText, "ru", "Книги на столе", "книг|стол"},
		{FullText, "cs", "a strom", "strom"},
		{FullText, "xx", "The Unknown", "the|unknown"},
		{Trigram, "", "abcab", "abc|bca|cab"},
		{Trigram, "", "Dübel", "Düb|bel|übe"},
		{Trigram, "", "ab", ""},
		{Trigram, "", "a\xffb\xfec", "a\ufffdb|b\ufffdc|\ufffdb\ufffd"},
		{Ngram, "", "Foxes are quick and brown", "brown|fox|fox quick|quick|quick brown"},
	} {
		var tokens []string
		for _, token := range tokensOf(t, tt.tokenizer, types.OfString(tt.text), tt.lang) {
			if token != "" {
				tokens = append(tokens, token)
			}
		}
		if got := strings.Join(tokens, "|"); got != tt.want {
			t.Errorf("%s@%s of %q = %q, want %q", tt.tokenizer, tt.lang, tt.text, got, tt.want)
		}
	}
}

// Fact 87: buckets by integer part and by UTC.
func TestBuckets(t *testing.T) {
	same := func(name string, a, b types.Value, want bool) {
		t.Helper()
		if got := tokensOf(t, name, a, "")[0] == tokensOf(t, name, b, "")[0]; got != want {
			t.Errorf("%s: %s and %s share a bucket: %v, want %v", name, a.Text(), b.Text(), got, want)
		}
	}
	same(Float, types.OfFloat(1.25), types.OfFloat(1.75), true)
	same(Float, types.OfFloat(1.25), types.OfFloat(2), false)
	same(Float, types.OfFloat(math.Inf(1)), types.OfFloat(1e300), true)
	at := func(s string) types.Value {
		v, err := types.Parse(s, types.DateTime)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	same(Day, at("2020-05-01T23:30:00-05:00"), at("2020-05-02"), true)
	same(Day, at("2020-05-02T01:00:00+03:00"), at("2020-05-02"), false)
	same(Hour, at("2021-03-04T11:00:00+02:00"), at("2021-03-04T09:45:30.5Z"), true)
	same(Year, at("1903"), at("1903-07-01"), true)
}

func TestTooLarge(t *testing.T) {
	long := strings.Repeat("k", MaxToken+1)
	for _, name := range []string{Exact, Term} {
		k, _ := Lookup(name)
		if got, err := k.AppendTokens([]string{"kept"}, types.OfString(long), ""); !errors.Is(err, ErrTooLarge) ||
			len(got) != 1 {
			t.Errorf("%s: %d tokens, %v", name, len(got), err)
		}
		if _, err := k.AppendTokens(nil, types.OfString(long[1:]), ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	k, _ := Lookup(Int)
	if _, err := k.AppendTokens(nil, types.OfString("1"), ""); err == nil {
		t.Error("int takes a string")
	}
}

func TestPhrase(t *testing.T) {
	const text = "the quick brown fox jumps over the lazy dog"
	for _, tt := range []struct {
		phrase string
		want   bool
	}{
		{"quick brown", true},
		{"brown fox jumps", true},
		{"quick fox", false},
		{"over lazy", true},
		{"fox", true},
		{"the", false},
		{"", false},
		{"quick brown fox jumping over lazy dogs", true},
	} {
		tokens, stems := PhraseTokens(tt.phrase, "")
		has := tokensOf(t, Ngram, types.OfString(text), "")
		all := len(tokens) > 0
		for _, token := range tokens {
			all = all && slices.Contains(has, token)
		}
		if got := all && HasPhrase(text, "", stems); got != tt.want {
			t.Errorf("%q: %v, want %v", tt.phrase, got, tt.want)
		}
	}
}

// Whatever the text and the language, tokenizers do not panic, are deterministic, and return distinct tokens.
func FuzzTokens(f *testing.F) {
	for _, lang := range []string{"", "de", "ja", "pl", "tr", "hr", "fa", "hi", "ckb", "id"} {
		f.Add("Ünïcode straße \xff 東京 can't l'homme", lang)
	}
	f.Fuzz(func(t *testing.T, text, lang string) {
		for _, name := range []string{Term, FullText, Trigram, Ngram, Exact} {
			k, _ := Lookup(name)
			a, err := k.AppendTokens(nil, types.OfString(text), lang)
			b, err2 := k.AppendTokens(nil, types.OfString(text), lang)
			if !slices.Equal(a, b) || (err == nil) != (err2 == nil) {
				t.Fatalf("%s is not deterministic", name)
			}
			if slices.Sort(a); len(slices.Compact(a)) != len(b) {
				t.Fatalf("%s repeats tokens: %q", name, b)
			}
		}
	})
}

func BenchmarkTokens(b *testing.B) {
	text := types.OfString("The quick brown fox jumps over the lazy dog near the river bank")
	for _, name := range []string{Exact, Hash, Term, FullText, Trigram, Ngram} {
		b.Run(name, func(b *testing.B) {
			k, _ := Lookup(name)
			var dst []string
			b.ReportAllocs()
			for b.Loop() {
				dst, _ = k.AppendTokens(dst[:0], text, "")
			}
		})
	}
	b.Run(Int, func(b *testing.B) {
		k, _ := Lookup(Int)
		var dst []string
		b.ReportAllocs()
		for b.Loop() {
			dst, _ = k.AppendTokens(dst[:0], types.OfInt(42), "")
		}
	})
}
