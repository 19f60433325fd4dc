// Package dragg is the root of the module; it holds no code. Start at ARCHITECTURE.md.
package dragg
