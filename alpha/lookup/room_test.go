package lookup

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/query/task"
)

// Goal: an answer that is too large fails while it is gathered. Method: few lists are read of the many that are asked for.
func TestRoom(t *testing.T) {
	w := newWorld(t, "knows: [uid] .\nname: string .")
	var b strings.Builder
	for u := 1; u <= 100; u++ {
		fmt.Fprintf(&b, "%d name %q\n", u, strings.Repeat("x", 1000))
		for to := range 10 {
			fmt.Fprintf(&b, "%d knows %d\n", u, 1000+to)
		}
	}
	w.set(b.String())
	edges := task.Task{Kind: task.Edges, Predicate: graph.Pred("knows"), Src: upTo(100)}
	values := task.Task{Kind: task.Values, Predicate: graph.Pred("name"), Src: upTo(100)}
	for _, c := range []struct {
		name  string
		batch []task.Task
		room  task.Room
		want  string // what there is too much of
	}{
		{"no bound", []task.Task{edges, values}, task.Room{}, ""},
		{"enough", []task.Task{edges, values}, task.Room{Edges: task.Bound{Limit: 1000}, Bytes: task.Bound{Limit: 130_000}}, ""},
		{"edges", []task.Task{edges}, task.Room{Edges: task.Bound{Limit: 999}}, task.CountedEdges},
		{"edges of two tasks", []task.Task{edges, edges}, task.Room{Edges: task.Bound{Limit: 1999}}, task.CountedEdges},
		{"edges used before", []task.Task{edges}, task.Room{Edges: task.Bound{Limit: 5000, Used: 4500}}, task.CountedEdges},
		{"bytes of targets", []task.Task{edges}, task.Room{Bytes: task.Bound{Limit: 15_000}}, task.CountedBytes},
		{"bytes of texts", []task.Task{values}, task.Room{Bytes: task.Bound{Limit: 90_000}}, task.CountedBytes},
		{"bytes of both", []task.Task{edges, values}, task.Room{Bytes: task.Bound{Limit: 115_000}}, task.CountedBytes},
	} {
		for i := range c.batch {
			c.batch[i].Room = c.room
		}
		_, err := w.run(nil, c.batch...)
		limit := (*task.LimitError)(nil)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (!errors.As(err, &limit) || limit.What != c.want || limit.Limit != max(c.room.Edges.Limit, c.room.Bytes.Limit)):
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
