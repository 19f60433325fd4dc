package types

import (
	"errors"
	"strings"
	"time"
)

// The years that RFC 3339 can spell. Instants outside cannot be shown, so they are not stored.
const (
	minYear = 0
	maxYear = 9999
)

var errYear = errors.New("year outside of range [0,9999]")

// parseTime reads the datetime forms of dql.md fact 94: a year, a year and month, a date, RFC 3339, a date
// and time without zone (taken as UTC), and a date and time with a numeric zone and a zone name.
func parseTime(text string) (time.Time, error) {
	layout := time.RFC3339
	switch {
	case len(text) == len("2006"):
		layout = "2006"
	case len(text) == len("2006-01"):
		layout = "2006-01"
	case len(text) == len("2006-01-02"):
		layout = time.DateOnly
	case strings.Count(text, " ") >= 2:
		layout = "2006-01-02 15:04:05 -0700 MST"
	case len(text) >= len("2006-01-02T15:04:05") && !strings.ContainsAny(text[len("2006-01-02T"):], "Z+-"):
		layout = "2006-01-02T15:04:05"
	}
	t, err := time.Parse(layout, text)
	if err != nil {
		return time.Time{}, err
	}
	return fixedOffset(t), nil
}

// fixedOffset drops the name of the zone and keeps its offset, so that a value does not depend on the
// machine's zone.
func fixedOffset(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.In(zoneOf(offset))
}

func zoneOf(offsetSeconds int) *time.Location {
	if offsetSeconds == 0 {
		return time.UTC
	}
	return time.FixedZone("", offsetSeconds)
}

// unixTime returns the instant in UTC, if RFC 3339 can spell it.
func unixTime(seconds, nanos int64) (time.Time, error) {
	t := time.Unix(seconds, nanos).UTC()
	// time.Unix wraps around far outside of the range, so the seconds are looked at as well.
	const limit = 1 << 40
	if seconds < -limit || seconds > limit || t.Year() < minYear || t.Year() > maxYear {
		return time.Time{}, errYear
	}
	return t, nil
}

// appendTime appends RFC 3339 with as many fractional digits as needed and the value's own offset (dql.md
// fact 13).
func appendTime(dst []byte, t time.Time) []byte { return t.AppendFormat(dst, time.RFC3339Nano) }
