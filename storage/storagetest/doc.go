// Package storagetest is the conformance suite of storage.Engine. Every implementation runs it, so that what
// is tested over the in-memory twin holds over the disk.
package storagetest
