package types

import (
	"math"
	"strings"
	"testing"
	"time"
)

// Text into each type and back to JSON, or the distinctive part of the error (dql.md facts 11-14, 94, 95,
// 98).
func TestParse(t *testing.T) {
	for _, tt := range []struct {
		typ  ID
		text string
		want string // JSON, or error: fragment
	}{
		{String, "x", `"x"`},
		{Default, "12.50", `"12.50"`},
		{Int, "-42", `-42`},
		{Int, "+7", `7`},
		{Int, "07", `7`},
		{Int, "7.9", `error: parsing "7.9": invalid syntax`},
		{Int, "0x1f", `error: parsing "0x1f": invalid syntax`},
		{Int, " 7", `error: parsing " 7": invalid syntax`},
		{Int, "", `error: parsing "": invalid syntax`},
		{Int, "five", `error: parsing "five": invalid syntax`},
		{Int, "9223372036854775807", `9223372036854775807`},
		{Int, "9223372036854775808", `error: parsing "9223372036854775808": value out of range`},
		{Float, "1e3", `1000`},
		{Float, "1000000", `1e+06`},
		{Float, ".5", `0.5`},
		{Float, "1E-7", `1e-07`},
		{Float, "100000000000000000000000", `1e+23`},
		{Float, "123456789.125", `1.23456789125e+08`},
		{Float, "-0", `-0`},
		{Float, "NaN", `error: got invalid value: NaN`},
		{Float, "Inf", `not shown`},
		{Float, "half", `error: parsing "half": invalid syntax`},
		{Bool, "T", `true`},
		{Bool, "0", `false`},
		{Bool, "yes", `error: parsing "yes": invalid syntax`},
		{DateTime, "2016", `"2016-01-01T00:00:00Z"`},
		{DateTime, "2016-07", `"2016-07-01T00:00:00Z"`},
		{DateTime, "2016-07-08", `"2016-07-08T00:00:00Z"`},
		{DateTime, "2016-07-08T09:10:11.5Z", `"2016-07-08T09:10:11.5Z"`},
		{DateTime, "2016-07-08T09:10:11.123456789Z", `"2016-07-08T09:10:11.123456789Z"`},
		{DateTime, "2016-07-08T09:10:11+05:30", `"2016-07-08T09:10:11+05:30"`},
		{DateTime, "2016-07-08T09:10:11", `"2016-07-08T09:10:11Z"`},
		{DateTime, "2016-07-08T09:10:11.25", `"2016-07-08T09:10:11.25Z"`},
		{DateTime, "2006-01-02T15:04:05.250-08:00", `"2006-01-02T15:04:05.25-08:00"`},
		{DateTime, "2016-07-08 09:10:11 +0200 CEST", `"2016-07-08T09:10:11+02:00"`},
		{DateTime, "0001-01-01", `"0001-01-01T00:00:00Z"`},
		{DateTime, "9999-12-31T23:59:59Z", `"9999-12-31T23:59:59Z"`},
		{DateTime, "2015-02-29", `error: parsing time "2015-02-29"`},
		{DateTime, "2015-13-01", `error: parsing time "2015-13-01"`},
		{DateTime, "2015-01-01T25:00:00Z", `error: parsing time "2015-01-01T25:00:00Z"`},
		{DateTime, "2015/01/01", `error: parsing time "2015/01/01"`},
		{DateTime, "2015-01-01T10:00", `error: parsing time "2015-01-01T10:00"`},
		{DateTime, "2015-01-01 10:00:00", `error: parsing time "2015-01-01 10:00:00"`},
		{DateTime, "10:00:00", `error: parsing time "10:00:00"`},
		{DateTime, "", `error: parsing time ""`},
		{DateTime, "2015-1-1", `error: parsing time "2015-1-1"`},
		{DateTime, "02/01/2006", `error: 02/01/2006`},
		{Geo, "{'type':'Point','coordinates':[-70.5,-53.25]}", `{"type":"Point","coordinates":[-70.5,-53.25]}`},
		{Geo, `{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4],[0,0]]]}`, `{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4],[0,0]]]}`},
		{Geo, "Berlin", `error: as geojson`},
		{Geo, "{'type':'Blob','coordinates':[1,2]}", `error: as geojson`},
		{Geo, "{'type':'Point'}", `error: as geojson`},
		{Geo, "null", `error: as geojson`},
		{Geo, "{'type':'Point','coordinates':[]}", `error: as geojson`},
		{Geo, strings.Repeat("[", 1000), `error: as geojson`},
		{Geo, "{'type':'Point','coordinates':[1e400,0]}", `error: as geojson`},
		{Geo, "{'type':'Point','coordinates':[NaN,0]}", `error: as geojson`},
		{Geo, "{'type':'Point','coordinates':[0,91]}", `error: as geojson`},
		{Geo, "{'type':'Polygon','coordinates':[[[0,0],[4,0],[4,4],[0,4]]]}", `error: Last coord not same as first`},
		{Geo, "{'type':'Polygon','coordinates':[[[0,0],[4,0],[0,0]]]}", `error: a ring needs at least four positions`},
		{BigFloat, "0.1", `0.1`},
		{BigFloat, "1.23456789012345678901234567890", `1.2345678901234567890123456789`},
		{BigFloat, "123456789012345678901234567890.5", `1.234567890123456789012345678905e+29`},
		{BigFloat, "12345678901234567890.123456789", `1.2345678901234567890123456789e+19`},
		{BigFloat, "-2.5e-5", `-2.5e-05`},
		{BigFloat, "much", `error: cannot unmarshal "much"`},
		{BigFloat, "1e1000000000", `error: bigfloat out of range`},
		{BigFloat, "Inf", `error: bigfloat out of range`},
		{Vector, "[1, 2.5, -3]", `[1E+00,2.5E+00,-3E+00]`},
		{Vector, "[1 2]", `[1E+00,2E+00]`},
		{Vector, "up", `error: cannot convert up to vfloat`},
		{Vector, "[]", `error: cannot convert [] to vfloat`},
		{Vector, "[1,]", `error: to vfloat`},
		{Vector, "[NaN]", `error: to vfloat`},
		{Password, "five5", `error: password too short, i.e. should have at least 6 chars`},
		{Password, strings.Repeat("long", 20), `error: password too long`},
		{UID, "0x1f", `"0x1f"`},
		{Binary, "aGVsbG8=", `"aGVsbG8="`},
		{Binary, "?", `error: illegal base64`},
		{ID(99), "x", `error: unknown type`},
	} {
		v, err := Parse(tt.text, tt.typ)
		checkValue(t, tt.typ.String()+" "+tt.text, v, err, tt.want)
	}
}

