package fault

import (
	"context"
	"errors"
	"slices"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// domain marks the details of errors that our nodes send to one another.
const domain = "dragg"

// names are the classes as they travel between nodes, in the order of the constants.
func names() []string {
	return []string{
		"internal", "invalid", "aborted", "conflict", "unavailable", "unknown", "exhausted", "unauthenticated", "denied", "disabled",
		"not found",
	}
}

// ToPeer returns err as a gRPC status error for another node, which learns its class exactly: a code alone does not tell an
// answer of the node from one that its connection made up.
func ToPeer(err error) error {
	if err == nil {
		return nil
	}
	if s, ok := status.FromError(err); ok && len(s.Details()) > 0 {
		return err
	}
	s := status.New(codeOf(err), Bounded(err.Error()))
	class := Internal
	if e := (*classified)(nil); errors.As(err, &e) {
		class = e.class
	} else if c := s.Code(); c == codes.Canceled || c == codes.DeadlineExceeded {
		class = Unknown
	}
	with, detailErr := s.WithDetails(&errdetails.ErrorInfo{Domain: domain, Reason: names()[class]})
	if detailErr != nil {
		return s.Err()
	}
	return with.Err()
}

// FromPeer returns the error of a call to another node. One that the node itself sent keeps its class; after any other, a
// broken connection say, it is unknown whether the call was carried out.
func FromPeer(err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	for _, d := range s.Details() {
		info, ok := d.(*errdetails.ErrorInfo)
		if !ok || info.Domain != domain {
			continue
		}
		if class := slices.Index(names(), info.Reason); class >= 0 {
			return &classified{class: Class(class), err: errors.New(s.Message())}
		}
	}
	switch s.Code() {
	case codes.Canceled:
		return context.Canceled
	case codes.Unimplemented, codes.ResourceExhausted: // the message was refused before it was looked at
		return FromGRPC(err)
	default:
		return &classified{class: Unknown, err: errors.New(s.Message())}
	}
}
