package types

import (
	"math"
	"math/big"
	"time"
	"unsafe"

	"github.com/twpayne/go-geom"
)

// ID is a scalar type of the schema language. The numbers are on disk: never renumber, only append.
type ID uint8

// The scalar types. Default is an untyped value kept as the bytes the client sent and shown as text.
const (
	Default ID = iota
	String
	Int
	Float
	Bool
	DateTime
	Geo
	Password
	BigFloat
	Vector
	UID
	Binary
)

// Value is one scalar with its type. The zero Value is the empty Default value. Values are immutable and may
// be copied; Equal compares them.
//
// It is three words, since a query holds many: numbers live in num; of a text (default, string, password, binary)
// and of a vector num is the length and at the bytes or components; a datetime in UTC that is near enough is its
// nanoseconds since the epoch in num; what at points to else, only the type says: a time.Time, a geom.T, a
// big.Float.
type Value struct {
	at  unsafe.Pointer
	num uint64
	typ ID
}

// Of... constructors, one per type.

func ofText(typ ID, s string) Value {
	return Value{typ: typ, at: unsafe.Pointer(unsafe.StringData(s)), num: uint64(len(s))}
}

// OfString returns a value of type String.
func OfString(s string) Value { return ofText(String, s) }

// OfDefault returns an untyped value.
func OfDefault(s string) Value { return ofText(Default, s) }

// OfPassword returns a value of type Password. The text is either plain or a bcrypt hash; see Encrypt.
func OfPassword(s string) Value { return ofText(Password, s) }

// OfBinary returns a value of type Binary holding the raw bytes.
func OfBinary(s string) Value { return ofText(Binary, s) }

// OfInt returns a value of type Int.
func OfInt(i int64) Value { return Value{typ: Int, num: uint64(i)} }

// OfUID returns a value of type UID.
func OfUID(u uint64) Value { return Value{typ: UID, num: u} }

// OfFloat returns a value of type Float.
func OfFloat(f float64) Value { return Value{typ: Float, num: math.Float64bits(f)} }

// OfBool returns a value of type Bool.
func OfBool(b bool) Value {
	if b {
		return Value{typ: Bool, num: 1}
	}
	return Value{typ: Bool}
}

// The instants, in seconds since the epoch, whose nanoseconds fit a number: the years 1678 to 2261.
const (
	firstNear = -9_214_560_000
	lastNear  = 9_214_560_000
)

// OfTime returns a value of type DateTime. The zone offset of t is kept.
func OfTime(t time.Time) Value {
	if s := t.Unix(); t.Location() == time.UTC && s >= firstNear && s <= lastNear {
		return Value{typ: DateTime, num: uint64(t.UnixNano())}
	}
	far := t // which takes memory of its own
	return Value{typ: DateTime, at: unsafe.Pointer(&far)}
}

// OfGeo returns a value of type Geo. The caller must not change g afterwards.
func OfGeo(g geom.T) Value { return Value{typ: Geo, at: unsafe.Pointer(&g)} }

// OfBigFloat returns a value of type BigFloat. The caller must not change f afterwards.
func OfBigFloat(f *big.Float) Value { return Value{typ: BigFloat, at: unsafe.Pointer(f)} }

// OfVector returns a value of type Vector. The caller must not change v afterwards.
func OfVector(v []float32) Value {
	return Value{typ: Vector, at: unsafe.Pointer(unsafe.SliceData(v)), num: uint64(len(v))}
}

// Type returns the type of v.
func (v Value) Type() ID { return v.typ }

// The accessors below give the value of their type; of a value of another type they give the zero of theirs, but
// for those of numbers, which do not look.

// Int returns the number of an Int value.
func (v Value) Int() int64 { return int64(v.num) }

// UID returns the number of a UID value.
func (v Value) UID() uint64 { return v.num }

// Float returns the number of a Float value.
func (v Value) Float() float64 { return math.Float64frombits(v.num) }

// Bool returns the truth of a Bool value.
func (v Value) Bool() bool { return v.typ == Bool && v.num != 0 }

// Str returns the text of a Default, String, Password or Binary value.
func (v Value) Str() string {
	if !v.typ.Textual() {
		return ""
	}
	return unsafe.String((*byte)(v.at), int(v.num))
}

// Time returns the instant of a DateTime value.
func (v Value) Time() time.Time {
	switch {
	case v.typ != DateTime:
		return time.Time{}
	case v.at != nil:
		return *(*time.Time)(v.at)
	}
	return time.Unix(0, int64(v.num)).UTC()
}

// Geom returns the shape of a Geo value. The caller must not change it.
func (v Value) Geom() geom.T {
	if v.typ != Geo || v.at == nil {
		return nil
	}
	return *(*geom.T)(v.at)
}

// BigFloat returns the number of a BigFloat value. The caller must not change it.
func (v Value) BigFloat() *big.Float {
	if v.typ != BigFloat {
		return nil
	}
	return (*big.Float)(v.at)
}

// Vector returns the components of a Vector value. The caller must not change them.
func (v Value) Vector() []float32 {
	if v.typ != Vector {
		return nil
	}
	return unsafe.Slice((*float32)(v.at), int(v.num))
}
