package alpha

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/dql"
)

// document is the text that a request with mutations was read from. It is asked where things stand once something is wrong.
type document interface {
	// queryOrigin returns where the query stands.
	queryOrigin() dql.Origin
	// mutationOrigins returns where the parts of a mutation stand.
	mutationOrigins(mutation int) origins
	// request returns the request that the document stands for.
	request() *api.Request
}

// origins say where the parts of a mutation stand.
type origins struct{ cond, set, del dql.Origin }

// rdfDocument is one with N-Quads.
type rdfDocument struct{ *dql.Request }

func (d rdfDocument) queryOrigin() dql.Origin { return d.QueryFrom }

func (d rdfDocument) mutationOrigins(mutation int) origins {
	m := d.Mutations[mutation]
	return origins{m.CondFrom, m.SetFrom, m.DelFrom}
}

func (d rdfDocument) request() *api.Request {
	req := &api.Request{Query: d.Query}
	for _, m := range d.Mutations {
		req.Mutations = append(req.Mutations, &api.Mutation{Cond: m.Cond, SetNquads: m.Set, DelNquads: m.Del})
	}
	return req
}

// readRDFDocument reads { set {…} delete {…} } or an upsert document.
func readRDFDocument(text string) (rdfDocument, error) {
	if strings.TrimSpace(text) == "" {
		return rdfDocument{}, errEmpty
	}
	doc, err := dql.ParseMutationDoc(text)
	return rdfDocument{doc}, err
}

// jsonDocument is {"query":…, "set":…, "delete":…, "cond":…, "mutations":[…]}.
type jsonDocument struct {
	text []byte
	jsonMutation
	Query     string         `json:"query"`
	Mutations []jsonMutation `json:"mutations"`
}

// jsonMutation is one mutation of a JSON document.
type jsonMutation struct {
	Set    json.RawMessage `json:"set"`
	Delete json.RawMessage `json:"delete"`
	Cond   string          `json:"cond"`
}

func (m jsonMutation) toAPI() *api.Mutation {
	return &api.Mutation{SetJson: present(m.Set), DeleteJson: present(m.Delete), Cond: m.Cond}
}

func present(raw json.RawMessage) []byte {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// errBareList is about a body as loaders take it.
var errBareList = errors.New(`the body of a mutation is an object, and is a list: write {"set": […]} or {"delete": […]}`)

// readJSONDocument reads a document that must hold a mutation.
func readJSONDocument(text []byte) (*jsonDocument, error) {
	switch trimmed := bytes.TrimSpace(text); {
	case len(trimmed) == 0:
		return nil, errEmpty
	case trimmed[0] == '[':
		return nil, errBareList
	}
	d := &jsonDocument{text: text}
	if err := json.Unmarshal(text, d); err != nil {
		return nil, jsonError(text, err)
	}
	if !d.plain() && len(d.Mutations) == 0 {
		return nil, errEmpty
	}
	return d, nil
}

// plain reports whether the document is itself a mutation.
func (d *jsonDocument) plain() bool { return len(d.Set)+len(d.Delete) > 0 }

// request makes what stands outside of the mutations the first of them.
func (d *jsonDocument) request() *api.Request {
	req := &api.Request{Query: d.Query}
	if d.plain() {
		req.Mutations = append(req.Mutations, d.toAPI())
	}
	for _, m := range d.Mutations {
		req.Mutations = append(req.Mutations, m.toAPI())
	}
	return req
}

func (d *jsonDocument) queryOrigin() dql.Origin { return d.stringOrigin(d.membersAt(0)["query"]) }

func (d *jsonDocument) mutationOrigins(mutation int) origins {
	top := d.membersAt(0)
	if !d.plain() {
		return d.originsOf(d.membersAt(d.elementAt(top["mutations"], mutation)))
	}
	if mutation > 0 {
		return d.originsOf(d.membersAt(d.elementAt(top["mutations"], mutation-1)))
	}
	return d.originsOf(top)
}

// originsOf returns the origins of a mutation whose members stand at these bytes.
func (d *jsonDocument) originsOf(at map[string]int) (o origins) {
	o.cond = d.stringOrigin(at["cond"])
	if at["set"] > 0 {
		o.set = dql.OriginAt(string(d.text), at["set"])
	}
	if at["delete"] > 0 {
		o.del = dql.OriginAt(string(d.text), at["delete"])
	}
	return o
}

func (d *jsonDocument) stringOrigin(at int) (o dql.Origin) {
	if at > 0 && d.text[at] == '"' {
		o = dql.OriginOfString(string(d.text), at)
	}
	return o
}

// membersAt returns where the values of an object begin, by key in lower case; the object begins at or after a byte.
func (d *jsonDocument) membersAt(at int) map[string]int {
	begins := map[string]int{}
	r := json.NewDecoder(bytes.NewReader(d.text[at:]))
	_, err := r.Token()
	for err == nil && r.More() {
		var key json.Token
		if key, err = r.Token(); err == nil {
			begins[strings.ToLower(fmt.Sprint(key))] = d.valueAfter(at + int(r.InputOffset()))
			err = r.Decode(new(json.RawMessage))
		}
	}
	return begins
}

// elementAt returns where an element of the list begins that begins at a byte.
func (d *jsonDocument) elementAt(at, element int) int {
	r := json.NewDecoder(bytes.NewReader(d.text[at:]))
	_, err := r.Token()
	for i := 0; i < element && err == nil && r.More(); i++ {
		err = r.Decode(new(json.RawMessage))
	}
	return d.valueAfter(at + int(r.InputOffset()))
}

// valueAfter returns where the next value begins.
func (d *jsonDocument) valueAfter(at int) int {
	for at < len(d.text) && strings.IndexByte(" \t\r\n,:", d.text[at]) >= 0 {
		at++
	}
	return at
}
