package workload

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/dgraph-io/dgo/v250"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dragg/systest/history"
)

// surely marks the error of something that cannot have been committed: it was a read, or no commit was asked for.
func surely(err error) error {
	if err == nil {
		return nil
	}
	return sure{err}
}

type sure struct{ error }

// Unwrap returns what went wrong.
func (s sure) Unwrap() error { return s.error }

// errDeclined is the error of an operation that its client gave up: it saw no reason to go on.
var errDeclined = errors.New("declined")

// Errors counts what clients were told, by code, and keeps what no client should be told. It is safe for concurrent use.
type Errors struct {
	mu      sync.Mutex
	counts  map[codes.Code]int // guarded by mu
	strange map[string]int     // guarded by mu
}

// NewErrors returns counts of nothing.
func NewErrors() *Errors { return &Errors{counts: map[codes.Code]int{}, strange: map[string]int{}} }

// Counts returns how often each code was met.
func (e *Errors) Counts() map[codes.Code]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.counts)
}

// Strange returns what should not be there.
func (e *Errors) Strange() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for _, text := range slices.Sorted(maps.Keys(e.strange)) {
		out = append(out, fmt.Sprintf("%d times: %s", e.strange[text], text))
	}
	return out
}

// classify says how an operation ended.
func (e *Errors) classify(err error) history.Outcome {
	if err == nil {
		return history.OK
	}
	if errors.Is(err, errDeclined) {
		return history.Fail
	}
	code, known := codeOf(err)
	e.mu.Lock()
	e.counts[code]++
	if !known && len(e.strange) < 50 {
		e.strange[err.Error()]++
	}
	e.mu.Unlock()
	var s sure
	if errors.As(err, &s) || code == codes.Aborted || code == codes.FailedPrecondition || code == codes.ResourceExhausted {
		return history.Fail
	}
	return history.Unknown
}

// codeOf returns the code of an error, and whether a client of a disturbed cluster must expect it.
func codeOf(err error) (code codes.Code, known bool) {
	switch {
	case errors.Is(err, dgo.ErrAborted):
		return codes.Aborted, true
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded, true
	case errors.Is(err, context.Canceled):
		return codes.Canceled, true
	}
	var s interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &s) {
		return codes.Unknown, false
	}
	switch code = s.GRPCStatus().Code(); code {
	case codes.Aborted, codes.FailedPrecondition, codes.ResourceExhausted, codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return code, true
	}
	return code, false
}

// refused reports whether the database found fault with what it was asked, not with the cluster.
func refused(err error) bool { return err != nil && status.Code(err) == codes.InvalidArgument }
