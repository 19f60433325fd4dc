package command

import (
	"strings"
	"testing"

	"dragg/schema"
)

// Goal: \schema prints what `dragg schema` takes. Method: an answer with everything that one may hold, and back through the parser.
func TestPrintSchema(t *testing.T) {
	const answer = `{"schema":[{"predicate":"name","type":"string","index":true,"tokenizer":["term","exact"],"lang":true,"upsert":true},` +
		`{"predicate":"größe","type":"int","list":true,"no_conflict":true},{"predicate":"code","type":"string","tokenizer":["hash"],` +
		`"upsert":true,"unique":true},{"predicate":"film","type":"uid","list":true,"reverse":true,"count":true}],` +
		`"types":[{"name":"Film","fields":[{"name":"name"},{"name":"größe"}]}]}`
	const want = `name: string @index(term, exact) @lang @upsert .
<größe>: [int] @noconflict .
code: string @index(hash) @upsert @unique .
film: [uid] @reverse @count .
type Film {
  name
  <größe>
}
`
	var b strings.Builder
	if err := printSchema(&b, []byte(answer)); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
	if _, err := schema.Parse(b.String()); err != nil {
		t.Errorf("does not read back: %v", err)
	}
	if err := printSchema(&b, []byte("{")); err == nil {
		t.Error("half an answer is taken for one")
	}
}
