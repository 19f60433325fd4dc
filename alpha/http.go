package alpha

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"dragg/cluster/admin"
	"dragg/internal/fault"
)

// The codes of the HTTP error envelope (dql.md fact 134). What /query and /mutate cannot do is an invalid request to clients, whatever
// the reason: time that is up and trouble in the cluster too.
const (
	codeInvalidRequest = "ErrorInvalidRequest"
	codeError          = "Error"
	codeInvalidMethod  = "ErrorInvalidMethod"
)

// Handler returns the HTTP surface for clients: /query /mutate /commit /alter /health /ready /state /metrics, profiles, the probes, and
// what a console in the browser asks for.
func (n *Node) Handler() http.Handler {
	mux := http.NewServeMux()
	for path, h := range map[string]http.HandlerFunc{
		"/query": n.httpQuery, "/mutate": n.httpMutate, "/commit": n.httpCommit, "/alter": n.httpAlter,
	} {
		mux.Handle(path, writing(h))
		mux.Handle(path+"/", http.HandlerFunc(invalidMethod))
	}
	mux.HandleFunc("/health", n.httpHealth)
	mux.Handle("GET /ready", admin.ReadyHandler(n.Readiness))
	mux.HandleFunc("/state", n.httpState)
	mux.Handle("GET /metrics", n.cfg.Metrics.Handler())
	mux.Handle("GET /debug/prometheus_metrics", n.cfg.Metrics.Handler())
	admin.Profiles(mux)
	mux.HandleFunc("/admin/schema", invalidMethod)
	mux.HandleFunc("/probe/graphql", func(w http.ResponseWriter, _ *http.Request) {
		n.send(w, []byte(`{"status":"up","schemaUpdateCounter":0}`))
	})
	mux.HandleFunc("POST /graphql", n.httpGraphQL)
	mux.HandleFunc("GET /ui/keywords", n.httpKeywords)
	mux.Handle("/login", writing(http.HandlerFunc(httpLogin)))
	return cors(gzhttp.GzipHandler(http.MaxBytesHandler(mux, int64(n.cfg.Limits.RequestBytes))))
}

// writing lets POST and PUT through, answers OPTIONS, and refuses the rest.
func writing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost, http.MethodPut:
			next.ServeHTTP(w, r)
		case http.MethodOptions:
			return
		default:
			invalidMethod(w, r)
		}
	})
}

func invalidMethod(w http.ResponseWriter, _ *http.Request) {
	sendError(w, codeInvalidMethod, "Invalid method", false)
}

// cors lets pages of any origin use the API, as clients in browsers expect.
func cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Allow-Methods", "POST, PUT, GET, OPTIONS")
		h.Set("Access-Control-Allow-Headers",
			"Accept, Content-Type, Content-Length, Content-Encoding, Accept-Encoding, Cache-Control, Authorization, X-Requested-With, "+
				"X-CSRF-Token, X-Auth-Token, X-Dgraph-AccessToken, X-Dgraph-AuthToken")
		h.Set("Access-Control-Expose-Headers", "Dgraph-TouchedUids")
		next.ServeHTTP(w, r)
	})
}

// httpError is one entry of the error envelope.
type httpError struct {
	Message    string            `json:"message"`
	Extensions map[string]string `json:"extensions,omitempty"`
}

// sendError writes the error envelope. withData adds "data":null, as requests that reached the engine do.
func sendError(w http.ResponseWriter, code, message string, withData bool) {
	e := map[string]any{"errors": []httpError{{fault.Bounded(message), map[string]string{"code": code}}}}
	if withData {
		e["data"] = nil
	}
	b, err := json.Marshal(e)
	if err != nil {
		http.Error(w, message, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(b); err != nil {
		return // the client went away
	}
}

func (n *Node) send(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(body); err != nil {
		n.lg.Debug("the client went away before the answer", "err", err)
	}
}

// mediaType returns the content type without its parameters, "" for none.
func mediaType(r *http.Request) string {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

// params reads the parameters of a URL; the first one that is malformed fails all.
type params struct {
	r   *http.Request
	err error
}

func (p *params) text(name string) string { return p.r.URL.Query().Get(name) }

// options reads what a request says beside its body.
func (p *params) options() Options {
	limits, err := readQueryLimits(p.text)
	if err != nil && p.err == nil {
		p.err = err
	}
	return Options{Debug: p.flag("debug"), Explain: p.flag(explainWord), Profile: p.flag(profileWord), Limits: limits}
}

func (p *params) flag(name string) bool {
	v := p.text(name)
	if v == "" {
		return false
	}
	b, err := strconv.ParseBool(v)
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("parameter %s=%q must be true or false", name, v)
	}
	return b
}

func (p *params) number(name string) uint64 {
	v := p.text(name)
	if v == "" {
		return 0
	}
	i, err := strconv.ParseUint(v, 0, 64)
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("parameter %s=%q must be a number: %w", name, v, err)
	}
	return i
}

func (p *params) duration(name string) time.Duration {
	v := p.text(name)
	if v == "" {
		return 0
	}
	d, err := time.ParseDuration(v)
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("parameter %s: %w", name, err)
	}
	return d
}

// timed bounds a request by its timeout parameter.
func timed(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// carriedOut returns a context that does not end with the client: what changes something over HTTP is carried out although the client
// goes away meanwhile (dql.md fact 135). It ends with the node.
func (n *Node) carriedOut(r *http.Request) (context.Context, context.CancelFunc) {
	if !n.Ready() {
		return r.Context(), func() {} // it will be refused
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	release := context.AfterFunc(n.life, cancel)
	return ctx, func() { release(); cancel() }
}

func (n *Node) httpState(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		invalidMethod(w, r)
		return
	}
	st, err := n.zero.State(r.Context())
	if err != nil {
		sendError(w, codeError, err.Error(), false)
		return
	}
	b, err := admin.MembershipJSON(st)
	if err != nil {
		sendError(w, codeError, err.Error(), false)
		return
	}
	n.send(w, b)
}

// httpGraphQL says that there is no GraphQL schema, in the way that layer does.
func (n *Node) httpGraphQL(w http.ResponseWriter, r *http.Request) {
	field := "the request"
	b, done, err := n.body(r)
	defer done()
	if err == nil {
		var q struct{ Query string }
		if json.Unmarshal(b, &q) == nil {
			if f := strings.Fields(strings.Trim(q.Query, " \t\r\n{}")); len(f) > 0 {
				field = f[0]
			}
		}
	}
	b, err = json.Marshal(map[string]any{"errors": []httpError{{
		Message: "Not resolving " + field + ". There's no GraphQL schema in Dgraph. Use the /admin API to add a GraphQL schema",
	}}})
	if err != nil {
		sendError(w, codeError, err.Error(), false)
		return
	}
	n.send(w, b)
}
