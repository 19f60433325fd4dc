package types

import (
	"errors"
	"fmt"
	"math"
	"math/big"
)

// BigFloatBits is the size of a bigfloat's mantissa.
const BigFloatBits = 200

// A bigfloat's text may have maxBigFloatText bytes, and its binary exponent at most maxBigFloatExp bits
// either way: the decimal text of a number costs time in proportion to its exponent, and a few bytes may
// spell an exponent of 2^31.
const (
	maxBigFloatText = 4096
	maxBigFloatExp  = 1 << 16
)

var errBigFloatRange = errors.New("bigfloat out of range")

func parseBigFloat(text string) (*big.Float, error) {
	if len(text) > maxBigFloatText {
		return nil, errBigFloatRange
	}
	f := new(big.Float).SetPrec(BigFloatBits)
	if err := f.UnmarshalText([]byte(text)); err != nil {
		return nil, err
	}
	if err := checkBigFloat(f); err != nil {
		return nil, fmt.Errorf("%w: %s", err, clip(text))
	}
	if f.Sign() == 0 {
		return new(big.Float).SetPrec(BigFloatBits), nil // there is one zero
	}
	return f, nil
}

func checkBigFloat(f *big.Float) error {
	if f.IsInf() {
		return errBigFloatRange
	}
	if e := f.MantExp(nil); f.Sign() != 0 && (e > maxBigFloatExp || e < -maxBigFloatExp) {
		return errBigFloatRange
	}
	return nil
}

// NewBigFloat returns f as a bigfloat with the mantissa of the type. NaN and infinities are an error.
func NewBigFloat(f float64) (Value, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}, errBigFloatRange
	}
	return OfBigFloat(new(big.Float).SetPrec(BigFloatBits).SetFloat64(f)), nil
}

func appendBigFloat(dst []byte, f *big.Float) []byte {
	if f == nil {
		return append(dst, '0')
	}
	if checkBigFloat(f) != nil {
		// Not reachable for stored values; results of arithmetic may be larger and are shown as hexadecimal
		// mantissa.
		return f.Append(dst, 'p', 0)
	}
	return f.Append(dst, 'g', -1)
}
