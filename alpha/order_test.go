package alpha

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Goal: a page of an order is what stands there in the whole order, however its nodes were found. Method: nodes with values that many
// share, that none share, and that some lack, behind indexes of few keys, of lossy ones and of more than are known without the disk;
// the whole order is longer than what an index is asked for.
func TestPagesOfAnOrder(t *testing.T) {
	n := plan{}.start(t)
	n.alter(t, "few: int @index(int) .\nrough: float @index(float) .\nname: string @index(exact) .\nserial: int .")
	rnd := rand.New(rand.NewPCG(5, 6))
	const nodes = 6000
	n.leaseUIDs(t, nodes)
	var quads strings.Builder
	for u := 1; u <= nodes; u++ {
		fmt.Fprintf(&quads, "<%d> <serial> \"%d\" .\n", u, u)
		for pred, value := range map[string]string{
			"few": fmt.Sprint(rnd.IntN(30)), "rough": fmt.Sprint(float64(rnd.IntN(1000)) / 100), "name": fmt.Sprintf("%08x", rnd.Uint32()),
		} {
			if rnd.IntN(10) > 0 {
				fmt.Fprintf(&quads, "<%d> <%s> %q .\n", u, pred, value)
			}
		}
	}
	n.set(t, quads.String())
	for _, from := range []string{"has(serial)", "ge(few, 12)", "has(name)"} {
		for _, order := range []string{"few", "rough", "name", "few, orderdesc: name", "rough, orderasc: few, orderasc: name"} {
			for _, way := range []string{"orderasc", "orderdesc"} {
				list := func(more string) []string {
					text := n.ask(t, fmt.Sprintf("{ q(func: %s, %s: %s%s) { uid } }", from, way, order, more))
					return strings.Split(strings.TrimSuffix(strings.TrimPrefix(text, `{"q":[`), `]}`), ",")
				}
				whole := list("")
				for range 6 {
					first, offset := 1+rnd.IntN(40), rnd.IntN(60)
					got := list(fmt.Sprintf(", first: %d, offset: %d", first, offset))
					if want := whole[offset : offset+first]; strings.Join(got, " ") != strings.Join(want, " ") {
						t.Errorf("%s %s %s: first %d after %d:\n%s\nwant\n%s", from, way, order, first, offset, got, want)
					}
				}
			}
		}
	}
}
