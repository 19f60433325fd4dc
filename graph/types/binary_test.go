package types

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"

	"dragg/graph/geo"
)

// The stored bytes and fingerprints are on disk: these may never change.
func TestGoldenBytes(t *testing.T) {
	for _, tt := range []struct {
		typ         ID
		text, bytes string
		fingerprint uint64
	}{
		{String, "mint", "6d696e74", 0x3da46033b4c97f78},
		{Int, "-3", "05", 0x375a567542b8380e},
		{Int, "300", "d804", 0x7df07f9131f0c6fc},
		{Float, "1.5", "000000000000f83f", 0x4c52ec48c3b3a4b3},
		{Bool, "true", "01", 0x523be90bb03b5a61},
		{DateTime, "2001-01-01", "80a2fea407", 0xd3717fa3e7a005af},
		{DateTime, "1969-12-31T23:59:59.9+05:30", "b1b50280d293ad03b0b502", 0xb9e301331e465259},
		{BigFloat, "-2.5", "01" + "04" + "05", 0x9a9c001fb2a594f0},
		{BigFloat, "0", "", 0x9ae16a3b2f90404f},
		{Vector, "[1,-2]", "0000803f000000c0", 0xa51b99f74408ab19},
		{UID, "0x1f", "1f", 0x8b703da4398a776f},
		{Geo, "{'type':'Point','coordinates':[1,2]}", "0101000000000000000000f03f0000000000000040", 0x1618978d6a66e286},
	} {
		v := mustParse(t, tt.typ, tt.text)
		b := AppendBinary(nil, v)
		if got := hex.EncodeToString(b); got != tt.bytes {
			t.Errorf("%s %s: %s, want %s", tt.typ, tt.text, got, tt.bytes)
		}
		if got := Fingerprint(v); got != tt.fingerprint {
			t.Errorf("%s %s: fingerprint %#x, want %#x", tt.typ, tt.text, got, tt.fingerprint)
		}
		back, err := Decode(tt.typ, b)
		if err != nil || !Equal(v, back) || back.Text() != v.Text() {
			t.Errorf("%s %s: decoded %s, %v", tt.typ, tt.text, back.Text(), err)
		}
	}
}

// What Decode accepts is what AppendBinary makes, and every such value has all of its other forms.
func FuzzDecode(f *testing.F) {
	for id, texts := range map[ID][]string{
		Int: {"-3", "9223372036854775807"}, Float: {"1.5"}, Bool: {"true"}, UID: {"0x1f"}, Vector: {"[1,-2]"},
		DateTime: {"2001", "1969-12-31T23:59:59.9+05:30"}, BigFloat: {"-2.5", "0", "123456789012345678901234567890.5"},
		Geo: {"{'type':'Point','coordinates':[1,2]}", "{'type':'MultiPolygon','coordinates':[[[[20,40],[21,40],[20,41],[20,40]]]]}"},
	} {
		for _, text := range texts {
			f.Add(byte(id), AppendBinary(nil, mustParse(f, id, text)))
		}
	}
	f.Fuzz(func(t *testing.T, id byte, b []byte) {
		v, err := Decode(ID(id), b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := Decode(ID(id), AppendBinary(nil, v))
		if err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		if v.Type() != ID(id) || Fingerprint(v) != Fingerprint(again) ||
			!bytes.Equal(AppendBinary(nil, v), AppendBinary(nil, again)) {
			t.Fatalf("%x is not stable", b)
		}
		if out, shown := AppendJSON(nil, v); shown && v.Type() != Geo && !json.Valid(out) {
			t.Fatalf("%x: no JSON: %s", b, out)
		}
		for to := Default; to.Valid(); to++ {
			if to != Password {
				_, _ = Convert(v, to) // any answer will do, but no panic
			}
		}
	})
}

// Whatever parses can be stored, read back and printed the same.
func FuzzParse(f *testing.F) {
	for id := Default; id.Valid(); id++ {
		for _, text := range []string{"1", "-1.5e3", "true", "2006-01-02T15:04:05.5-08:00", "[1, 2]", "0x1", "aGVsbG8=", "{'type':'LineString','coordinates':[[1,2],[3,4]]}"} {
			f.Add(byte(id), text)
		}
	}
	f.Fuzz(func(t *testing.T, id byte, text string) {
		if ID(id) == Password {
			return
		}
		v, err := Parse(text, ID(id))
		if err != nil {
			return
		}
		back, err := Decode(ID(id), AppendBinary(nil, v))
		if err != nil || back.Text() != v.Text() || Fingerprint(back) != Fingerprint(v) {
			t.Fatalf("%s %q: stored %q, read %q, %v", ID(id), text, v.Text(), back.Text(), err)
		}
		if out, shown := AppendJSON(nil, v); shown && !json.Valid(out) {
			t.Fatalf("%s %q: no JSON: %s", ID(id), text, out)
		}
		again, err := Parse(v.Text(), ID(id))
		if err != nil || !Equal(v, again) {
			t.Fatalf("%s %q: text %q reads as %q, %v", ID(id), text, v.Text(), again.Text(), err)
		}
	})
}

// Whatever parses as a shape is well formed, can be stored, and reads back the same from bytes and from text.
func FuzzParseGeo(f *testing.F) {
	for _, text := range []string{
		"{'type':'Point','coordinates':[1,2]}",
		"{'type':'Point','coordinates':[-180,90,8848.5]}",
		"{'type':'LineString','coordinates':[[1,2],[3,4]]}",
		"{'type':'Polygon','coordinates':[[[0,0],[9,0],[9,9],[0,9],[0,0]],[[2,2],[8,2],[8,8],[2,2]]]}",
		"{'type':'MultiPolygon','coordinates':[[[[20,40],[21,40],[20,41],[20,40]]],[[[0,0],[1e1,0],[0.5,-1],[0,0]]]]}",
		"{'type':'GeometryCollection','geometries':[{'type':'Point','coordinates':[1,2]}]}",
		"{'type':'Feature','geometry':{'type':'Point','coordinates':[1,2]}}",
		"{'type':'Polygon','coordinates':[[[0,0],[180,0],[0,1],[0,0]]]}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Parse(text, Geo)
		if err != nil {
			return
		}
		if err := geo.Check(v.Geom()); err != nil {
			t.Fatalf("%q passed: %v", text, err)
		}
		back, err := Decode(Geo, AppendBinary(nil, v))
		if err != nil || !Equal(v, back) {
			t.Fatalf("%q: stored and read: %q, %v", text, back.Text(), err)
		}
		again, err := Parse(v.Text(), Geo)
		if err != nil || !Equal(v, again) || !json.Valid([]byte(v.Text())) {
			t.Fatalf("%q: text %q reads as %q, %v", text, v.Text(), again.Text(), err)
		}
		if shape, err := geo.New(v.Geom()); err == nil {
			shape.Cover(12)
		}
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	values := []Value{
		OfInt(42),
		OfFloat(1.5),
		OfString("The quick brown fox"),
		mustParse(b, DateTime, "2001-02-03T04:05:06Z"),
	}
	buf := make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		buf = buf[:0]
		for _, v := range values {
			buf, _ = AppendJSON(buf, v)
		}
	}
}

func BenchmarkAppendQuoted(b *testing.B) {
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendQuoted(buf[:0], "The quick brown fox")
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, v := range []Value{OfInt(42), OfString("The quick brown fox"), mustParse(b, DateTime, "2001-02-03")} {
		b.Run(v.Type().String(), func(b *testing.B) {
			stored := AppendBinary(nil, v)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(v.Type(), stored); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
