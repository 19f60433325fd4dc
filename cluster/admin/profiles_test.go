package admin

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Profiles are served to the machine itself, and to nobody else.
func TestProfiles(t *testing.T) {
	mux := http.NewServeMux()
	Profiles(mux)
	for from, want := range map[string]int{"127.0.0.1:4000": http.StatusOK, "[::1]:4000": http.StatusOK, "10.0.0.7:4000": http.StatusForbidden} {
		r := httptest.NewRequest(http.MethodGet, "/debug/pprof/heap?debug=1", nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		body, err := io.ReadAll(w.Body)
		if err != nil || w.Code != want || (want == http.StatusOK) != strings.Contains(string(body), "heap profile") {
			t.Errorf("from %s: status %d, want %d: %.80s %v", from, w.Code, want, body, err)
		}
	}
}
