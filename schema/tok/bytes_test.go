package tok

import (
	"encoding/hex"
	"strings"
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
		{Geo, types.Geo, "{'type':'Point','coordinates':[7.45,46.948]}", "478e39c38ef00000"},
		{Geo, types.Geo, "{'type':'Point','coordinates':[0,90]}", "5000000000100000"},
		{Geo, types.Geo, "{'type':'Point','coordinates':[-180,0]}", "6ffffffffff00000"},
		{
			Geo, types.Geo, "{'type':'Polygon','coordinates':[[[10,50],[11,50],[11,51],[10,51],[10,50]]]}",
			"47a230000000000047a250000000000047a2f0000000000047a310000000000047a33fc000000000" +
				"47a350000000000047a370000000000047a3c0000000000047a40aaac000000047a4700000000000" +
				"47a490000000000047a4a40000000000",
		},
		{
			Geo, types.Geo,
			"{'type':'MultiPolygon','coordinates':[[[[0,0],[90,0],[0,90],[0,0]]],[[[170,-10],[171,-10],[170,-11],[170,-10]]]]}",
			"05555555555000000d000000000000000f0000000000000014000000000000001c00000000000000" +
				"230000000000000025000000000000002ffffffffff0000034000000000000003c00000000000000" +
				"50000000000000006f00000000000000",
		},
	} {
		v, err := types.Parse(tt.text, tt.typ)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString([]byte(strings.Join(tokensOf(t, tt.name, v, ""), ""))); got != tt.want {
			t.Errorf("%s of %s = %s, want %s", tt.name, tt.text, got, tt.want)
		}
	}
}
