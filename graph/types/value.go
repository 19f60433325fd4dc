package types

import (
	"math"
	"math/big"
	"time"

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
// be copied.
//
// Numbers live in num so that an int, a float and a bool cost no allocation; texts (default, string,
// password, binary) live in str; datetime, geo, bigfloat and vector live in obj.
type Value struct {
	obj any
	str string
	num uint64
	typ ID
}

// Of... constructors, one per type.

// OfString returns a value of type String.
func OfString(s string) Value { return Value{typ: String, str: s} }

// OfDefault returns an untyped value.
func OfDefault(s string) Value { return Value{typ: Default, str: s} }

// OfPassword returns a value of type Password. The text is either plain or a bcrypt hash; see Encrypt.
func OfPassword(s string) Value { return Value{typ: Password, str: s} }

// OfBinary returns a value of type Binary holding the raw bytes.
func OfBinary(s string) Value { return Value{typ: Binary, str: s} }

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

// OfTime returns a value of type DateTime. The zone offset of t is kept.
func OfTime(t time.Time) Value { return Value{typ: DateTime, obj: t} }

// OfGeo returns a value of type Geo. The caller must not change g afterwards.
func OfGeo(g geom.T) Value { return Value{typ: Geo, obj: g} }

// OfBigFloat returns a value of type BigFloat. The caller must not change f afterwards.
func OfBigFloat(f *big.Float) Value { return Value{typ: BigFloat, obj: f} }

// OfVector returns a value of type Vector. The caller must not change v afterwards.
func OfVector(v []float32) Value { return Value{typ: Vector, obj: v} }

// Type returns the type of v.
func (v Value) Type() ID { return v.typ }

// Int returns the number of an Int value.
func (v Value) Int() int64 { return int64(v.num) }

// UID returns the number of a UID value.
func (v Value) UID() uint64 { return v.num }

// Float returns the number of a Float value.
func (v Value) Float() float64 { return math.Float64frombits(v.num) }

// Bool returns the truth of a Bool value.
func (v Value) Bool() bool { return v.num != 0 }

// Str returns the text of a Default, String, Password or Binary value.
func (v Value) Str() string { return v.str }

// Time returns the instant of a DateTime value.
func (v Value) Time() time.Time { t, _ := v.obj.(time.Time); return t }

// Geom returns the shape of a Geo value. The caller must not change it.
func (v Value) Geom() geom.T { g, _ := v.obj.(geom.T); return g }

// BigFloat returns the number of a BigFloat value. The caller must not change it.
func (v Value) BigFloat() *big.Float { f, _ := v.obj.(*big.Float); return f }

// Vector returns the components of a Vector value. The caller must not change them.
func (v Value) Vector() []float32 { f, _ := v.obj.([]float32); return f }
