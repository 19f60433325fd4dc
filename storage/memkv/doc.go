// Package memkv is the in-memory twin of the storage engine: the same contract as badgerkv, for tests and
// simulations.
//
// It can be crashed: [Engine.Crash] returns the engine that a machine would find after losing power, without
// some of the writes that no Sync covered. It can be full, fail its writes, and forgets superseded versions
// as eagerly as the contract allows, so that a caller who relies on more than that is found out.
//
// It is not durable and not fast: one lock guards a B-tree that readers clone. All methods may be called
// concurrently.
package memkv