func checkValue(t *testing.T, what string, v Value, err error, want string) {
	t.Helper()
	if fragment, isErr := strings.CutPrefix(want, "error: "); isErr {
		if err == nil || !strings.Contains(err.Error(), fragment) {
			t.Errorf("%s: error %v, want …%s…", what, err, fragment)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	got, shown := AppendJSON(nil, v)
	if !shown {
		got = []byte("not shown")
	}
	if string(got) != want {
		t.Errorf("%s = %s, want %s", what, got, want)
	}
}

func mustParse(t testing.TB, typ ID, text string) Value {
	t.Helper()
	v, err := Parse(text, typ)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestConvert(t *testing.T) {
	for _, tt := range []struct {
		from ID
		text string
		to   ID
		want string
	}{
		{Int, "86400", DateTime, `"1970-01-02T00:00:00Z"`},
		{Float, "0.5", DateTime, `"1970-01-01T00:00:00.5Z"`},
		{Float, "-0.5", DateTime, `"1969-12-31T23:59:59.5Z"`},
		{DateTime, "1970-01-02T00:00:01Z", Int, `86401`},
		{DateTime, "1970-01-01T00:01:00.5Z", Float, `60.5`},
		{DateTime, "1970-01-02T00:00:01Z", String, `"1970-01-02T00:00:01Z"`},
		{Float, "1e21", String, `"1E+21"`},
		{Float, "1234567", String, `"1.234567E+06"`},
		{Float, "3.0", String, `"3"`},
		{Float, "9.5", Default, `"9.5"`},
		{Float, "3.9", Int, `3`},
		{Float, "-3.9", Int, `-3`},
		{Float, "1e300", Int, `error: float out of int64 range`},
		{Float, "9223372036854775808", Int, `error: float out of int64 range`},
		{Float, "-9223372036854775808", Int, `-9223372036854775808`},
		{Float, "0.25", BigFloat, `0.25`},
		{Float, "2.5", Bool, `true`},
		{Float, "Inf", BigFloat, `error: bigfloat out of range`},
		{Float, "1e20", DateTime, `error: year outside of range`},
		{Int, "3", BigFloat, `3`},
		{Int, "8", Float, `8`},
		{Int, "0", Bool, `false`},
		{Int, "9223372036854775807", DateTime, `error: year outside of range`},
		{Bool, "true", Int, `1`},
		{Bool, "true", Float, `1`},
		{Bool, "true", String, `"true"`},
		{Bool, "true", DateTime, `error: cannot convert bool to type datetime`},
		{DateTime, "2020-01-01", Bool, `error: cannot convert datetime to type bool`},
		{Geo, "{'type':'Point','coordinates':[7,50]}", Int, `error: cannot convert geo to type int`},
		{Geo, "{'type':'Point','coordinates':[7,50]}", String, `"{\"type\":\"Point\",\"coordinates\":[7,50]}"`},
		{Int, "5", Geo, `error: cannot convert int to type geo`},
		{Int, "1234567", Password, `error: cannot convert int to type password`},
		{BigFloat, "3.7", Int, `3`},
		{BigFloat, "1e30", Int, `error: float out of int64 range`},
		{BigFloat, "3.5", Float, `3.5`},
		{BigFloat, "3.5", String, `"3.5"`},
		{String, "12", Int, `12`},
		{Default, "2011", DateTime, `"2011-01-01T00:00:00Z"`},
		{String, "x", Default, `"x"`},
		{Vector, "[1, 2.5]", String, `"[1,2.5]"`},
	} {
		v, err := Convert(mustParse(t, tt.from, tt.text), tt.to)
		checkValue(t, tt.from.String()+" "+tt.text+" → "+tt.to.String(), v, err, tt.want)
	}
}

// Fact 97: a password is encrypted once, however often it passes through Parse and Convert.
func TestPassword(t *testing.T) {
	literal := mustParse(t, Password, "пароль漢字")
	stored, err := Convert(literal, Password)
	if err != nil || !CheckPassword(stored, "пароль漢字") || CheckPassword(stored, "") {
		t.Errorf("stored %v, %v", stored.Str(), err)
	}
	again, err := Convert(OfString(stored.Str()), Password)
	if err != nil || again.Str() != stored.Str() {
		t.Errorf("encrypted twice: %v, %v", again.Str(), err)
	}
	if _, err := Convert(stored, String); err == nil {
		t.Error("a password becomes a string")
	}
	if CheckPassword(OfString("sixsix"), "sixsix") {
		t.Error("a string is a password")
	}
}

func TestCompare(t *testing.T) {
	at := func(s string) Value { return mustParse(t, DateTime, s) }
	for _, tt := range []struct {
		a, b Value
		want int
	}{
		{OfInt(-1), OfInt(1), -1},
		{OfString("Rhein"), OfString("rhume"), -1},
		{OfString("a"), OfDefault("a"), 0},
		{OfFloat(0), OfFloat(math.Copysign(0, -1)), 0},
		{at("2021-03-04T23:30:00Z"), at("2021-03-05T00:30:00+01:00"), 0},
		{mustParse(t, BigFloat, "1000.75"), mustParse(t, BigFloat, "1000.25"), 1},
	} {
		if got, err := Compare(tt.a, tt.b); err != nil || got != tt.want {
			t.Errorf("%s and %s: %d, %v", tt.a.Text(), tt.b.Text(), got, err)
		}
		if Equal(tt.a, tt.b) != (tt.want == 0) || tt.want == 0 && Fingerprint(tt.a) != Fingerprint(tt.b) {
			t.Errorf("%s and %s: equal %v", tt.a.Text(), tt.b.Text(), Equal(tt.a, tt.b))
		}
		if Less(tt.a, tt.b) != (tt.want < 0) {
			t.Errorf("%s and %s: less %v", tt.a.Text(), tt.b.Text(), Less(tt.a, tt.b))
		}
	}
	for _, pair := range [][2]Value{{OfInt(1), OfFloat(1)}, {OfBool(true), OfBool(false)}, {OfUID(1), OfUID(2)}} {
		if _, err := Compare(pair[0], pair[1]); err == nil {
			t.Errorf("%s and %s compare", pair[0].Text(), pair[1].Text())
		}
		if Equal(pair[0], pair[1]) {
			t.Errorf("%s and %s are equal", pair[0].Text(), pair[1].Text())
		}
	}
	geo := mustParse(t, Geo, "{'type':'Point','coordinates':[7,50]}")
	if !Equal(geo, geo) || !Equal(OfVector([]float32{1}), OfVector([]float32{1})) ||
		Equal(OfVector([]float32{1}), OfVector(nil)) {
		t.Error("geo or vector equality")
	}
}

func TestNames(t *testing.T) {
	for id := Default; id.Valid(); id++ {
		if got, ok := Named(strings.ToUpper(id.String())); !ok || got != id {
			t.Errorf("%s: %v %v", id, got, ok)
		}
	}
	if _, ok := Named("text"); ok || ID(200).String() != "invalid" {
		t.Error("unknown names")
	}
}

// Fact 10: Go's HTML escapes.
func TestAppendQuoted(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"a < b & c > d", `"a \u003c b \u0026 c \u003e d"`},
		{"q\" b\\ /", `"q\" b\\ /"`},
		{"\t\n\r\b\f\x01\x1f\x7f", "\"\\t\\n\\r\\b\\f\\u0001\\u001f\x7f\""},
		{"line\u2028sep\u2029", `"line\u2028sep\u2029"`},
		{"bad\xffutf", `"bad\ufffdutf"`},
		{"日本語 😀", `"日本語 😀"`},
		{"", `""`},
	} {
		if got := string(AppendQuoted(nil, tt.in)); got != tt.want {
			t.Errorf("%q = %s, want %s", tt.in, got, tt.want)
		}
	}
}

// A value does not depend on the zone of the machine.
func TestTimeZoneOfTheMachine(t *testing.T) {
	v := mustParse(t, DateTime, "2016-07-08T09:10:11+02:00")
	if name, offset := v.Time().Zone(); name != "" || offset != 7200 || v.Time().Location() == time.Local {
		t.Errorf("zone %q %d", name, offset)
	}
}
