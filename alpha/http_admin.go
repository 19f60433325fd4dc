package alpha

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/protobuf/encoding/protojson"

	"dragg/internal/fault"
)

// httpCommit serves /commit.
func (n *Node) httpCommit(w http.ResponseWriter, r *http.Request) {
	p := &params{r: r}
	t := &api.TxnContext{StartTs: p.number("startTs"), Aborted: p.flag("abort"), Hash: p.text("hash")}
	if p.err == nil && t.StartTs == 0 {
		p.err = errors.New("startTs parameter is mandatory while trying to commit")
	}
	body, done, err := n.body(r)
	defer done()
	if err := errors.Join(p.err, err); err != nil {
		sendError(w, codeInvalidRequest, err.Error(), false)
		return
	}
	if err := readCommit(body, t); err != nil {
		sendError(w, codeInvalidRequest, err.Error(), false)
		return
	}
	out, err := n.CommitOrAbort(r.Context(), t)
	if err != nil {
		code := codeError
		if c := fault.ClassOf(err); c == fault.Invalid {
			code = codeInvalidRequest
		}
		sendError(w, code, err.Error(), true)
		return
	}
	n.envelope(w, []byte(`{"code":"Success","message":"Done"}`), &api.Response{Txn: out})
}

// readCommit reads the body of /commit: a list of keys, or {"keys":…, "preds":…}.
func readCommit(body []byte, t *api.TxnContext) error {
	text := strings.TrimSpace(string(body))
	switch {
	case text == "":
		return nil
	case text[0] == '[':
		return json.Unmarshal(body, &t.Keys)
	}
	var in struct{ Keys, Preds []string }
	if err := json.Unmarshal(body, &in); err != nil {
		return jsonError(body, err)
	}
	t.Keys, t.Preds = in.Keys, in.Preds
	return nil
}

// httpAlter serves /alter: schema text, or an Operation as JSON.
func (n *Node) httpAlter(w http.ResponseWriter, r *http.Request) {
	p := &params{r: r}
	background := p.flag("runInBackground")
	body, done, err := n.body(r)
	defer done()
	if err := errors.Join(p.err, err); err != nil {
		sendError(w, codeInvalidRequest, err.Error(), false)
		return
	}
	op, err := operationOf(body)
	if err != nil {
		sendError(w, codeError, err.Error(), false)
		return
	}
	op.RunInBackground = op.RunInBackground || background
	ctx, stop := n.carriedOut(r)
	defer stop()
	if err := n.alterFor(ctx, r.RemoteAddr, op); err != nil {
		sendError(w, codeError, err.Error(), false)
		return
	}
	n.send(w, []byte(`{"data":{"code":"Success","message":"Done"}}`))
}

// operationOf reads an Operation; what is no JSON object is schema text.
func operationOf(body []byte) (*api.Operation, error) {
	op := &api.Operation{}
	if !strings.HasPrefix(strings.TrimSpace(string(body)), "{") {
		op.Schema = string(body)
		return op, nil
	}
	if err := protojson.Unmarshal(body, op); err != nil {
		return nil, fmt.Errorf("the operation cannot be read: %w", err)
	}
	return op, nil
}
