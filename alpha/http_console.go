package alpha

import (
	"encoding/json"
	"net/http"

	"dragg/dql"
)

// httpKeywords serves /ui/keywords: the words that the editor of a console in the browser completes.
func (n *Node) httpKeywords(w http.ResponseWriter, _ *http.Request) {
	type keyword struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}
	var list []keyword
	for _, word := range dql.Words() {
		list = append(list, keyword{Name: word})
	}
	b, err := json.Marshal(map[string]any{"keywords": list})
	if err != nil {
		sendError(w, codeError, err.Error(), false)
		return
	}
	n.send(w, b)
}

// httpLogin serves /login, where a console finds out that there is no access control. The error is the one over gRPC.
func httpLogin(w http.ResponseWriter, _ *http.Request) {
	sendError(w, codeError, notEnabled("access control").Error(), false)
}
