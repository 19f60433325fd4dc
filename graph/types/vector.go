package types

import (
	"math"
	"strconv"
	"strings"
)

// MaxVector is the largest number of components of a vector.
const MaxVector = 1 << 16

// ParseVector reads "[1, 2.5, -3]"; commas may be left out. It reports false for anything else: no brackets,
// no components or too many, a component that is no finite number.
func ParseVector(text string) ([]float32, bool) {
	text = strings.TrimSpace(text)
	if len(text) < 2 || text[0] != '[' || text[len(text)-1] != ']' {
		return nil, false
	}
	body := strings.TrimSpace(text[1 : len(text)-1])
	var v []float32
	for body != "" {
		end := strings.IndexAny(body, ", \t\r\n")
		if end < 0 {
			end = len(body)
		}
		f, err := strconv.ParseFloat(body[:end], 32)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || len(v) == MaxVector {
			return nil, false
		}
		v = append(v, float32(f))
		rest := strings.TrimLeft(body[end:], " \t\r\n")
		if strings.HasPrefix(rest, ",") {
			rest = strings.TrimLeft(rest[1:], " \t\r\n")
			if rest == "" {
				return nil, false
			}
		}
		body = rest
	}
	return v, len(v) > 0
}

// appendVector appends the components in brackets. The format is 'E' in JSON, [1E+00,2.5E+00] (dql.md fact 14), and
// 'g' in text, [1,2.5].
func appendVector(dst []byte, v []float32, format byte) []byte {
	dst = append(dst, '[')
	for i, f := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendFloat(dst, float64(f), format, -1, 32)
	}
	return append(dst, ']')
}

// finite reports whether every component is a finite number. Arithmetic may make others; they are neither
// stored nor shown.
func finite(v []float32) bool {
	for _, f := range v {
		if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
			return false
		}
	}
	return true
}
