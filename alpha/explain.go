package alpha

import (
	"encoding/json"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/query"
)

// The words under which a plan is asked for and found in Response.Hdrs, where clients that do not ask have nothing.
const (
	explainWord = "explain"
	profileWord = "profile"
)

// show adds a plan to the response. Where nothing ran, the data is empty.
func (r *request) show(word string, steps []*query.Step) error {
	text, err := json.Marshal(steps)
	if err != nil {
		return err
	}
	r.resp.Hdrs = map[string]*api.ListOfString{word: {Value: []string{string(text)}}}
	if word == explainWord {
		r.resp.Json = []byte("{}")
	}
	return nil
}

// shown returns what show added.
func shown(r *api.Response, word string) json.RawMessage {
	if list := r.Hdrs[word].GetValue(); len(list) > 0 {
		return json.RawMessage(list[0])
	}
	return nil
}
