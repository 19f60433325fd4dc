package types

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"
	"unsafe"
)

// ErrCorrupt says that stored bytes are not a value of the type they were decoded as.
var ErrCorrupt = errors.New("corrupt stored value")

// AppendBinary appends the stored form of v to dst. The type is not part of it: it is kept beside the bytes
// and given to Decode. The form has no order. See docs/format/value.md for the layout.
func AppendBinary(dst []byte, v Value) []byte {
	switch v.typ {
	case Int:
		return binary.AppendVarint(dst, v.Int())
	case Float:
		return binary.LittleEndian.AppendUint64(dst, v.num)
	case Bool:
		return append(dst, byte(v.num))
	case UID:
		return binary.AppendUvarint(dst, v.num)
	case DateTime:
		return appendStoredTime(dst, v.Time())
	case Geo:
		return appendWKB(dst, v.Geom())
	case BigFloat:
		return appendStoredBigFloat(dst, v.BigFloat())
	case Vector:
		for _, f := range v.Vector() {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(f))
		}
		return dst
	default:
		return append(dst, v.Str()...)
	}
}

// Decode reads the stored form of a value of type id; all of b belongs to it. The value does not refer to b.
// It returns ErrCorrupt for bytes that AppendBinary does not produce.
func Decode(id ID, b []byte) (Value, error) {
	if id.Textual() {
		return ofText(id, string(b)), nil
	}
	return View(id, b)
}

// View is Decode without copying: a text refers to b, which must never change, and keeps its memory.
func View(id ID, b []byte) (Value, error) {
	v, err := decode(id, b)
	if err != nil {
		return Value{}, fmt.Errorf("%w of type %s: %w", ErrCorrupt, id, err)
	}
	return v, nil
}

var errLength = errors.New("wrong length")

func decode(id ID, b []byte) (Value, error) {
	switch id {
	case Default, String, Password, Binary:
		return ofText(id, unsafe.String(unsafe.SliceData(b), len(b))), nil
	case Int:
		i, n := binary.Varint(b)
		if n <= 0 || n != len(b) {
			return Value{}, errLength
		}
		return OfInt(i), nil
	case Float:
		if len(b) != 8 {
			return Value{}, errLength
		}
		return Value{typ: Float, num: binary.LittleEndian.Uint64(b)}, nil
	case Bool:
		if len(b) != 1 || b[0] > 1 {
			return Value{}, errLength
		}
		return OfBool(b[0] == 1), nil
	case UID:
		u, n := binary.Uvarint(b)
		if n <= 0 || n != len(b) {
			return Value{}, errLength
		}
		return OfUID(u), nil
	case DateTime:
		return decodeTime(b)
	case Geo:
		g, err := decodeWKB(b)
		return OfGeo(g), err
	case BigFloat:
		return decodeBigFloat(b)
	case Vector:
		return decodeVector(b)
	default:
		return Value{}, errors.New("unknown type")
	}
}

// A stored datetime is zig-zag seconds since the epoch, nanoseconds, and the zone's offset in zig-zag
// seconds. Trailing zero fields are left out, so that a date costs five bytes.
func appendStoredTime(dst []byte, t time.Time) []byte {
	_, offset := t.Zone()
	dst = binary.AppendVarint(dst, t.Unix())
	if t.Nanosecond() == 0 && offset == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(t.Nanosecond()))
	if offset == 0 {
		return dst
	}
	return binary.AppendVarint(dst, int64(offset))
}

func decodeTime(b []byte) (Value, error) {
	const maxOffset = 25 * 60 * 60
	seconds, n := binary.Varint(b)
	if n <= 0 {
		return Value{}, errLength
	}
	var nanos uint64
	var offset int64
	if b = b[n:]; len(b) > 0 {
		if nanos, n = binary.Uvarint(b); n <= 0 || nanos >= uint64(time.Second) {
			return Value{}, errors.New("bad nanoseconds")
		}
		if b = b[n:]; len(b) > 0 {
			offset, n = binary.Varint(b)
			if n != len(b) || offset == 0 || offset > maxOffset || offset < -maxOffset {
				return Value{}, errors.New("bad zone offset")
			}
		} else if nanos == 0 {
			return Value{}, errLength
		}
	}
	return OfTime(time.Unix(seconds, int64(nanos)).In(zoneOf(int(offset)))), nil
}

// A stored bigfloat is empty for zero, else a sign byte (0 or 1), the zig-zag binary exponent and the
// mantissa as a big-endian integer without trailing zero bits, read as 0.mantissa × 2^exponent.
func appendStoredBigFloat(dst []byte, f *big.Float) []byte {
	if f == nil || f.Sign() == 0 || f.IsInf() {
		return dst
	}
	sign := byte(0)
	if f.Sign() < 0 {
		sign = 1
	}
	var mant big.Float
	exp := f.MantExp(&mant)
	bits := int(f.MinPrec())
	mant.SetMantExp(&mant, bits)
	m, _ := mant.Abs(&mant).Int(nil)
	dst = append(dst, sign)
	dst = binary.AppendVarint(dst, int64(exp))
	return append(dst, m.Bytes()...)
}

func decodeBigFloat(b []byte) (Value, error) {
	f := new(big.Float).SetPrec(BigFloatBits)
	if len(b) == 0 {
		return OfBigFloat(f), nil
	}
	if b[0] > 1 {
		return Value{}, errors.New("bad sign")
	}
	exp, n := binary.Varint(b[1:])
	if n <= 0 || exp > maxBigFloatExp || exp < -maxBigFloatExp {
		return Value{}, errors.New("bad exponent")
	}
	mant := b[1+n:]
	if len(mant) == 0 || len(mant) > BigFloatBits/8 || mant[0] == 0 || mant[len(mant)-1]&1 == 0 {
		return Value{}, errors.New("bad mantissa")
	}
	m := new(big.Int).SetBytes(mant)
	f.SetInt(m)
	f.SetMantExp(f, int(exp)-m.BitLen())
	if b[0] == 1 {
		f.Neg(f)
	}
	return OfBigFloat(f), nil
}

func decodeVector(b []byte) (Value, error) {
	if len(b)%4 != 0 || len(b) > 4*MaxVector {
		return Value{}, errLength
	}
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	if !finite(v) {
		return Value{}, errors.New("component is no finite number")
	}
	return OfVector(v), nil
}
