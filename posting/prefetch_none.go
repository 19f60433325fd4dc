//go:build !amd64 && !arm64

package posting

import "unsafe"

// prefetch does nothing here: lists are read one after the other.
func prefetch(unsafe.Pointer) {}
