package command

import (
	"context"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// someAlpha answers queries with the query itself, refuses those that say bad, and for those that say slow waits until the
// caller goes away.
type someAlpha struct {
	api.UnimplementedDgraphServer
	slow chan string // "asked" and "gone" of slow queries
}

// fakeAlpha serves such an Alpha, and returns it with its address.
func fakeAlpha(t *testing.T) (*someAlpha, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &someAlpha{slow: make(chan string, 10)}
	s := grpc.NewServer()
	api.RegisterDgraphServer(s, a)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return a, l.Addr().String()
}

func (a *someAlpha) Query(ctx context.Context, r *api.Request) (*api.Response, error) {
	switch {
	case strings.Contains(r.Query, "bad"):
		return nil, status.Error(codes.Unknown, "line 2 column 4: bad")
	case strings.Contains(r.Query, "slow"):
		a.slow <- "asked"
		<-ctx.Done()
		a.slow <- "gone"
		return nil, ctx.Err()
	case strings.HasPrefix(r.Query, "schema"):
		return &api.Response{Json: []byte(`{"schema":[{"predicate":"name","type":"string"}]}`)}, nil
	}
	resp := &api.Response{Json: []byte(`{"text":"` + strings.Join(strings.Fields(r.Query), " ") + `","vars":"` +
		strings.Join(slices.Sorted(maps.Values(r.Vars)), " ") + `"}`)}
	if r.RespFormat == api.Request_RDF {
		resp = &api.Response{Rdf: []byte("<0x1> <a> \"b\" .\n")}
	}
	md, _ := metadata.FromIncomingContext(ctx)
	for _, word := range []string{"explain", "profile"} {
		if len(md.Get(word)) > 0 {
			resp.Hdrs = map[string]*api.ListOfString{word: {Value: []string{`[{"name":"` + word + `","ask":"all"}]`}}}
		}
	}
	return resp, nil
}

// Goal: a query is taken from wherever it is given, and errors point into it. Method: the command against an Alpha that gives the
// query back.
func TestQueryTakesItsText(t *testing.T) {
	_, address := fakeAlpha(t)
	file := filepath.Join(t.TempDir(), "q.dql")
	if err := os.WriteFile(file, []byte("{ file }"), 0o600); err != nil {
		t.Fatal(err)
	}
	echo := func(text, vars string) string {
		return "{\n  \"text\": \"" + text + "\",\n  \"vars\": \"" + vars + "\"\n}\n"
	}
	for name, c := range map[string]struct {
		stdin     string
		args      []string
		out, fail string
		err       string
	}{
		"argument":  {"{ stdin }", []string{"{ arg }"}, echo("{ arg }", ""), "", ""},
		"stdin":     {"{\n stdin }", nil, echo("{ stdin }", ""), "", ""},
		"dash":      {"{ stdin }", []string{"-"}, echo("{ stdin }", ""), "", ""},
		"file":      {"{ stdin }", []string{"--file", file}, echo("{ file }", ""), "", ""},
		"dash file": {"{ stdin }", []string{"-f", "-"}, echo("{ stdin }", ""), "", ""},
		"variables": {"", []string{"{ arg }", "--var", "$a=1", "--var", "b=2=3"}, echo("{ arg }", "1 2=3"), "", ""},
		"RDF":       {"", []string{"{ arg }", "--rdf"}, "<0x1> <a> \"b\" .\n", "", ""},
		"explain":   {"", []string{"{ arg }", "--explain"}, "explain: all\n", "", ""},
		"profile":   {"", []string{"{ arg }", "--profile"}, echo("{ arg }", ""), "profile: all\n", ""},
		"both":      {"", []string{"{ arg }", "-f", file}, "", "", "give the text or --file, not both"},
		"no value":  {"", []string{"{ arg }", "--var", "a"}, "", "", "--var a: write it as '$name=value'"},
		"refused":   {"{\n\ta bad() }", nil, "", "", "line 2 column 4: bad\n  \ta bad() }\n  \t  ^"},
	} {
		var out, fail strings.Builder
		cmd := Query()
		cmd.SetArgs(append([]string{"--alpha", address}, c.args...))
		cmd.SetIn(strings.NewReader(c.stdin))
		cmd.SetOut(&out)
		cmd.SetErr(&fail)
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		said := ""
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			said = err.Error()
		}
		if out.String() != c.out || fail.String() != c.fail || said != c.err {
			t.Errorf("%s: got %q, %q and error %q, want %q, %q and %q", name, out.String(), fail.String(), said, c.out, c.fail, c.err)
		}
	}
}
