// Package fault classifies errors that cross a process boundary. A class says what a caller may do about an error; the text
// says what was wrong. This package is the only place where a class meets a gRPC code.
//
// An error without a class is taken as Internal: a bug or a broken machine, never the client's doing.
package fault

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Class says what a caller may do about an error.
type Class uint8

// The classes.
const (
	Internal        Class = iota // a bug or a failing machine
	Invalid                      // the request is wrong; sending it again will not help
	Aborted                      // the transaction was aborted; a new one may succeed
	Conflict                     // the mutation cannot go on in this transaction; a new one may succeed
	Unavailable                  // not now; the same request may succeed later, and was surely not carried out
	Unknown                      // the outcome is unknown: it may or may not have been carried out; ask by transaction id
	Exhausted                    // a bound was reached: memory, disk, size, number of requests
	Unauthenticated              // no or bad credentials
	Denied                       // not permitted
	Disabled                     // the feature is not enabled on this server
	NotFound                     // what was named does not exist
)

// String returns the name of the class, in lower case: as it travels between nodes.
func (c Class) String() string {
	return names()[c]
}

type classified struct {
	class Class
	err   error
}

func (e *classified) Error() string { return e.err.Error() }
func (e *classified) Unwrap() error { return e.err }

// New returns an error of the class with a formatted text. %w wraps.
func New(c Class, format string, args ...any) error {
	return &classified{class: c, err: fmt.Errorf(format, args...)}
}

// As returns err with the class, unless it has one already; nil stays nil.
func As(c Class, err error) error {
	if err == nil {
		return nil
	}
	if e := (*classified)(nil); errors.As(err, &e) {
		return err
	}
	return &classified{class: c, err: err}
}

// ClassOf returns the outermost class of err, Internal if it has none.
func ClassOf(err error) Class {
	if e := (*classified)(nil); errors.As(err, &e) {
		return e.class
	}
	return Internal
}

// codeOf is the only mapping between classes and gRPC codes.
func codeOf(err error) codes.Code {
	if e := (*classified)(nil); errors.As(err, &e) {
		switch e.class {
		case Invalid:
			return codes.InvalidArgument
		case Aborted:
			return codes.Aborted
		case Conflict:
			return codes.FailedPrecondition
		case Unavailable:
			return codes.Unavailable
		case Unknown:
			return codes.DeadlineExceeded
		case Exhausted:
			return codes.ResourceExhausted
		case Unauthenticated:
			return codes.Unauthenticated
		case Denied:
			return codes.PermissionDenied
		case Disabled:
			return codes.Unimplemented
		case NotFound:
			return codes.NotFound
		case Internal:
		}
		return codes.Internal
	}
	switch {
	case errors.Is(err, context.Canceled):
		return codes.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	}
	return codes.Internal
}

// ToGRPC returns err as a gRPC status error; nil and status errors stay as they are.
func ToGRPC(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Error(codeOf(err), Bounded(err.Error()))
}

// maxTextBytes bounds the text of an error on its way to a client: it may quote the request, which may be huge, and gRPC
// carries it in a header.
const maxTextBytes = 8 << 10

// Bounded returns the text of an error as clients get it: whole, or its beginning where it is very long.
func Bounded(text string) string {
	if len(text) <= maxTextBytes {
		return text
	}
	cut := maxTextBytes
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… (and %d bytes more)", text[:cut], len(text)-cut)
}

// FromGRPC returns a status error that came over the wire as an error of our classes; nil stays nil.
func FromGRPC(err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	class := Internal
	switch s.Code() {
	case codes.InvalidArgument:
		class = Invalid
	case codes.Aborted:
		class = Aborted
	case codes.FailedPrecondition:
		class = Conflict
	case codes.Unavailable:
		class = Unavailable
	case codes.DeadlineExceeded:
		class = Unknown
	case codes.ResourceExhausted:
		class = Exhausted
	case codes.Unauthenticated:
		class = Unauthenticated
	case codes.PermissionDenied:
		class = Denied
	case codes.Unimplemented:
		class = Disabled
	case codes.NotFound:
		class = NotFound
	case codes.Canceled:
		return context.Canceled
	default:
	}
	return &classified{class: class, err: errors.New(s.Message())}
}
