package tok

import (
	"encoding/hex"
	"testing"

	"dragg/graph/types"
)

// Tokens are on disk: these bytes may never change (docs/format/token.md).
func TestGoldenBytes(t *testing.T) {
	for _, tt := range []struct {
		name string
		typ  types.ID
		text string
		want string
	}{
		{Int, types.Int, "-3", "7ffffffffffffffd"},
		{Int, types.Int, "300", "800000000000012c"},
		{Float, types.Float, "-0.5", "8000000000000000"},
		{Float, types.Float, "1e300", "ffffffffffffffff"},
		{BigFloat, types.BigFloat, "10.5", "0100000004000000000000000a"},
		{BigFloat, types.BigFloat, "-1", "00fffffffefffffffffffffffe"},
		{BigFloat, types.BigFloat, "0.5", "01000000000000000000000000"},
		{Bool, types.Bool, "true", "01"},
		{Hour, types.DateTime, "2020-05-02T01:30:00+03:00", "87e4050116"},
		{Year, types.DateTime, "1903-07-01", "876f"},
		{Hash, types.String, "a", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"},
		{Term, types.String, "Café", "636166c3a9"},
		{FullText, types.String, "running", "72756e"},
	} {
		v, err := types.Parse(tt.text, tt.typ)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString([]byte(tokensOf(t, tt.name, v, "")[0])); got != tt.want {
			t.Errorf("%s of %s = %s, want %s", tt.name, tt.text, got, tt.want)
		}
	}
}
