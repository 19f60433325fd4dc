package query

import "testing"

// What does not fit is refused and takes nothing; what is given back can be taken again.
func TestBudget(t *testing.T) {
	b := NewBudget(100)
	if !b.take(60) || b.take(50) || !b.take(40) || b.take(1) {
		t.Fatalf("used %d of 100", b.Used())
	}
	b.give(40)
	if b.Used() != 60 || !b.take(40) {
		t.Fatalf("used %d of 100", b.Used())
	}
	var none *Budget
	if !none.take(1 << 40) {
		t.Error("no budget is no bound")
	}
	none.give(1)
}
