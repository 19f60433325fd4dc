package types

import (
	"encoding/binary"
	"math"

	"github.com/dgryski/go-farm"
)

// Fingerprint returns the 64-bit number under which a value list keeps v: the lists of one node are in this
// order (dql.md fact 23). It is FarmHash over the text of textual values and over a normal form of the
// others, so that equal values have equal fingerprints: -0 counts as 0, and a datetime counts as its instant.
// It is on disk and never changes.
func Fingerprint(v Value) uint64 {
	var buf [64]byte
	switch v.typ {
	case Default, String, Password, Binary:
		return farm.Fingerprint64([]byte(v.Str()))
	case Float:
		if v.Float() == 0 {
			v.num = math.Float64bits(0)
		}
		return farm.Fingerprint64(binary.LittleEndian.AppendUint64(buf[:0], v.num))
	case Int, UID, Bool:
		return farm.Fingerprint64(binary.LittleEndian.AppendUint64(buf[:0], v.num))
	case DateTime:
		t := v.Time()
		b := binary.LittleEndian.AppendUint64(buf[:0], uint64(t.Unix()))
		return farm.Fingerprint64(binary.LittleEndian.AppendUint32(b, uint32(t.Nanosecond())))
	default:
		return farm.Fingerprint64(AppendBinary(buf[:0], v))
	}
}
