package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Readiness is the answer of /ready. The zero Readiness says yes.
type Readiness struct {
	reasons []string // why not
}

// Because adds why a node is not ready.
func (r *Readiness) Because(format string, args ...any) {
	r.reasons = append(r.reasons, fmt.Sprintf(format, args...))
}

// Ready reports whether nothing speaks against it.
func (r *Readiness) Ready() bool { return len(r.reasons) == 0 }

// ReadyHandler serves /ready: status 200 where the node is ready, else 503 with the reasons.
func ReadyHandler(ask func() Readiness) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		r := ask()
		status := http.StatusOK
		if !r.Ready() {
			status = http.StatusServiceUnavailable
		}
		answer(w, status, struct {
			Ready   bool     `json:"ready"`
			Reasons []string `json:"reasons,omitempty"`
		}{r.Ready(), r.reasons})
	}
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(append(b, '\n')); err != nil {
		return // the caller went away
	}
}
