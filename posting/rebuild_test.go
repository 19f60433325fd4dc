package posting_test

import (
	"testing"

	"dragg/posting"
)

// Goal: an index that is dropped and built again, again and again, holds what the data says each time.
// Method: a key that one build emptied gets an entry, goes stale, and must be emptied by the next build.
func TestIndexBuiltManyTimes(t *testing.T) {
	w := newWorld(t, "name: string @index(exact) .")
	with := w.ps
	without := bare(w.ps)
	for range 4 {
		w.ps = with
		w.do("name", "set 1 a") // an entry under a …
		w.ps = without
		w.do("name", "set 1 b") // … that nobody takes away
		w.ps = with
		p, inc := w.pred("name")
		if err := w.store.BuildIndex(t.Context(), w.now, p, inc, posting.Build{Tokenizers: p.Index}); err != nil {
			t.Fatal(err)
		}
		w.want("name", nil, "0x1: b", "exact@ b: 0x1")
	}
}
