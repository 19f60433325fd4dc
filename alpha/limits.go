package alpha

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"dragg/dql"
	"dragg/query"
)

// QueryLimits bounds what one query may cost. A zero field is no bound where a request gives it, and the default in a Config.
type QueryLimits struct {
	// Timeout ends the query of a request. Default 1 min, which outlasts an election; negative for none but the client's own.
	Timeout time.Duration
	// Edges is how many edges the query may traverse. Default 10 million.
	Edges int
	// MemoryBytes is how much what it gathers may hold. Default a quarter of Config.MemoryBytes, which all queries share.
	MemoryBytes int
	// AnswerBytes is how long its answer may be. Default an eighth of Config.MemoryBytes, at most 256 MiB.
	AnswerBytes int
	// RecurseDepth is how many levels a @recurse may have. Default 10,000.
	RecurseDepth int
	// Depth is how deep blocks, filters, formulas and lists may nest in its text. Default 64.
	Depth int
}

// maxAnswerBytes bounds one answer where there is memory enough.
const maxAnswerBytes = 256 << 20

func (l *QueryLimits) setDefaults(memoryBytes int64) {
	orDefault(&l.Timeout, time.Minute)
	orDefault(&l.Edges, 10_000_000)
	orDefault(&l.MemoryBytes, int(memoryBytes/4))
	orDefault(&l.AnswerBytes, int(min(memoryBytes/8, maxAnswerBytes)))
	orDefault(&l.RecurseDepth, 10_000)
	orDefault(&l.Depth, 64)
}

// lowered returns the limits of a request: it may ask for less than the server allows, not for more.
func (l QueryLimits) lowered(to QueryLimits) QueryLimits {
	return QueryLimits{
		Timeout: lower(l.Timeout, to.Timeout), Edges: lower(l.Edges, to.Edges),
		MemoryBytes: lower(l.MemoryBytes, to.MemoryBytes), AnswerBytes: lower(l.AnswerBytes, to.AnswerBytes),
		RecurseDepth: lower(l.RecurseDepth, to.RecurseDepth), Depth: lower(l.Depth, to.Depth),
	}
}

// lower returns the lesser of two bounds; one that is not positive is none.
func lower[T int | time.Duration](server, request T) T {
	if request > 0 && (server <= 0 || request < server) {
		return request
	}
	return server
}

// readQueryLimits returns what a request says of its limits: by parameters of the URL or by metadata, under the same names.
func readQueryLimits(get func(name string) string) (l QueryLimits, err error) {
	if text := get("query-timeout"); text != "" {
		if l.Timeout, err = time.ParseDuration(text); err != nil || l.Timeout <= 0 {
			return l, fmt.Errorf("query-timeout=%q must be a duration above zero, as 500ms", text)
		}
	}
	for _, number := range [...]struct {
		name string
		of   *int
	}{
		{"query-edges", &l.Edges},
		{"query-memory", &l.MemoryBytes},
		{"query-answer", &l.AnswerBytes},
		{"query-recurse", &l.RecurseDepth},
		{"query-depth", &l.Depth},
	} {
		text := get(number.name)
		if text == "" {
			continue
		}
		if *number.of, err = strconv.Atoi(text); err != nil || *number.of <= 0 {
			return l, fmt.Errorf("%s=%q must be a number above zero", number.name, text)
		}
	}
	return l, nil
}

func (l QueryLimits) parsing() dql.Options { return dql.Options{Depth: l.Depth} }

func (l QueryLimits) running(b *query.Budget) query.Options {
	return query.Options{QueryEdges: l.Edges, MemoryBytes: l.MemoryBytes, RecurseDepth: l.RecurseDepth, Budget: b}
}

// timeoutError says that a query took longer than it may.
type timeoutError struct{ limit time.Duration }

// Error names the limit.
func (e *timeoutError) Error() string {
	return fmt.Sprintf("the query exceeds the limit of %v: %v", e.limit, context.DeadlineExceeded)
}

// Unwrap makes it a deadline that passed.
func (e *timeoutError) Unwrap() error { return context.DeadlineExceeded }
