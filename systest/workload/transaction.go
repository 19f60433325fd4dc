package workload

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/dgraph-io/dgo/v250"
	"github.com/dgraph-io/dgo/v250/protos/api"
)

// query asks and decodes the answer; nothing can have been committed by it.
func query(ctx context.Context, x *dgo.Txn, text string, answer any) error {
	resp, err := x.Query(ctx, text)
	if err == nil {
		err = json.Unmarshal(resp.Json, answer)
	}
	return surely(err)
}

// set writes N-Quads within a transaction that is not over.
func set(ctx context.Context, x *dgo.Txn, format string, args ...any) error {
	_, err := x.Mutate(ctx, mutation(false, format, args...))
	return surely(err)
}

// setNow writes N-Quads and commits in the same request.
func setNow(ctx context.Context, x *dgo.Txn, format string, args ...any) error {
	_, err := x.Mutate(ctx, mutation(true, format, args...))
	return err
}

// discard gives up what may be open; that it fails, or came too late, is no matter.
func discard(ctx context.Context, x *dgo.Txn) { _ = x.Discard(ctx) }

// row is one node of an answer to q.
type row struct {
	UID string `json:"uid"`
	Key *int64 `json:"k"`
	Val *int64 `json:"v"`
}

// rows is an answer to q.
type rows struct {
	Q []row `json:"q"`
}

// mutation returns N-Quads to set.
func mutation(commit bool, format string, args ...any) *api.Mutation {
	return &api.Mutation{SetNquads: fmt.Appendf(nil, format, args...), CommitNow: commit}
}
