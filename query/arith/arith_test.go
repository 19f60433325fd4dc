package arith

import (
	"errors"
	"math"
	"testing"
	"time"

	"dragg/graph/types"
)

func parse(t *testing.T, text string, id types.ID) types.Value {
	t.Helper()
	v, err := types.Parse(text, id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestBinary(t *testing.T) {
	i, f := types.OfInt, types.OfFloat
	big := func(s string) types.Value { return parse(t, s, types.BigFloat) }
	vec := func(x ...float32) types.Value { return types.OfVector(x) }
	text, date := types.OfString("b"), types.OfTime(time.Unix(5, 0))
	for _, c := range []struct {
		op   string
		a, b types.Value
		want types.Value
		err  error
	}{
		{"+", i(1), i(2), i(3), nil},
		{"+", i(0), i(math.MinInt64), i(math.MinInt64), nil},
		{"+", i(math.MaxInt64), i(1), i(0), ErrOverflow},
		{"+", i(math.MinInt64), i(-1), i(0), ErrOverflow},
		{"-", i(0), i(math.MinInt64), i(0), ErrOverflow},
		{"-", i(-1), i(math.MinInt64), i(math.MaxInt64), nil},
		{"*", i(math.MinInt64), i(-1), i(0), ErrOverflow},
		{"*", i(-1), i(math.MinInt64), i(0), ErrOverflow},
		{"*", i(1 << 40), i(1 << 40), i(0), ErrOverflow},
		{"*", i(-3), i(7), i(-21), nil},
		{"/", i(7), i(2), i(3), nil},
		{"/", i(7), i(0), i(0), ErrDivision},
		{"/", i(math.MinInt64), i(-1), i(0), ErrOverflow},
		{"%", i(-7), i(3), i(-1), nil},
		{"%", f(2.5), f(0), i(0), ErrDivision},
		{"%", f(2.5), i(2), f(0.5), nil},
		{"pow", i(7), i(2), i(49), nil},
		{"pow", i(2), i(-1), f(0.5), nil},
		{"pow", i(10), i(30), i(0), ErrOverflow},
		{"pow", i(-1), i(math.MaxInt64), i(-1), nil},
		{"pow", f(-8), f(0.5), i(0), ErrDomain},
		{"logbase", i(8), i(2), f(3), nil},
		{"logbase", i(8), i(1), i(0), ErrDomain},
		{"min", i(7), f(2.5), f(2.5), nil},
		{"max", text, types.OfString("a"), text, nil},
		{"<", i(2), f(2.5), types.OfBool(true), nil},
		{"!=", i(2), big("2"), types.OfBool(false), nil},
		{"==", types.OfBool(true), types.OfBool(true), types.OfBool(true), nil},
		{"<", types.OfBool(true), types.OfBool(true), i(0), ErrType},
		{">=", date, date, types.OfBool(true), nil},
		{"<", text, i(1), i(0), ErrType},
		{"+", text, i(1), i(0), ErrType},
		{"+", i(1), date, i(0), ErrType},
		{"+", big("1.5"), i(1), big("2.5"), nil},
		{"/", big("1"), big("0"), i(0), ErrDivision},
		{"dot", vec(1, 2), vec(3, 4), f(11), nil},
		{"dot", vec(1, 2), vec(3), i(0), ErrType},
		{"-", vec(1, 2), vec(3, 4), vec(-2, -2), nil},
		{"*", i(2), vec(1, 2), vec(2, 4), nil},
		{"/", vec(1, 2), i(0), i(0), ErrDivision},
		{"/", i(2), vec(1, 2), i(0), ErrType},
		{"+", vec(1), i(1), i(0), ErrType},
	} {
		got, err := Binary(c.op, c.a, c.b)
		if !errors.Is(err, c.err) || c.err == nil && !types.Equal(got, c.want) {
			t.Errorf("%s %s %s: got %s %v, want %s %v", c.a.Text(), c.op, c.b.Text(), got.Text(), err, c.want.Text(), c.err)
		}
	}
}

func TestUnary(t *testing.T) {
	for _, c := range []struct {
		op   string
		in   types.Value
		want types.Value
		err  error
	}{
		{"neg", types.OfInt(3), types.OfInt(-3), nil},
		{"neg", types.OfInt(math.MinInt64), types.Value{}, ErrOverflow},
		{"neg", types.OfFloat(3), types.OfFloat(-3), nil},
		{"neg", types.OfString("x"), types.Value{}, ErrType},
		{"exp", types.OfInt(0), types.OfFloat(1), nil},
		{"ln", types.OfInt(0), types.Value{}, ErrDomain},
		{"sqrt", types.OfInt(-1), types.Value{}, ErrDomain},
		{"sqrt", types.OfInt(16), types.OfFloat(4), nil},
		{"floor", types.OfInt(7), types.OfInt(7), nil},
		{"floor", types.OfFloat(-2.5), types.OfFloat(-3), nil},
		{"ceil", types.OfFloat(-2.5), types.OfFloat(-2), nil},
	} {
		got, err := Unary(c.op, c.in)
		if !errors.Is(err, c.err) || c.err == nil && !types.Equal(got, c.want) {
			t.Errorf("%s %s: got %s %v", c.op, c.in.Text(), got.Text(), err)
		}
	}
	at := time.Unix(100, 0)
	if v, err := Since(types.OfTime(at), at.Add(1500*time.Millisecond)); err != nil || v.Float() != 1.5 {
		t.Errorf("since: %v %v", v, err)
	}
	if _, err := Since(types.OfInt(1), at); !errors.Is(err, ErrType) {
		t.Errorf("since of an int: %v", err)
	}
}

func TestShown(t *testing.T) { // fact012
	for in, want := range map[float64]float64{
		math.Inf(1): math.MaxFloat64, math.Inf(-1): -math.MaxFloat64, 2: 2,
	} {
		if got := Shown(types.OfFloat(in)).Float(); got != want {
			t.Errorf("%g: %g", in, got)
		}
	}
	if got := Shown(types.OfFloat(math.NaN())).Float(); got != 0 {
		t.Errorf("NaN: %g", got)
	}
}

func TestAggregate(t *testing.T) { // fact062
	i, f, s := types.OfInt, types.OfFloat, types.OfString
	for _, c := range []struct {
		op   string
		in   []types.Value
		want string
	}{
		{"sum", []types.Value{i(1), i(2)}, "3"},
		{"sum", []types.Value{i(1), s("x"), f(2.5)}, "3.5"},
		{"sum", []types.Value{i(math.MaxInt64), i(math.MaxInt64)}, "1.8446744073709552E+19"},
		{"avg", []types.Value{i(1), i(2), s("x")}, "1.5"},
		{"avg", nil, ""},
		{"sum", []types.Value{s("x")}, ""},
		{"min", []types.Value{s("b"), s("a"), i(1)}, "a"},
		{"max", []types.Value{i(1), f(2.5), i(2)}, "2.5"},
		{"max", []types.Value{types.OfBool(true)}, ""},
		{"avg", []types.Value{types.OfVector([]float32{1, 2}), types.OfVector([]float32{3, 4})}, "[2,3]"},
	} {
		a := Aggregate{Op: c.op}
		for _, v := range c.in {
			a.Add(v)
		}
		got := ""
		if v, ok := a.Value(); ok {
			got = v.Text()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.op, got, c.want)
		}
	}
}

func BenchmarkSum(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		a := Aggregate{Op: "sum"}
		for i := range int64(1000) {
			a.Add(types.OfInt(i))
		}
	}
}
