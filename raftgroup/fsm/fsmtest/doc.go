// Package fsmtest is the conformance suite of fsm.Machine: what Raft relies on in whatever it replicates.
package fsmtest
