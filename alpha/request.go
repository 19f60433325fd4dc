package alpha

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/alpha/lookup"
	"dragg/cluster"
	"dragg/dql"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/internal/sleep"
	"dragg/query"
	"dragg/query/answer"
)

// Options are what a transport adds to a request.
type Options struct {
	// Debug adds the uid to every object.
	Debug bool
	// Explain answers a query with its plan, without running it; Profile runs it and adds what the steps cost. The plan is in
	// Response.Hdrs under the same word, and over HTTP in the extensions.
	Explain, Profile bool
	// Limits lower those of the server.
	Limits QueryLimits
	// document is what the mutations and their query were read from, so that errors name places in it; nil if they came alone.
	document document
}

// Do carries out one request of the client API: a query, mutations, or an upsert (both).
func (n *Node) Do(ctx context.Context, req *api.Request, opts Options) (*api.Response, error) {
	began := time.Now()
	resp, err := n.do(ctx, req, opts, began)
	n.meters.note(kindOf(req), began, err)
	return resp, err
}

func (n *Node) do(ctx context.Context, req *api.Request, opts Options, began time.Time) (*api.Response, error) {
	if err := n.admit(); err != nil {
		return nil, err
	}
	defer n.leave()
	r, err := n.once(ctx, req, opts, began)
	for err != nil && r.again && time.Since(began) < againPatience && sleep.For(ctx, againPause) == nil {
		r, err = n.once(ctx, req, opts, began)
	}
	if err != nil {
		if late, ok := errors.AsType[*timeoutError](err); ok {
			return nil, late
		}
		if ctx.Err() != nil && fault.ClassOf(err) == fault.Internal {
			if errors.Is(err, ctx.Err()) {
				return nil, err
			}
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return nil, classify(err)
	}
	resp := r.resp
	resp.Latency.TotalNs = uint64(time.Since(r.began))
	r.free()
	return resp, nil
}

// How long a request is carried out anew because of predicates that moved or changed meanwhile, and the pause before.
const (
	againPatience = 5 * time.Second
	againPause    = 5 * time.Millisecond
)

// once tries to carry out a request.
func (n *Node) once(ctx context.Context, req *api.Request, opts Options, began time.Time) (*request, error) {
	r := newRequest()
	r.n, r.req, r.opts, r.limits, r.began = n, req, opts, n.cfg.Limits.Query.lowered(opts.Limits), began
	r.reply = new(reply)
	r.resp, r.reply.Latency = &r.reply.Response, &r.reply.latency
	err := r.run(ctx)
	if r.found != nil {
		r.found.Release()
	}
	return r, err
}

// classify gives an error without a class one: what a request got wrong is the client's to mend.
func classify(err error) error {
	if isLimit(err) {
		return fault.As(fault.Exhausted, err)
	}
	return fault.As(fault.Invalid, err)
}

// isLimit says that a query was refused for what it needs, not for what it says.
func isLimit(err error) bool {
	tooMuch, tooLarge := (*query.LimitError)(nil), (*answer.TooLargeError)(nil)
	return errors.As(err, &tooMuch) || errors.As(err, &tooLarge)
}

// request is one request on its way.
type request struct {
	n      *Node
	req    *api.Request
	opts   Options
	limits QueryLimits
	began  time.Time
	resp   *api.Response // of reply
	reply  *reply

	doc    *dql.Document // nil without a query
	conds  []*dql.Cond   // of the mutations
	quads  []quads       // of the mutations
	start  cluster.Start
	reader router
	found  *query.Result // nil without a query
	memory lookup.Memory // of the answers of this group
	// again says that the request was refused because of what it could not know of, and that all of it may be carried out anew:
	// its transaction began with it, and nobody has heard of that.
	again bool
}

// requests wait for somebody to ask.
var requests = sync.Pool{New: func() any { return new(request) }}

func newRequest() *request { return requests.Get().(*request) }

// free gives a request back that has come to its end: whoever still answers one that failed would read what it asks.
func (r *request) free() {
	r.memory.Reset()
	*r = request{memory: r.memory}
	requests.Put(r)
}

// reply is a response and its parts, which are made together. It outlives the request.
type reply struct {
	api.Response
	latency api.Latency
	txn     api.TxnContext
	metrics api.Metrics
}

func (r *request) run(ctx context.Context) error {
	if err := r.parse(); err != nil {
		return err
	}
	r.resp.Latency.ParsingNs = uint64(time.Since(r.began))
	if err := r.begin(ctx); err != nil {
		return err
	}
	if r.doc != nil {
		if err := r.query(ctx); err != nil {
			return err
		}
	}
	if len(r.req.Mutations) == 0 {
		return nil
	}
	return r.mutate(ctx)
}

var errEmpty = errors.New("empty request")

// parse reads everything that can be wrong without looking at data.
func (r *request) parse() error {
	if strings.TrimSpace(r.req.Query) == "" && len(r.req.Mutations) == 0 {
		return errEmpty
	}
	if r.opts.Explain && len(r.req.Mutations) > 0 {
		return errors.New("explain is for queries: nothing runs, and a mutation would have to")
	}
	if r.req.BestEffort && !r.req.ReadOnly {
		return errors.New("a best effort query must be read-only")
	}
	if r.req.ReadOnly && len(r.req.Mutations) > 0 {
		return errors.New("a read-only request cannot hold mutations")
	}
	var uses []string
	for i, m := range r.req.Mutations {
		cond, err := dql.ParseCond(m.Cond)
		if err != nil {
			return r.origins(i).cond.Error(err)
		}
		q, err := r.readMutation(i)
		if err != nil {
			return err
		}
		r.conds, r.quads = append(r.conds, cond), append(r.quads, q)
		uses = append(append(uses, cond.Uses...), q.variables()...)
	}
	if strings.TrimSpace(r.req.Query) == "" {
		if len(uses) > 0 {
			return fmt.Errorf("variables %v not defined", uniqueSorted(uses))
		}
		return nil
	}
	doc, err := dql.ParseWith(r.req.Query, r.req.Vars, uniqueSorted(uses), r.limits.parsing())
	if err != nil && r.opts.document != nil {
		err = r.opts.document.queryOrigin().Error(err)
	}
	r.doc = doc
	return err
}

// origins returns where the parts of a mutation stand in the document.
func (r *request) origins(mutation int) (o origins) {
	if r.opts.document != nil {
		o = r.opts.document.mutationOrigins(mutation)
	}
	return o
}

// begin takes the transaction's timestamp, or draws one.
func (r *request) begin(ctx context.Context) error {
	began := time.Now()
	defer func() { r.resp.Latency.AssignTimestampNs = uint64(time.Since(began)) }()
	switch ts := graph.Timestamp(r.req.StartTs); {
	case r.req.BestEffort:
		if err := r.n.fresh.check(); err != nil {
			return err
		}
		// Other groups may be behind this one: what is read of them waits until they have the same commits.
		ts := r.n.shard.Watermark()
		r.start = cluster.Start{Ts: ts, After: ts}
	case ts == 0:
		start, err := r.n.starter.Start(ctx)
		if err != nil {
			return fmt.Errorf("drawing a timestamp: %w", err)
		}
		r.start = start
	default:
		// Whoever drew it knew which commits it needs; now it is enough to wait for everything drawn up to now.
		start, err := r.n.starter.Start(ctx)
		if err != nil {
			return fmt.Errorf("drawing a timestamp: %w", err)
		}
		if ts > start.Ts {
			return fmt.Errorf("start timestamp %d was never drawn: the newest is %d", ts, start.Ts)
		}
		r.start = cluster.Start{Ts: ts, After: min(start.After, ts)}
		if !r.req.ReadOnly {
			if err := r.n.caughtUp(ctx); err != nil {
				return err
			}
		}
	}
	r.reader = router{n: r.n, after: r.start.After, own: r.req.StartTs != 0 && !r.req.ReadOnly, memory: &r.memory}
	r.resp.Txn = &r.reply.txn
	r.resp.Txn.StartTs = uint64(r.start.Ts)
	return nil
}

func (r *request) query(ctx context.Context) error {
	timed := newDeadline(ctx, r.limits.Timeout)
	defer timed.cancel()
	err := r.find(timed, timed.began)
	if err == nil && r.found != nil {
		err = r.encode(timed)
	}
	if err == nil {
		return nil
	}
	if late, ok := errors.AsType[*timeoutError](context.Cause(timed)); ok {
		return late // whatever the end of the time made of what was going on
	}
	return err
}

// find runs the query, which began at the time given.
func (r *request) find(ctx context.Context, began time.Time) error {
	if err := r.n.shard.WaitTimestamp(ctx, r.start.After); err != nil {
		return err
	}
	plan, err := query.Build(r.doc, r.n.shard.Schema())
	if err != nil {
		return err
	}
	if r.opts.Explain {
		return r.show(explainWord, plan.Explain())
	}
	opts := r.limits.running(r.n.queries)
	opts.Profile = r.opts.Profile
	r.found, err = query.Execute(ctx, plan, &r.reader, r.start.Ts, opts)
	if err != nil {
		return err
	}
	plan.Release()
	r.doc.Release()
	if r.opts.Profile {
		if err := r.show(profileWord, r.found.Profile); err != nil {
			return err
		}
	}
	r.resp.Latency.ProcessingNs = uint64(time.Since(began))
	r.resp.Metrics = &r.reply.metrics
	r.resp.Metrics.NumUids = r.found.NumUIDs
	r.n.meters.edges.Add(int64(r.found.NumUIDs["_total"]))
	return nil
}

// encode writes what was found.
func (r *request) encode(ctx context.Context) (err error) {
	began := time.Now()
	opts := answer.Options{Debug: r.opts.Debug, MaxBytes: r.limits.AnswerBytes, Room: func(bytes int) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return r.found.HoldText(bytes)
	}}
	if r.req.RespFormat == api.Request_RDF {
		r.resp.Rdf, err = r.found.Answer.AppendRDF(nil, opts)
	} else {
		r.resp.Json, err = r.found.Answer.AppendJSON(nil, opts)
	}
	r.resp.Latency.EncodingNs = uint64(time.Since(began))
	return err
}
