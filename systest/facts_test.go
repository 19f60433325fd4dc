package systest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/alpha"
	"dragg/systest/embedded"
)

// lastFact is the number of the last fact of the language's description.
const lastFact = 138

// factNumbers are the numbers at the start of a comment: `# 45, 53: …`.
var factNumbers = regexp.MustCompile(`(?m)^# ([0-9]+(?:\.[0-9]+)?(?:, [0-9]+(?:\.[0-9]+)?)*):`)

// Goal: no fact of the description is forgotten. Method: each numbered fact is named by a golden case, or listed in
// testdata/facts/elsewhere.list with the test that holds it instead; that list must hold exactly, and the tests must be there.
func TestEveryFactIsNamed(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range factNumbers.FindAllStringSubmatch(string(text), -1) {
			for _, n := range strings.Split(m[1], ", ") {
				named[n] = true
			}
		}
	}
	elsewhere := readElsewhere(t)
	for n := 1; n <= lastFact; n++ {
		fact := strconv.Itoa(n)
		reason, listed := elsewhere[fact]
		switch {
		case !named[fact] && !listed:
			t.Errorf("no case names fact %s, and testdata/facts/elsewhere.list does not say what holds it", fact)
		case named[fact] && listed:
			t.Errorf("testdata/facts/elsewhere.list lists fact %s (%s), but a case names it", fact, reason)
		case listed && !hasTest(t, reason):
			t.Errorf("testdata/facts/elsewhere.list says that fact %s is held by %q, which is not a package and a test", fact, reason)
		}
	}
}

// hasTest reports whether a place, a package and a test, exists.
func hasTest(t *testing.T, place string) bool {
	t.Helper()
	pkg, name, _ := strings.Cut(place, " ")
	files, err := filepath.Glob(filepath.Join("..", pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if name != "" && strings.Contains(string(text), "func "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}

func readElsewhere(t *testing.T) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "facts", "elsewhere.list"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if fact, reason, ok := strings.Cut(s.Text(), " "); ok && fact != "#" {
			out[fact] = reason
		}
	}
	return out
}

// Fact 113: a text whose token is too large is refused where an index needs it, and where none does it is stored.
func TestFact113LargeValues(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	d := embedded.ForTest(t)
	if err := d.Alter(ctx, &api.Operation{Schema: "title: string @index(exact) .\nbody: string .\nsum: string @index(hash) ."}); err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("x", 66_000)
	for pred, fits := range map[string]bool{"title": false, "body": true, "sum": true} {
		_, err := d.Do(ctx, &api.Request{CommitNow: true, Mutations: []*api.Mutation{
			{SetNquads: fmt.Appendf(nil, "_:a <%s> %q .", pred, large)},
		}}, alpha.Options{})
		if fits && err != nil {
			t.Errorf("%s: %v", pred, err)
		}
		if !fits && (err == nil || !strings.Contains(err.Error(), "too large for the index")) {
			t.Errorf("%s: got %v, want that it is too large for the index", pred, err)
		}
	}
}
