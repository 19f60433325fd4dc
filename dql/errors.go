package dql

import (
	"errors"
	"fmt"
)

// ErrEmpty says that a text holds nothing but white space and comments.
var ErrEmpty = errors.New("empty request")

// SyntaxError says why a text is refused and where.
type SyntaxError struct {
	// Pos is where; the zero Pos for errors that concern the whole text or the variables given with it.
	Pos Pos
	// Input is the start of the text for errors of the lexer, else empty.
	Input string
	// Msg is what is wrong.
	Msg string
	// Err is the cause, where there is one: a number that does not parse.
	Err error
}

// Error returns the message with its place.
func (e *SyntaxError) Error() string {
	switch {
	case e.Input != "":
		return fmt.Sprintf("while lexing %s at line %d column %d: %s", e.Input, e.Pos.Line, e.Pos.Col, e.Msg)
	case e.Pos.Line > 0:
		return fmt.Sprintf("line %d column %d: %s", e.Pos.Line, e.Pos.Col, e.Msg)
	}
	return e.Msg
}

// Unwrap returns the cause.
func (e *SyntaxError) Unwrap() error { return e.Err }

// LimitError says that a text is larger than the Options allow.
type LimitError struct {
	// What is the thing that is too many, in the plural.
	What string
	// Limit is how many are allowed.
	Limit int
}

// Error names the limit.
func (e *LimitError) Error() string {
	return fmt.Sprintf("the query is too large: more than %d %s", e.Limit, e.What)
}
