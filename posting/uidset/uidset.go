// Package uidset holds sorted sets of uids.
package uidset

// Set is an immutable set of uids.
type Set struct{}
