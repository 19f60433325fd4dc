package types

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"strings"
)

// Comparable reports whether values of type id have an order: numbers, texts and datetimes do. Bools have
// only equality (dql.md fact 96); geo, password, vector, uid and binary have neither in the language.
func Comparable(id ID) bool {
	switch id {
	case Default, String, Int, Float, DateTime, BigFloat:
		return true
	default:
		return false
	}
}

// Compare orders two values of one type: negative, zero or positive as a is before, equal to or after b.
// Default and String count as one type and compare bytewise; datetimes compare as instants. A NaN is before
// every other float. Values of different types, or of a type without an order, are an error.
func Compare(a, b Value) (int, error) {
	if !sameOrder(a.typ, b.typ) {
		return 0, fmt.Errorf("cannot compare %s with %s", a.typ, b.typ)
	}
	switch a.typ {
	case Default, String:
		return strings.Compare(a.Str(), b.Str()), nil
	case Int:
		return cmp.Compare(a.Int(), b.Int()), nil
	case Float:
		return cmp.Compare(a.Float(), b.Float()), nil
	case DateTime:
		return a.Time().Compare(b.Time()), nil
	case BigFloat:
		return a.BigFloat().Cmp(b.BigFloat()), nil
	default:
		return 0, fmt.Errorf("values of type %s cannot be ordered", a.typ)
	}
}

// Less reports whether a is before b by Compare, and false for values that Compare refuses.
func Less(a, b Value) bool {
	c, err := Compare(a, b)
	return err == nil && c < 0
}

// Equal reports whether a and b are the same value of the same type, where Default and String count as one.
// Datetimes are equal as instants, whatever their offsets; passwords are equal as hashes, not as secrets.
// Equal values have equal Fingerprints.
func Equal(a, b Value) bool {
	if sameOrder(a.typ, b.typ) && Comparable(a.typ) {
		c, err := Compare(a, b)
		return err == nil && c == 0
	}
	if a.typ != b.typ {
		return false
	}
	switch a.typ {
	case Bool, UID:
		return a.num == b.num
	case Password, Binary:
		return a.Str() == b.Str()
	case Vector:
		return equalVectors(a.Vector(), b.Vector())
	case Geo:
		return bytes.Equal(AppendBinary(nil, a), AppendBinary(nil, b))
	default:
		return false
	}
}

func sameOrder(a, b ID) bool {
	return a == b || a == Default && b == String || a == String && b == Default
}

func equalVectors(a, b []float32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return true
}
