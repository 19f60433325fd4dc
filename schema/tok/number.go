package tok

import (
	"encoding/binary"
	"math"
	"math/big"

	"dragg/graph/types"
)

func intTokens(dst []string, v types.Value, _ string) []string {
	return append(dst, orderedInt(v.Int()))
}

// orderedInt is the big-endian number with the sign bit flipped, so that bytes sort as the numbers do.
func orderedInt(i int64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(i)^(1<<63))
	return string(b[:])
}

// floatTokens makes one bucket per integer part (dql.md fact 87). What is beyond int64 shares the outermost
// buckets.
func floatTokens(dst []string, v types.Value, _ string) []string {
	f := v.Float()
	switch {
	case f >= math.MaxInt64:
		return append(dst, orderedInt(math.MaxInt64))
	case f <= math.MinInt64:
		return append(dst, orderedInt(math.MinInt64))
	case math.IsNaN(f):
		return append(dst, orderedInt(math.MinInt64))
	}
	return append(dst, orderedInt(int64(f)))
}

// bigFloatTokens makes one bucket per integer part up to 64 significant bits; larger numbers share a bucket
// with those that agree in the first 64 bits. The token is a sign byte, the bit length and the leading bits;
// all of them complemented for negative numbers.
func bigFloatTokens(dst []string, v types.Value, _ string) []string {
	var b [13]byte
	f := v.BigFloat()
	b[0] = 1
	if f != nil {
		whole, _ := f.Int(nil)
		bits := whole.BitLen()
		lead := new(big.Int).Abs(whole)
		if bits > 64 {
			lead.Rsh(lead, uint(bits-64))
		}
		binary.BigEndian.PutUint32(b[1:], uint32(bits))
		binary.BigEndian.PutUint64(b[5:], lead.Uint64())
		if whole.Sign() < 0 {
			for i := range b {
				b[i] = ^b[i]
			}
			b[0] = 0
		}
	}
	return append(dst, string(b[:]))
}

func boolTokens(dst []string, v types.Value, _ string) []string {
	if v.Bool() {
		return append(dst, "\x01")
	}
	return append(dst, "\x00")
}

// timeTokens makes tokens of the first n parts of the instant in UTC: year, month, day, hour (dql.md fact
// 87).
func timeTokens(n int) func([]string, types.Value, string) []string {
	return func(dst []string, v types.Value, _ string) []string {
		t := v.Time().UTC()
		var b [5]byte
		// Years run from -1 to 10000 once zone offsets are taken off; the sign bit is flipped as for ints.
		binary.BigEndian.PutUint16(b[:], uint16(int16(t.Year()))^(1<<15))
		b[2], b[3], b[4] = byte(t.Month()), byte(t.Day()), byte(t.Hour())
		return append(dst, string(b[:1+n]))
	}
}
