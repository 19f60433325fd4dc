package alpha

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/dgraph-io/dgo/v250/protos/api"
)

// Goal: an error about a part of a document names its place in the document, over gRPC and HTTP. Method: documents with the place
// marked by §, which is taken out before they are sent; the message gives it back.
func TestErrorsNamePlacesInDocuments(t *testing.T) {
	w := newWeb(t, Config{})
	s := &service{n: w.n.Node}
	const upsert = "upsert {\n query { q(func: has(name)) { v as uid } }\n mutation @if(eq(len(v), 1)) {\n"
	for name, text := range map[string]string{
		"first line":  "{ set { <0x1> §nonsense } }",
		"later line":  "{\n set {\n\n  <0x1> <name> \"é\" .\n  <0x1> <name> §} }",
		"second set":  "{ set { <0x1> <name> \"x\" . } delete {\n} set {\n§x } }",
		"deletion":    "{ set { <0x1> <name> \"x\" . }\n delete { <0x1> §bare . } }",
		"upsert":      upsert + "  set { uid(v) <name> \"x\" . }\n delete {\n uid(v) <name> \"x\"  §\n} } }",
		"condition":   strings.Replace(upsert, "v), ", "v), §;", 1) + " set { <0x1> <name> \"x\" . } } }",
		"query":       strings.Replace(upsert, "v as", "name §name v as", 1) + " set { <0x1> <name> \"x\" . } } }",
		"lexer":       strings.Replace(upsert, "v as", "§; v as", 1) + " set { <0x1> <name> \"x\" . } } }",
		"large":       strings.Replace(upsert, "v as", "name §name v as", 1) + " set { <0x1> <name> \"" + strings.Repeat("x", 70<<10) + "\" . } } }",
		"large, late": upsert + " set { <0x1> <name> \"" + strings.Repeat("x", 70<<10) + "\" .\n§. } } }",
	} {
		before, after, _ := strings.Cut(text, "§")
		want := fmt.Sprintf("line %d column %d: ", strings.Count(before, "\n")+1, len(before)-strings.LastIndexByte(before, '\n'))
		_, err := s.RunDQL(context.Background(), &api.RunDQLRequest{DqlQuery: before + after})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %.300v, want %s", name, err, want)
		}
		if len(text) > 64<<10 {
			continue // more than this node reads over HTTP
		}
		if body := w.send("POST", "/mutate", before+after, asRDF).Body.String(); !strings.Contains(body, want) {
			t.Errorf("%s over HTTP: %.300s, want %s", name, body, want)
		}
	}
}

// Goal: the same for JSON documents, where texts stand in strings.
func TestErrorsNamePlacesInJSONDocuments(t *testing.T) {
	w := newWeb(t, Config{})
	s := &service{n: w.n.Node}
	const query = `"query": "{ q(func: has(name)) {\n\t v as uid } }",`
	for name, text := range map[string]string{
		"set":         "{\n \"set\": {\"uid\": \"0x1\",\n\t§\"name\": [[1]]}}",
		"set of many": "{\"set\": [{\"name\": \"x\"},\n {§\"name\" : [[1]]}]}",
		"delete":      "{ \"set\": {}, \"delete\":\n[\n§{\"name\": null}]}",
		"mutations":   "{ \"mutations\": [ {\"set\": {\"name\": \"x\"}},\n{\"cond\": \"\", \"Delete\": {\"uid\": 1, §\"name\": [[1]]}}]}",
		"after set":   "{ \"set\": {}, \"mutations\": [ {\"set\": {\"name\": \"x\"}} ,\n{\"set\": {\"uid\": 1, §\"name\": [[1]]}}]}",
		"query":       "{ \"set\": {},\n" + strings.Replace(query, "v as", "name §name v as", 1) + " \"cond\": \"@if(eq(len(v), 1))\"}",
		"condition":   "{ " + query + " \"set\": {},\n \"cond\": \"@if(eq(name, \\\"a\\\") §eq(len(v), 1))\"}",
		"syntax":      "{ \"set\": {},\n \"delete\" §5",
	} {
		before, after, _ := strings.Cut(text, "§")
		line, column := strings.Count(before, "\n")+1, len(before)-strings.LastIndexByte(before, '\n')
		want := fmt.Sprintf("line %d column %d: ", line, column)
		if name == "syntax" {
			want = fmt.Sprintf("line %d, character %d: ", line, column)
		}
		_, err := s.RunDQL(context.Background(), &api.RunDQLRequest{DqlQuery: before + after})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %.300v, want %s", name, err, want)
		}
		if body := w.send("POST", "/mutate", before+after, asJSON).Body.String(); !strings.Contains(body, want) {
			t.Errorf("%s over HTTP: %.300s, want %s", name, body, want)
		}
	}
	resp, err := s.RunDQL(context.Background(), &api.RunDQLRequest{DqlQuery: ` {"set": {"uid": "_:a", "name": "x"}}`})
	if err != nil || len(resp.Uids) != 1 || resp.Txn.CommitTs == 0 {
		t.Errorf("a document that is right: %v %v", resp, err)
	}
}
