package arith

import (
	"errors"
	"math"
	"math/big"
	"time"

	"dragg/graph/types"
)

// Why an operation has no result.
var (
	ErrType     = errors.New("operands of these types cannot be combined")
	ErrOverflow = errors.New("integer overflow")
	ErrDivision = errors.New("division by zero")
	ErrDomain   = errors.New("argument outside of the function's domain")
)

// Binary applies + - * / % dot pow logbase min max < <= > >= == !=. An int with a float is computed as
// floats, anything with a bigfloat as bigfloats; ints stay ints where the result is whole.
func Binary(op string, a, b types.Value) (types.Value, error) {
	switch op {
	case "<", "<=", ">", ">=", "==", "!=":
		return compare(op, a, b)
	}
	ta, tb := a.Type(), b.Type()
	switch {
	case ta == types.Vector || tb == types.Vector:
		return vectors(op, a, b)
	case ta == types.Int && tb == types.Int:
		return ints(op, a.Int(), b.Int())
	case number(ta) && number(tb) && (ta == types.BigFloat || tb == types.BigFloat):
		return bigFloats(op, a, b)
	case number(ta) && number(tb):
		return floats(op, toFloat(a), toFloat(b))
	case (op == "min" || op == "max") && ta == tb:
		return extreme(op, a, b)
	}
	return types.Value{}, ErrType
}

func number(id types.ID) bool { return id == types.Int || id == types.Float || id == types.BigFloat }

// toFloat returns a number as a float; a bigfloat loses digits.
func toFloat(v types.Value) float64 {
	switch v.Type() {
	case types.Int:
		return float64(v.Int())
	case types.BigFloat:
		f, _ := v.BigFloat().Float64() // nearest
		return f
	}
	return v.Float()
}

func ints(op string, a, b int64) (types.Value, error) {
	var c int64
	switch op {
	case "+":
		c = a + b
		if (c > a) != (b > 0) {
			return types.Value{}, ErrOverflow
		}
	case "-":
		c = a - b
		if (c < a) != (b > 0) {
			return types.Value{}, ErrOverflow
		}
	case "*":
		if a == 0 || b == 0 {
			return types.OfInt(0), nil
		}
		c = a * b
		if c/b != a || a == -1 && b == math.MinInt64 || b == -1 && a == math.MinInt64 {
			return types.Value{}, ErrOverflow
		}
	case "/", "%":
		if b == 0 {
			return types.Value{}, ErrDivision
		}
		if a == math.MinInt64 && b == -1 {
			return types.Value{}, ErrOverflow
		}
		if op == "/" {
			return types.OfInt(a / b), nil
		}
		return types.OfInt(a % b), nil
	case "min":
		return types.OfInt(min(a, b)), nil
	case "max":
		return types.OfInt(max(a, b)), nil
	case "pow":
		return intPow(a, b)
	default:
		return floats(op, float64(a), float64(b))
	}
	return types.OfInt(c), nil
}

// intPow stays an int while the result is one.
func intPow(a, b int64) (types.Value, error) {
	if b < 0 {
		return floats("pow", float64(a), float64(b))
	}
	result := int64(1)
	for base := a; b > 0; b >>= 1 {
		if b&1 == 1 {
			v, err := ints("*", result, base)
			if err != nil {
				return v, err
			}
			result = v.Int()
		}
		if b == 1 {
			break
		}
		v, err := ints("*", base, base)
		if err != nil {
			return v, err
		}
		base = v.Int()
	}
	return types.OfInt(result), nil
}

func floats(op string, a, b float64) (types.Value, error) {
	var c float64
	switch op {
	case "+":
		c = a + b
	case "-":
		c = a - b
	case "*":
		c = a * b
	case "/":
		if b == 0 {
			return types.Value{}, ErrDivision
		}
		c = a / b
	case "%":
		if b == 0 {
			return types.Value{}, ErrDivision
		}
		c = math.Mod(a, b)
	case "pow":
		if a < 0 && b != math.Trunc(b) {
			return types.Value{}, ErrDomain
		}
		c = math.Pow(a, b)
	case "logbase":
		if a <= 0 || b <= 0 || b == 1 {
			return types.Value{}, ErrDomain
		}
		c = logBase(a, b)
	case "min":
		c = math.Min(a, b)
	case "max":
		c = math.Max(a, b)
	default:
		return types.Value{}, ErrType
	}
	return types.OfFloat(c), nil
}

// logBase is the logarithm of a to base b. Base 2 and 10 have functions that are exact at powers.
func logBase(a, b float64) float64 {
	switch b {
	case 2:
		return math.Log2(a)
	case 10:
		return math.Log10(a)
	}
	return math.Log(a) / math.Log(b)
}

func toBig(v types.Value) (*big.Float, error) {
	c, err := types.Convert(v, types.BigFloat)
	if err != nil {
		return nil, err
	}
	return c.BigFloat(), nil
}

func bigFloats(op string, av, bv types.Value) (types.Value, error) {
	a, err := toBig(av)
	if err != nil {
		return types.Value{}, err
	}
	b, err := toBig(bv)
	if err != nil {
		return types.Value{}, err
	}
	if a.IsInf() || b.IsInf() {
		return types.Value{}, ErrDomain
	}
	c := new(big.Float).SetPrec(types.BigFloatBits)
	switch op {
	case "+":
		c.Add(a, b)
	case "-":
		c.Sub(a, b)
	case "*":
		c.Mul(a, b)
	case "/":
		if b.Sign() == 0 {
			return types.Value{}, ErrDivision
		}
		c.Quo(a, b)
	case "min", "max":
		if (a.Cmp(b) < 0) == (op == "min") {
			return types.OfBigFloat(a), nil
		}
		return types.OfBigFloat(b), nil
	case "%", "pow", "logbase":
		return floats(op, toFloat(av), toFloat(bv))
	default:
		return types.Value{}, ErrType
	}
	if c.IsInf() {
		return types.Value{}, ErrOverflow
	}
	return types.OfBigFloat(c), nil
}

