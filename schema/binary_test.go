package schema

import (
	"encoding/hex"
	"strings"
	"testing"
)

// The stored forms are on disk: these bytes may never change.
func TestGoldenBytes(t *testing.T) {
	p := define(t, `[0x2] ab: string @index(exact, term) @lang @upsert @noconflict .`)
	p.Building = []string{"term"}
	for _, tt := range []struct {
		got  []byte
		want string
	}{
		{p.AppendBinary(nil), "01 58 01 02 026162 02090c 01047465726d"},
		{define(t, `e: [uid] @reverse @count .`).AppendBinary(nil), "01 07 0a 00 0165 00 00"},
		{
			define(t, `v: float32vector @index(hnsw(metric: "cosine")) .`).AppendBinary(nil),
			"01 8001 09 00 0176 00 00 04686e7377 01 066d6574726963 06636f73696e65",
		},
		{(&Type{Name: "T", Fields: []string{"a", "~b"}}).AppendBinary(nil), "01 0154 02 0161 027e62"},
	} {
		if got := hex.EncodeToString(tt.got); got != strings.ReplaceAll(tt.want, " ", "") {
			t.Errorf("got  %s\nwant %s", got, strings.ReplaceAll(tt.want, " ", ""))
		}
	}
}
