//go:build systest

package systest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
)

// Goal: clients may compress what they send over gRPC, as the documentation of theirs shows, and what that unpacks to is bounded as
// any request is. Method: a mutation and a query with gzip; then a mutation that is small on the wire and larger than the limit.
func TestGzipOverGRPC(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	stub := connect(t, start(t, "--limit-request", "1MiB")).Stub
	packed := grpc.UseCompressor(gzip.Name)
	set := func(value string) error {
		_, err := stub.Query(ctx, &api.Request{CommitNow: true, Mutations: []*api.Mutation{
			{SetNquads: []byte(`_:a <text> "` + value + `" .`)},
		}}, packed)
		return err
	}
	if err := set("hello"); err != nil {
		t.Fatal(err)
	}
	resp, err := stub.Query(ctx, &api.Request{Query: `{ q(func: has(text)) { text } }`, ReadOnly: true}, packed)
	if err != nil || string(resp.Json) != `{"q":[{"text":"hello"}]}` {
		t.Errorf("got %s, %v", resp.GetJson(), err)
	}
	if err := set(strings.Repeat("x", 8<<20)); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("8 MiB in a compressed request: %v", err)
	}
}
