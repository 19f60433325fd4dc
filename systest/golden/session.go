package golden

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/dgraph-io/dgo/v250"
	"github.com/dgraph-io/dgo/v250/protos/api"
)

// Session runs the cases of one file: it holds the transactions that they open.
type Session struct {
	Dgraph *dgo.Dgraph
	HTTP   string // URL of the server
	txns   map[string]*dgo.Txn
}

// caseTimeout bounds one request.
const caseTimeout = 60 * time.Second

// Run carries out one case and returns the answer as Match takes it.
func (s *Session) Run(ctx context.Context, c Case) string {
	ctx, cancel := context.WithTimeout(ctx, caseTimeout)
	defer cancel()
	f := strings.Fields(c.Command)
	switch f[0] {
	case "schema":
		return ok(s.Dgraph.Alter(ctx, &api.Operation{Schema: c.Body}))
	case "alter":
		return ok(s.Dgraph.Alter(ctx, operation(f)))
	case "set", "del", "setjson", "deljson":
		_, err := s.Dgraph.NewTxn().Mutate(ctx, mutation(f[0], c.Body, true))
		return ok(err)
	case "query", "rdf":
		return s.query(ctx, f, c.Body)
	case "upsert":
		r, err := s.Dgraph.RunDQL(ctx, c.Body)
		if err != nil || len(r.Json) == 0 {
			return ok(err)
		}
		return string(r.Json)
	case "begin":
		if s.txns == nil {
			s.txns = map[string]*dgo.Txn{}
		}
		s.txns[f[1]] = s.Dgraph.NewTxn()
		return "ok"
	case "in":
		return s.inside(ctx, f, c.Body)
	case "http":
		return s.http(ctx, f, c.Body)
	}
	return "error: unknown command " + f[0]
}

func ok(err error) string {
	if err != nil {
		return "error: " + strings.ReplaceAll(err.Error(), "\n", " ")
	}
	return "ok"
}

func operation(f []string) *api.Operation {
	switch f[1] {
	case "drop_attr":
		return &api.Operation{DropOp: api.Operation_ATTR, DropValue: f[2]}
	case "drop_type":
		return &api.Operation{DropOp: api.Operation_TYPE, DropValue: f[2]}
	case "drop_data":
		return &api.Operation{DropOp: api.Operation_DATA}
	}
	return &api.Operation{DropAll: true}
}

func mutation(kind, body string, now bool) *api.Mutation {
	m := &api.Mutation{CommitNow: now}
	switch kind {
	case "set":
		m.SetNquads = []byte(body)
	case "del":
		m.DelNquads = []byte(body)
	case "setjson":
		m.SetJson = []byte(body)
	case "deljson":
		m.DeleteJson = []byte(body)
	}
	return m
}

func (s *Session) query(ctx context.Context, f []string, body string) string {
	vars := map[string]string{}
	for _, kv := range f[1:] {
		k, v, _ := strings.Cut(kv, "=")
		vars[k] = v
	}
	req := &api.Request{Query: body, Vars: vars, ReadOnly: true}
	if f[0] == "rdf" {
		req.RespFormat = api.Request_RDF
	}
	r, err := s.Dgraph.NewReadOnlyTxn().Do(ctx, req)
	if err != nil {
		return ok(err)
	}
	if f[0] == "rdf" {
		lines := strings.Split(strings.TrimSpace(string(r.Rdf)), "\n")
		sort.Strings(lines)
		return strings.Join(lines, "\n")
	}
	return string(r.Json)
}

func (s *Session) inside(ctx context.Context, f []string, body string) string {
	t := s.txns[f[1]]
	if t == nil {
		return "error: no transaction " + f[1]
	}
	var err error
	switch f[2] {
	case "query":
		r, err := t.Query(ctx, body)
		if err != nil {
			return ok(err)
		}
		return string(r.Json)
	case "discard":
		return ok(t.Discard(ctx))
	case "commit":
		err = t.Commit(ctx)
	default:
		_, err = t.Mutate(ctx, mutation(f[2], body, false))
	}
	if errors.Is(err, dgo.ErrAborted) {
		return "aborted"
	}
	return ok(err)
}

func (s *Session) http(ctx context.Context, f []string, body string) string {
	req, err := http.NewRequestWithContext(ctx, f[1], s.HTTP+f[2], strings.NewReader(body))
	if err != nil {
		return ok(err)
	}
	if len(f) > 3 {
		req.Header.Set("Content-Type", f[3])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return ok(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return ok(err)
	}
	var v any
	if json.Unmarshal(b, &v) != nil {
		return string(b)
	}
	if m, isObject := v.(map[string]any); isObject {
		for _, k := range []string{"extensions", "server_latency", "txn"} {
			delete(m, k)
		}
	}
	b, err = json.Marshal(v)
	if err != nil {
		return fmt.Sprint("error: ", err)
	}
	return string(b)
}
