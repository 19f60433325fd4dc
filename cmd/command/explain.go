package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc/metadata"

	"dragg/query"
)

// asking marks a request by a word of metadata: debug, explain, profile.
func asking(ctx context.Context, word string, on bool) context.Context {
	if !on {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, word, "true")
}

// printPlan prints the plan that came with an answer under a word, as a tree.
func printPlan(out io.Writer, resp *api.Response, word string) error {
	list := resp.Hdrs[word].GetValue()
	if len(list) == 0 {
		return fmt.Errorf("the server did not %s: it may be older than this command", word)
	}
	var steps []*query.Step
	if err := json.Unmarshal([]byte(list[0]), &steps); err != nil {
		return fmt.Errorf("reading the plan: %w", err)
	}
	var b strings.Builder
	for _, s := range steps {
		writeStep(&b, s, "", "")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// writeStep writes a step and those below it. first stands before its own line, rest before all others.
func writeStep(b *strings.Builder, s *query.Step, first, rest string) {
	fmt.Fprintf(b, "%s%s: %s", first, s.Name, s.Ask)
	if s.Filter != "" {
		fmt.Fprintf(b, "  filter %s", s.Filter)
	}
	if len(s.After) > 0 {
		fmt.Fprintf(b, "  after %s", strings.Join(s.After, ", "))
	}
	if c := s.Cost; c != nil {
		fmt.Fprintf(b, "  [%d rows, %d lists, %d cached, %d rounds, %v]", c.Rows, c.Lists, c.CacheHits, c.Rounds, c.Time.Round(time.Microsecond))
	}
	b.WriteByte('\n')
	below := "│ "
	if len(s.Steps) == 0 {
		below = "  "
	}
	for _, n := range s.Notes {
		fmt.Fprintf(b, "%s%s(%s)\n", rest, below, n)
	}
	for i, c := range s.Steps {
		if i == len(s.Steps)-1 {
			writeStep(b, c, rest+"└ ", rest+"  ")
			continue
		}
		writeStep(b, c, rest+"├ ", rest+"│ ")
	}
}
