package oracle

import (
	"math"
	"math/big"
)

// result is what a formula gives at a node. A constant is there at every node but makes no other operand be there.
type result struct {
	v      value
	ok     bool
	fixed  bool
	failed bool // an operation without a result: the whole field disappears (fact 61)
}

// formula evaluates an expression at a node of a level.
func (e *evaluator) formula(x *expr, at *node, u uid) result {
	switch {
	case x.v != "":
		m := e.seen(x.v, at)
		if v, ok := m[constant]; ok {
			return result{v: v, ok: true, fixed: true}
		}
		v, ok := m[u]
		return result{v: v, ok: ok}
	case x.op == "":
		return result{v: x.fixed, ok: true, fixed: true}
	}
	var kids []result
	for _, k := range x.kids {
		kids = append(kids, e.formula(k, at, u))
	}
	switch x.op {
	case "neg", "floor", "ceil", "sqrt", "exp", "ln":
		return unary(x.op, kids[0])
	case "cond":
		return chosen(kids)
	}
	a, b := kids[0], kids[1]
	if a.failed || b.failed {
		return result{failed: true}
	}
	if (!a.ok || a.fixed) && (!b.ok || b.fixed) && !(a.fixed && b.fixed) {
		return result{} // no operand is there
	}
	// A missing operand is the integer 0 (fact 61).
	if !a.ok {
		a.v = int64(0)
	}
	if !b.ok {
		b.v = int64(0)
	}
	v, ok := apply(x.op, a.v, b.v)
	return result{v: v, ok: ok, fixed: a.fixed && b.fixed, failed: !ok}
}

// unary is an operator of one operand; without a number the field disappears.
func unary(op string, a result) result {
	i, whole := a.v.(int64)
	f, _ := a.v.(float64)
	switch {
	case !a.ok:
		return a
	case !numeric(a.v):
		return result{failed: true}
	case whole && op == "neg":
		a.v = -i
	case whole && (op == "floor" || op == "ceil"):
	case op == "neg":
		a.v = -f
	case op == "floor":
		a.v = math.Floor(f)
	case op == "ceil":
		a.v = math.Ceil(f)
	case op == "exp":
		a.v = math.Exp(number(a.v))
	case op == "sqrt" && number(a.v) >= 0:
		a.v = math.Sqrt(number(a.v))
	case op == "ln" && number(a.v) > 0:
		a.v = math.Log(number(a.v))
	default:
		return result{failed: true}
	}
	return a
}

// chosen is cond(test, yes, no).
func chosen(kids []result) result {
	if !kids[0].ok {
		return kids[0]
	}
	pick := kids[2]
	if kids[0].v.(bool) {
		pick = kids[1]
	}
	pick.fixed = pick.fixed && kids[0].fixed
	return pick
}

// apply is a binary operator; ok is false where it fails.
func apply(op string, a, b value) (value, bool) {
	if !numeric(a) || !numeric(b) {
		return nil, false
	}
	switch op {
	case "<", "<=", ">", ">=", "==", "!=":
		return relation(op, compare(a, b)), true
	}
	x, xi := a.(int64)
	y, yi := b.(int64)
	if xi && yi {
		return ofInts(op, x, y)
	}
	return ofFloats(op, number(a), number(b))
}

// ofInts stays with integers: division truncates (fact 36).
func ofInts(op string, x, y int64) (value, bool) {
	switch {
	case op == "pow" && y < 0:
		return ofFloats(op, float64(x), float64(y))
	case op == "+" || op == "-" || op == "*" || op == "pow":
		return exactly(op, big.NewInt(x), big.NewInt(y))
	case op != "/" && op != "%":
		return ofNumbers(op, x, y), true
	case y == 0:
		return nil, false
	case op == "/":
		return x / y, true
	}
	return x % y, true
}

// exactly is an operator on integers that fails where the result is too large for one.
func exactly(op string, x, y *big.Int) (value, bool) {
	z := new(big.Int)
	switch op {
	case "+":
		z.Add(x, y)
	case "-":
		z.Sub(x, y)
	case "*":
		z.Mul(x, y)
	case "pow":
		if x.BitLen() > 1 && y.BitLen() > 6 {
			return nil, false // far too large, and slow
		}
		z.Exp(x, y, nil)
	}
	return z.Int64(), z.IsInt64()
}

func ofFloats(op string, x, y float64) (value, bool) {
	switch {
	case op == "pow" && x < 0 && y != math.Trunc(y):
		return nil, false
	case op == "pow":
		return math.Pow(x, y), true
	case op != "/" && op != "%":
		return ofNumbers(op, x, y), true
	case y == 0:
		return nil, false
	case op == "/":
		return x / y, true
	}
	return math.Mod(x, y), true
}

// ofNumbers are the operators that mean the same for both kinds and never fail.
func ofNumbers[T int64 | float64](op string, x, y T) T {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "min":
		return min(x, y)
	}
	return max(x, y)
}
