package arith

import (
	"errors"

	"dragg/graph/types"
)

// Aggregate folds values into min, max, sum or avg. The zero Aggregate is not ready: set Op.
type Aggregate struct {
	// Op is min, max, sum or avg.
	Op    string
	value types.Value
	n     int64
}

// Reset forgets the values.
func (a *Aggregate) Reset() { a.value, a.n = types.Value{}, 0 }

// Add takes one more value. A value that does not fit the others, or is no number in a sum or avg, is
// passed over.
func (a *Aggregate) Add(v types.Value) {
	switch a.Op {
	case "min", "max":
		a.addExtreme(v)
	default:
		a.addSum(v)
	}
}

func (a *Aggregate) addExtreme(v types.Value) {
	if !types.Comparable(v.Type()) {
		return
	}
	if a.n == 0 {
		a.value, a.n = v, 1
		return
	}
	c, err := Order(v, a.value)
	if err != nil {
		return
	}
	a.n++
	if c < 0 && a.Op == "min" || c > 0 && a.Op == "max" {
		a.value = v
	}
}

// addSum adds up ints as ints while they fit and as floats from then on (dql.md fact 62, corrected).
func (a *Aggregate) addSum(v types.Value) {
	if !number(v.Type()) && v.Type() != types.Vector {
		return
	}
	if a.n == 0 {
		a.value, a.n = v, 1
		return
	}
	if a.value.Type() == types.Int && v.Type() == types.Int {
		// Spares the switches of Binary, as most sums are of ints.
		if x, y := a.value.Int(), v.Int(); (x+y > x) == (y > 0) {
			a.value = types.OfInt(x + y)
			a.n++
			return
		}
	}
	sum, err := Binary("+", a.value, v)
	if errors.Is(err, ErrOverflow) {
		sum, err = floats("+", toFloat(a.value), toFloat(v))
	}
	if err != nil {
		return
	}
	a.value = sum
	a.n++
}

// Value returns the result; ok is false where no value was taken.
func (a *Aggregate) Value() (v types.Value, ok bool) {
	if a.n == 0 {
		return types.Value{}, false
	}
	if a.Op != "avg" {
		return Shown(a.value), true
	}
	switch a.value.Type() {
	case types.BigFloat, types.Vector:
		avg, err := Binary("/", a.value, types.OfInt(a.n))
		return avg, err == nil
	}
	return Shown(types.OfFloat(toFloat(a.value) / float64(a.n))), true
}
