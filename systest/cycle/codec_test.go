package cycle

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// What was saved is read back the same.
func TestSave(t *testing.T) {
	txns := (&sloppy{rng: rand.New(rand.NewPCG(1, 1)), writes: Append, flaws: 5}).run(50)
	var b bytes.Buffer
	if err := Save(&b, txns); err != nil {
		t.Fatal(err)
	}
	back, err := Load(&b)
	if err != nil || render(back) != render(txns) {
		t.Errorf("%v: %d transactions, %d read back", err, len(txns), len(back))
	}
	if _, err := Load(strings.NewReader("{\"f\":\n{")); err == nil {
		t.Error("a torn file is read")
	}
}
