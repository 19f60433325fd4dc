package cycle

import (
	"fmt"
	"time"

	"dragg/systest/history"
)

// Txn is one transaction as its client saw it.
type Txn struct {
	// Process is the client; it has one transaction at a time.
	Process int `json:"process"`
	// Invoke and Return are real time since the history began: before the first request and after the last answer.
	Invoke time.Duration `json:"invoke"`
	Return time.Duration `json:"return"`
	// Outcome is how it ended, as its client learned.
	Outcome history.Outcome `json:"outcome"`
	// Ops are what it did, in order.
	Ops []Op `json:"ops,omitempty"`
}

// Op is one step of a transaction.
type Op struct {
	Does Act    `json:"f"`
	Key  string `json:"k"`
	// Value is what was appended or written, or read from a register, where 0 is nothing. Written values are not 0.
	Value int64 `json:"v,omitempty"`
	// List is what was read from a list.
	List []int64 `json:"l,omitempty"`
}

// Act is what a step does.
type Act string

// The acts.
const (
	// Read reads a list or a register.
	Read Act = "r"
	// Append puts a value at the end of a list.
	Append Act = "a"
	// Write replaces the value of a register.
	Write Act = "w"
)

// String renders the step.
func (o Op) String() string {
	switch {
	case o.Does != Read:
		return fmt.Sprintf("%s %s %d", o.Does, o.Key, o.Value)
	case o.Value == 0: // a list, or nothing
		return fmt.Sprintf("r %s %v", o.Key, o.List)
	}
	return fmt.Sprintf("r %s %d", o.Key, o.Value)
}
