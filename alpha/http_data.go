package alpha

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/dgraph-io/dgo/v250/protos/api"
)

// httpLatency is the server_latency of the extensions (dql.md fact 29).
type httpLatency struct {
	Parsing    uint64 `json:"parsing_ns,omitempty"`
	Processing uint64 `json:"processing_ns,omitempty"`
	Encoding   uint64 `json:"encoding_ns,omitempty"`
	Timestamp  uint64 `json:"assign_timestamp_ns,omitempty"`
	Total      uint64 `json:"total_ns,omitempty"`
}

type httpTxn struct {
	StartTs  uint64   `json:"start_ts,omitempty"`
	CommitTs uint64   `json:"commit_ts,omitempty"`
	Aborted  bool     `json:"aborted,omitempty"`
	Keys     []string `json:"keys,omitempty"`
	Preds    []string `json:"preds,omitempty"`
	Hash     string   `json:"hash,omitempty"`
}

type httpMetrics struct {
	NumUids map[string]uint64 `json:"num_uids,omitempty"`
}

type httpExtensions struct {
	Latency *httpLatency `json:"server_latency,omitempty"`
	Txn     *httpTxn     `json:"txn,omitempty"`
	Metrics *httpMetrics `json:"metrics,omitempty"`
	// Explain and Profile are there only where they were asked for.
	Explain json.RawMessage `json:"explain,omitempty"`
	Profile json.RawMessage `json:"profile,omitempty"`
}

func extensionsOf(r *api.Response) httpExtensions {
	e := httpExtensions{Explain: shown(r, explainWord), Profile: shown(r, profileWord)}
	if l := r.Latency; l != nil {
		e.Latency = &httpLatency{l.ParsingNs, l.ProcessingNs, l.EncodingNs, l.AssignTimestampNs, l.TotalNs}
	}
	if t := r.Txn; t != nil {
		e.Txn = txnToHTTP(t)
	}
	if m := r.Metrics; m != nil {
		e.Metrics = &httpMetrics{m.NumUids}
	}
	return e
}

func txnToHTTP(t *api.TxnContext) *httpTxn {
	return &httpTxn{StartTs: t.StartTs, CommitTs: t.CommitTs, Aborted: t.Aborted, Keys: t.Keys, Preds: t.Preds, Hash: t.Hash}
}

// envelope wraps data, which is JSON already, into the success envelope.
func (n *Node) envelope(w http.ResponseWriter, data []byte, r *api.Response) {
	ext, err := json.Marshal(extensionsOf(r))
	if err != nil {
		sendError(w, codeError, err.Error(), false)
		return
	}
	body := make([]byte, 0, len(data)+len(ext)+32)
	body = append(append(body, `{"data":`...), data...)
	body = append(append(body, `,"extensions":`...), ext...)
	n.send(w, append(body, '}'))
}

const unsupportedQueryType = "Unsupported Content-Type. Supported content types are " +
	"application/json, application/graphql+-,application/dql"

// httpQuery serves /query.
func (n *Node) httpQuery(w http.ResponseWriter, r *http.Request) {
	p := &params{r: r}
	req := &api.Request{StartTs: p.number("startTs"), Hash: p.text("hash"), ReadOnly: p.flag("ro"), BestEffort: p.flag("be")}
	req.ReadOnly = req.ReadOnly || req.BestEffort
	opts, timeout := p.options(), p.duration("timeout")
	switch f := p.text("respFormat"); f {
	case "", "json":
	case "rdf":
		req.RespFormat = api.Request_RDF
	default:
		p.err = errors.Join(p.err, fmt.Errorf("respFormat=%q must be json or rdf", f))
	}
	body, done, err := n.body(r)
	defer done()
	if err := errors.Join(p.err, err); err != nil {
		sendError(w, codeInvalidRequest, err.Error(), false)
		return
	}
	switch mediaType(r) {
	case "application/dql", "application/graphql+-":
		req.Query = string(body)
	case "application/json":
		var in struct {
			Query     string            `json:"query"`
			Variables map[string]string `json:"variables"`
		}
		if err := json.Unmarshal(body, &in); err != nil {
			sendError(w, codeInvalidRequest, jsonError(body, err).Error(), false)
			return
		}
		req.Query, req.Vars = in.Query, in.Variables
	default:
		sendError(w, codeInvalidRequest, unsupportedQueryType, false)
		return
	}
	ctx, cancel := timed(r.Context(), timeout)
	defer cancel()
	resp, err := n.Do(ctx, req, opts)
	if err != nil {
		sendError(w, codeInvalidRequest, err.Error(), true)
		return
	}
	w.Header().Set("Dgraph-TouchedUids", strconv.FormatUint(resp.Metrics.GetNumUids()["_total"], 10))
	if req.RespFormat != api.Request_RDF {
		n.envelope(w, resp.Json, resp)
		return
	}
	text, err := json.Marshal(string(resp.Rdf))
	if err != nil {
		sendError(w, codeError, err.Error(), true)
		return
	}
	n.envelope(w, text, resp)
}

// jsonError adds line and column of the last byte that was read to an error of the JSON decoder.
func jsonError(body []byte, err error) error {
	offset := int64(-1)
	if e := (*json.SyntaxError)(nil); errors.As(err, &e) {
		offset = e.Offset
	} else if e := (*json.UnmarshalTypeError)(nil); errors.As(err, &e) {
		offset = e.Offset
	}
	if offset < 0 || offset > int64(len(body)) {
		return err
	}
	before := string(body[:max(0, offset-1)])
	line := strings.Count(before, "\n") + 1
	column := len(before) - strings.LastIndexByte(before, '\n')
	return fmt.Errorf("Error parsing JSON at line %d, character %d: %w", line, column, err)
}

// httpMutate serves /mutate.
func (n *Node) httpMutate(w http.ResponseWriter, r *http.Request) {
	p := &params{r: r}
	commitNow, startTs, timeout := p.flag("commitNow"), p.number("startTs"), p.duration("timeout")
	opts := Options{Limits: p.options().Limits}
	body, done, err := n.body(r)
	defer done()
	if err := errors.Join(p.err, err); err != nil {
		sendError(w, codeInvalidRequest, err.Error(), false)
		return
	}
	var doc document
	switch mediaType(r) {
	case "application/json":
		doc, err = readJSONDocument(body)
	case "application/rdf":
		doc, err = readRDFDocument(string(body))
	default:
		sendError(w, codeInvalidRequest,
			"Unsupported Content-Type. Supported content types are application/json, application/rdf", false)
		return
	}
	if err != nil && !errors.Is(err, errEmpty) {
		sendError(w, codeInvalidRequest, err.Error(), false)
		return
	}
	if err != nil {
		sendError(w, codeInvalidRequest, err.Error(), true)
		return
	}
	req := doc.request()
	opts.document = doc
	req.StartTs, req.Hash, req.CommitNow = startTs, p.text("hash"), commitNow
	ctx, stop := n.carriedOut(r)
	defer stop()
	ctx, cancel := timed(ctx, timeout)
	defer cancel()
	resp, err := n.Do(ctx, req, opts)
	if err != nil {
		sendError(w, codeInvalidRequest, err.Error(), true)
		return
	}
	data, err := json.Marshal(struct {
		Code    string            `json:"code"`
		Message string            `json:"message"`
		Queries json.RawMessage   `json:"queries"`
		Uids    map[string]string `json:"uids"`
	}{"Success", "Done", resp.Json, resp.Uids})
	if err != nil {
		sendError(w, codeError, err.Error(), true)
		return
	}
	n.envelope(w, data, resp)
}