// vectors combines two vectors, or a vector and a number.
func vectors(op string, a, b types.Value) (types.Value, error) {
	if a.Type() == types.Vector && b.Type() == types.Vector {
		x, y := a.Vector(), b.Vector()
		if len(x) != len(y) {
			return types.Value{}, ErrType
		}
		switch op {
		case "dot":
			sum := 0.0
			for i := range x {
				sum += float64(x[i]) * float64(y[i])
			}
			return types.OfFloat(sum), nil
		case "+", "-":
			sign := float32(1)
			if op == "-" {
				sign = -1
			}
			out := make([]float32, len(x))
			for i := range x {
				out[i] = x[i] + sign*y[i]
			}
			return types.OfVector(out), nil
		}
		return types.Value{}, ErrType
	}
	if b.Type() == types.Vector {
		if op != "*" {
			return types.Value{}, ErrType
		}
		a, b = b, a
	}
	if !number(b.Type()) {
		return types.Value{}, ErrType
	}
	k := toFloat(b)
	switch {
	case op == "/" && k == 0:
		return types.Value{}, ErrDivision
	case op == "/":
		k = 1 / k
	case op != "*":
		return types.Value{}, ErrType
	}
	out := make([]float32, len(a.Vector()))
	for i, x := range a.Vector() {
		out[i] = float32(float64(x) * k)
	}
	return types.OfVector(out), nil
}

// Order compares two values as the language does: numbers of any type with one another, everything else
// only with its own kind.
func Order(a, b types.Value) (int, error) {
	ta, tb := a.Type(), b.Type()
	if ta == tb || !number(ta) || !number(tb) {
		return types.Compare(a, b)
	}
	if ta == types.BigFloat || tb == types.BigFloat {
		x, err := toBig(a)
		if err != nil {
			return 0, err
		}
		y, err := toBig(b)
		if err != nil {
			return 0, err
		}
		return x.Cmp(y), nil
	}
	return types.Compare(types.OfFloat(toFloat(a)), types.OfFloat(toFloat(b)))
}

func compare(op string, a, b types.Value) (types.Value, error) {
	if a.Type() == types.Bool && b.Type() == types.Bool && (op == "==" || op == "!=") {
		return types.OfBool((a.Bool() == b.Bool()) == (op == "==")), nil
	}
	c, err := Order(a, b)
	if err != nil {
		return types.Value{}, ErrType
	}
	return types.OfBool(Holds(op, c)), nil
}

// Holds says whether the comparison op is true of values that Order has put into the order c.
func Holds(op string, c int) bool {
	switch op {
	case "<", "lt":
		return c < 0
	case "<=", "le":
		return c <= 0
	case ">", "gt":
		return c > 0
	case ">=", "ge":
		return c >= 0
	case "==", "eq":
		return c == 0
	}
	return c != 0
}

func extreme(op string, a, b types.Value) (types.Value, error) {
	c, err := Order(a, b)
	if err != nil {
		return types.Value{}, ErrType
	}
	if (c < 0) == (op == "min") {
		return a, nil
	}
	return b, nil
}

// Unary applies neg exp ln sqrt floor ceil.
func Unary(op string, v types.Value) (types.Value, error) {
	switch {
	case op == "neg" && v.Type() == types.Int:
		return ints("-", 0, v.Int())
	case op == "neg" && v.Type() == types.Float:
		return types.OfFloat(-v.Float()), nil
	case op == "neg" && v.Type() == types.BigFloat:
		return types.OfBigFloat(new(big.Float).Neg(v.BigFloat())), nil
	case op == "neg" && v.Type() == types.Vector:
		return vectors("*", v, types.OfInt(-1))
	case (op == "floor" || op == "ceil") && v.Type() == types.Int:
		return v, nil
	case !number(v.Type()):
		return types.Value{}, ErrType
	}
	x := toFloat(v)
	switch op {
	case "exp":
		x = math.Exp(x)
	case "ln":
		if x <= 0 {
			return types.Value{}, ErrDomain
		}
		x = math.Log(x)
	case "sqrt":
		if x < 0 {
			return types.Value{}, ErrDomain
		}
		x = math.Sqrt(x)
	case "floor":
		x = math.Floor(x)
	case "ceil":
		x = math.Ceil(x)
	default:
		return types.Value{}, ErrType
	}
	return types.OfFloat(x), nil
}

// Since returns the seconds from v to now as a float.
func Since(v types.Value, now time.Time) (types.Value, error) {
	if v.Type() != types.DateTime {
		return types.Value{}, ErrType
	}
	return types.OfFloat(now.Sub(v.Time()).Seconds()), nil
}

// Shown returns v as it may appear in an answer: an infinite float becomes the largest one, NaN becomes 0
// (dql.md fact 12).
func Shown(v types.Value) types.Value {
	if v.Type() != types.Float {
		return v
	}
	f := v.Float()
	switch {
	case math.IsNaN(f):
		return types.OfFloat(0)
	case math.IsInf(f, 0):
		return types.OfFloat(math.Copysign(math.MaxFloat64, f))
	}
	return v
}
