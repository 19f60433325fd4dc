package alpha

import (
	"strings"
	"testing"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc/codes"
)

// Goal: who asks for a plan gets it beside the data, and who does not sees no difference. Method: both transports.
func TestExplainAndProfile(t *testing.T) {
	w := newWeb(t, Config{})
	w.n.set(t, `<1> <name> "a" .
<1> <knows> <2> .
<2> <name> "b" .`)
	const text = `{ q(func: eq(name, "a")) { name knows { name } } }`
	const data = `"data":{"q":[{"name":"a","knows":[{"name":"b"}]}]}`
	for url, want := range map[string]string{
		"/query":              data,
		"/query?explain=true": `"data":{}`,
		"/query?profile=true": data,
	} {
		body := w.send("POST", url, text, asDQL).Body.String()
		if !strings.Contains(body, want) {
			t.Errorf("%s: %s", url, body)
		}
		for _, word := range []string{"explain", "profile"} {
			asked := strings.HasSuffix(url, word+"=true")
			if strings.Contains(body, `"`+word+`":[{"name":"q","ask":"eq(name, \"a\") by index"`) != asked || strings.Contains(body, word) != asked {
				t.Errorf("%s: %s", url, body)
			}
		}
		if strings.Contains(body, `"cost":{"rows":1,"lists":1,"cache_hits":1,"rounds":1,"time_ns":`) != strings.HasSuffix(url, "profile=true") {
			t.Errorf("%s: %s", url, body)
		}
	}
	s := &service{n: w.n.Node}
	for _, word := range []string{"explain", "profile", "debug"} {
		resp, err := s.Query(metadataOf(word, "true"), &api.Request{Query: text, ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(resp.Hdrs[word].GetValue()) == 1; got != (word != "debug") {
			t.Errorf("%s: %v", word, resp.Hdrs)
		}
	}
	_, err := s.Query(metadataOf("explain", "true"), &api.Request{
		Query: `{ v as var(func: uid(1)) }`, Mutations: []*api.Mutation{{SetNquads: []byte(`uid(v) <name> "c" .`)}}, CommitNow: true,
	})
	wantCode(t, "a mutation", err, codes.InvalidArgument, "explain is for queries")
}
