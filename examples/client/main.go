// Command client shows the stock Go client at work against a running Dragg: the films of a director, and a review that is
// committed in a transaction.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/dgraph-io/dgo/v250"
	"github.com/dgraph-io/dgo/v250/protos/api"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out *os.File) error {
	dg, err := dgo.Open("dgraph://localhost:9080")
	if err != nil {
		return err
	}
	defer dg.Close()

	const films = `query films($director: string) {
		director(func: eq(name@en, $director)) { name@en director.film(first: 2) { name@en } }
	}`
	resp, err := dg.NewReadOnlyTxn().QueryWithVars(ctx, films, map[string]string{"$director": "Elliot Halmoff"})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n", resp.Json)

	txn := dg.NewTxn()
	defer txn.Discard(ctx) //nolint:errcheck // after Commit it does nothing
	review := &api.Mutation{SetJson: []byte(`{"uid": "_:review", "text": "Moving.", "stars": 5}`)}
	if resp, err = txn.Mutate(ctx, review); err != nil {
		return err
	}
	if err := txn.Commit(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "the review is node", resp.Uids["review"])
	return nil
}
