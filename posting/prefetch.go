//go:build amd64 || arm64

package posting

import "unsafe"

// prefetch has the processor fetch the line of memory at p, if it likes, and goes on: other than a read nothing waits for it, no
// lock either.
//
//go:noescape
func prefetch(p unsafe.Pointer)
