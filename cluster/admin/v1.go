package admin

import (
	"bytes"
	"context"
	_ "embed" // of the document
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"dragg/internal/fault"
	"dragg/protos/pb"
)

// Operator is what the REST surface asks of the Zeros. Any Zero can serve it: who implements it finds the one that leads.
type Operator interface {
	State(ctx context.Context) (*pb.ZeroState, error)
	Members
	Placement
}

// Members is who is in the cluster and who leads.
type Members interface {
	RemoveMember(ctx context.Context, r *pb.RemoveNode) (*pb.RemoveReply, error)
	Promote(ctx context.Context, r *pb.PromoteRequest) error
	SetDrain(ctx context.Context, d *pb.Drain) (*pb.RemoveReply, error)
}

// Placement is which group serves what.
type Placement interface {
	Move(ctx context.Context, m *pb.MoveStep) (*pb.MoveReply, error)
	SetPolicy(ctx context.Context, p *pb.RebalancePolicy) error
}

// openAPI describes the surface: a test compares it with the routes.
//
//go:embed openapi.json
var openAPI []byte

// maxBodyBytes bounds the body of a request.
const maxBodyBytes = 64 << 10

// V1 is the REST surface for operators, under /v1.
type V1 struct {
	zeros Operator
	lg    *slog.Logger
}

// NewV1 returns the surface. What changes the cluster is logged.
func NewV1(zeros Operator, lg *slog.Logger) *V1 { return &V1{zeros, lg} }

// route is one operation. A change is refused unless it comes from the machine itself, and is logged as what it does.
type route struct {
	pattern string // method and path
	change  string // what it does; "" for one that only looks
	handle  func(r *http.Request) (any, error)
}

func (v *V1) routes() []route {
	return []route{
		{"GET /v1/cluster", "", looking(v, clusterOf)},
		{"GET /v1/nodes", "", looking(v, nodesOf)},
		{"GET /v1/groups", "", looking(v, groupsOf)},
		{"GET /v1/tablets", "", looking(v, tabletsOf)},
		{"GET /v1/moves", "", looking(v, movesOf)},
		{"GET /v1/operations", "", looking(v, operationsOf)},
		{"GET /v1/operations/{id}", "", v.operation},
		{"GET /v1/rebalance/policy", "", looking(v, policyOf)},
		{"GET /v1/rebalance/plan", "", looking(v, planOf)},
		{"POST /v1/nodes", "", v.addNode},
		{"DELETE /v1/nodes/{id}", "remove node", v.removeNode},
		{"POST /v1/nodes/{id}/drain", "drain node", v.drain},
		{"POST /v1/nodes/{id}/undrain", "undrain node", v.undrain},
		{"POST /v1/groups/{id}/leader", "promote", v.promote},
		{"POST /v1/tablets/{name}/move", "move tablet", v.move},
		{"DELETE /v1/moves/{id}", "cancel move", v.cancel},
		{"PUT /v1/rebalance/policy", "set rebalancing policy", v.setPolicy},
		{"POST /v1/rebalance/run", "run rebalancing", v.runPlan},
	}
}

// Handler serves the surface, and the document that describes it.
func (v *V1) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, one := range v.routes() {
		mux.Handle(one.pattern, v.serve(one))
	}
	mux.HandleFunc("GET /v1/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if _, err := w.Write(openAPI); err != nil {
			return // the caller went away
		}
	})
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, fault.New(fault.NotFound, "there is no %s %s: /v1/openapi.json lists what there is", r.Method, r.URL.Path))
	})
	return mux
}

func (v *V1) serve(one route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if one.change == "" {
			reply(w, r, one.handle)
			return
		}
		reply(w, r, func(r *http.Request) (any, error) {
			done, body, err := v.carryOut(w, r, one)
			Audit(v.lg, r.RemoteAddr, one.change, err, "path", r.URL.Path, "body", fmt.Sprintf("%.200s", body))
			return done, err
		})
	})
}

// carryOut makes a change, unless it is not for the caller to make. It returns what was sent, for the log.
func (v *V1) carryOut(w http.ResponseWriter, r *http.Request, one route) (done any, body []byte, err error) {
	if err := Local(r.RemoteAddr); err != nil {
		return nil, nil, err
	}
	if r.Method != http.MethodDelete {
		if err := sentAsJSON(r); err != nil {
			return nil, nil, err
		}
	}
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil {
		return nil, nil, fault.New(fault.Invalid, "the body cannot be read: %w", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	done, err = one.handle(r)
	return done, body, err
}

func reply(w http.ResponseWriter, r *http.Request, handle func(*http.Request) (any, error)) {
	done, err := handle(r)
	if err != nil {
		fail(w, err)
		return
	}
	if job, ok := done.(begun); ok {
		answer(w, http.StatusAccepted, job.Operation)
		return
	}
	answer(w, http.StatusOK, done)
}

// begun is the answer to a request that began something that takes its time.
type begun struct{ Operation }

// looking shows a part of the state.
func looking[T any](v *V1, of func(*pb.ZeroState) T) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		st, err := v.zeros.State(r.Context())
		if err != nil {
			return nil, err
		}
		return of(st), nil
	}
}

// pathNumber reads a number from the path.
func pathNumber(r *http.Request, name string, bits int) (uint64, error) {
	n, err := strconv.ParseUint(r.PathValue(name), 10, bits)
	if err != nil {
		return 0, fault.New(fault.Invalid, "%s: %q is no number", name, r.PathValue(name))
	}
	return n, nil
}

// sentAsJSON returns nil if a request says that its body, also an empty one, is JSON: what a page in a browser may send elsewhere
// unasked does not.
func sentAsJSON(r *http.Request) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return fault.New(fault.Invalid, "Content-Type: send the body as application/json")
	}
	return nil
}

// readBody reads JSON.
func readBody(r *http.Request, into any) error {
	if err := sentAsJSON(r); err != nil {
		return err
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fault.New(fault.Invalid, "the body cannot be read: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "the body cannot be read: there is more than one value in it")
	}
	return nil
}

// Error is the answer to a request that was not carried out.
type Error struct {
	Code    string `json:"code"`    // for programs: the class of the error
	Message string `json:"message"` // for people: what was wrong, and what to do
}

func fail(w http.ResponseWriter, err error) {
	class := fault.ClassOf(err)
	answer(w, statusOf(class), Error{strings.ReplaceAll(class.String(), " ", "_"), fault.Bounded(err.Error())})
}

func statusOf(c fault.Class) int {
	switch c {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.Denied:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Aborted, fault.Conflict:
		return http.StatusConflict
	case fault.Exhausted:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.Unknown:
		return http.StatusGatewayTimeout
	case fault.Disabled:
		return http.StatusNotImplemented
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Internal:
	}
	return http.StatusInternalServerError
}
