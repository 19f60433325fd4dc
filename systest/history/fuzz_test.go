package history

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// Whatever a file holds, loading and checking it ends, without a panic.
func FuzzLoad(f *testing.F) {
	var b bytes.Buffer
	if err := Save(&b, run(rand.New(rand.NewPCG(1, 1)), 6)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"id":1,"outcome":"unknown","start":3,"ops":[{"r":{"k":["a"],"v":null,"n":-1}},{"w":{"k":"a"}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		txns, err := Load(bytes.NewReader(data))
		if err != nil {
			return
		}
		if r := Check(txns); r.String() == "" {
			t.Error("an empty report")
		}
	})
}
