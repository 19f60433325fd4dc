package types

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

var (
	errNaN      = errors.New("got invalid value: NaN")
	errIntRange = errors.New("float out of int64 range")
)

// Parse reads client text as a value of type id, as an RDF literal or a function's argument has it (dql.md
// facts 94, 95). A password is encrypted; see Encrypt. Binary is base64.
func Parse(text string, id ID) (Value, error) {
	v, err := parse(text, id)
	if err != nil {
		return Value{}, err
	}
	return v, nil
}

func parse(text string, id ID) (Value, error) {
	switch id {
	case Default:
		return OfDefault(text), nil
	case String:
		return OfString(text), nil
	case Int:
		i, err := strconv.ParseInt(text, 10, 64)
		return OfInt(i), err
	case Float:
		f, err := strconv.ParseFloat(text, 64)
		if err == nil && math.IsNaN(f) {
			err = errNaN
		}
		return OfFloat(f), err
	case Bool:
		b, err := strconv.ParseBool(text)
		return OfBool(b), err
	case DateTime:
		t, err := parseTime(text)
		return OfTime(t), err
	case Geo:
		g, err := parseGeo(text)
		return OfGeo(g), err
	case Password:
		return Encrypt(text)
	case BigFloat:
		f, err := parseBigFloat(text)
		return OfBigFloat(f), err
	case Vector:
		v, ok := ParseVector(text)
		if !ok {
			return Value{}, fmt.Errorf("cannot convert %s to vfloat", clip(text))
		}
		return OfVector(v), nil
	case UID:
		u, err := parseUID(text)
		return OfUID(u), err
	case Binary:
		b, err := base64.StdEncoding.DecodeString(text)
		return OfBinary(string(b)), err
	default:
		return Value{}, fmt.Errorf("unknown type %d", id)
	}
}

func parseUID(text string) (uint64, error) {
	if digits, isHex := strings.CutPrefix(text, "0x"); isHex {
		return strconv.ParseUint(digits, 16, 64)
	}
	return strconv.ParseUint(text, 10, 64)
}

// Convert returns v as a value of type to. Text is parsed, everything but a password becomes text, numbers,
// bools and datetimes become one another where that makes sense (an int as a datetime is unix seconds); every
// other pair is an error. Converting to the type a value already has returns it unchanged, so a password is
// not encrypted again.
func Convert(v Value, to ID) (Value, error) {
	if v.typ == to {
		return v, nil
	}
	if v.typ == Default || v.typ == String {
		return Parse(v.Str(), to)
	}
	if to == Default || to == String {
		if v.typ == Password {
			return Value{}, noConversion(v.typ, to)
		}
		return ofText(to, v.Text()), nil
	}
	switch v.typ {
	case Int:
		return convertInt(v.Int(), to)
	case Float:
		return convertFloat(v.Float(), to)
	case Bool:
		return convertBool(v.Bool(), to)
	case DateTime:
		return convertTime(v, to)
	case BigFloat:
		return convertBigFloat(v.BigFloat(), to)
	default:
		return Value{}, noConversion(v.typ, to)
	}
}

func noConversion(from, to ID) error {
	return fmt.Errorf("cannot convert %s to type %s", from, to)
}

func convertInt(i int64, to ID) (Value, error) {
	switch to {
	case Float:
		return OfFloat(float64(i)), nil
	case Bool:
		return OfBool(i != 0), nil
	case DateTime:
		t, err := unixTime(i, 0)
		return OfTime(t), err
	case BigFloat:
		return OfBigFloat(new(big.Float).SetPrec(BigFloatBits).SetInt64(i)), nil
	default:
		return Value{}, noConversion(Int, to)
	}
}

func convertFloat(f float64, to ID) (Value, error) {
	if math.IsNaN(f) {
		return Value{}, errNaN
	}
	switch to {
	case Int:
		// 2^63 is the first float beyond int64; -2^63 still fits.
		if f >= 1<<63 || f < -(1<<63) {
			return Value{}, errIntRange
		}
		return OfInt(int64(f)), nil
	case Bool:
		return OfBool(f != 0), nil
	case DateTime:
		seconds := math.Floor(f)
		if seconds >= 1<<62 || seconds < -(1<<62) {
			return Value{}, errYear
		}
		t, err := unixTime(int64(seconds), int64((f-seconds)*1e9))
		return OfTime(t), err
	case BigFloat:
		return NewBigFloat(f)
	default:
		return Value{}, noConversion(Float, to)
	}
}

func convertBool(b bool, to ID) (Value, error) {
	i := int64(0)
	if b {
		i = 1
	}
	switch to {
	case Int:
		return OfInt(i), nil
	case Float, BigFloat:
		return convertInt(i, to)
	default:
		return Value{}, noConversion(Bool, to)
	}
}

func convertTime(v Value, to ID) (Value, error) {
	t := v.Time()
	switch to {
	case Int:
		return OfInt(t.Unix()), nil
	case Float:
		return OfFloat(float64(t.Unix()) + float64(t.Nanosecond())/1e9), nil
	default:
		return Value{}, noConversion(DateTime, to)
	}
}

func convertBigFloat(f *big.Float, to ID) (Value, error) {
	if f == nil {
		f = new(big.Float)
	}
	switch to {
	case Int:
		i, acc := f.Int64()
		if acc != big.Exact && (i == math.MaxInt64 || i == math.MinInt64) {
			return Value{}, errIntRange
		}
		return OfInt(i), nil
	case Float:
		g, _ := f.Float64()
		return OfFloat(g), nil
	case Bool:
		return OfBool(f.Sign() != 0), nil
	default:
		return Value{}, noConversion(BigFloat, to)
	}
}
