package zero

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// get asks a Zero over HTTP.
func get(s *Server, path string) (int, string) {
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code, w.Body.String()
}

// await returns when holds does.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for", what)
		}
	}
}

// Goal: a Zero is ready when it has caught up and somebody leads, follower or not, and says why when it is not; that it lives it
// says all the time. Method: three Zeros of which two go away, and a reserve that no disk has.
func TestReadiness(t *testing.T) {
	w := newWorld(t, 3)
	all := w.startAll()
	leader := leaderOf(t, all)
	var left *running
	for id, r := range all {
		await(t, "every Zero to be ready", func() bool { code, _ := get(r.Server, "/ready"); return code == 200 })
		if code, body := get(r.Server, "/health"); code != 200 || body != "OK\n" {
			t.Errorf("health of a Zero that is ready: %d %s", code, body)
		}
		if id != leader {
			left = r
		}
	}
	reserve := left.cfg.DiskReserveBytes
	left.cfg.DiskReserveBytes = 1 << 60
	if code, body := get(left.Server, "/ready"); code != 503 || !strings.Contains(body, "less than its reserve") {
		t.Errorf("with a full disk: %d %s", code, body)
	}
	left.cfg.DiskReserveBytes = reserve
	for _, r := range all {
		if r != left {
			r.kill()
		}
	}
	await(t, "a Zero that is left alone to say so", func() bool { code, _ := get(left.Server, "/ready"); return code == 503 })
	_, body := get(left.Server, "/ready")
	var answer struct {
		Ready   bool
		Reasons []string
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Ready || len(answer.Reasons) != 1 ||
		!strings.Contains(answer.Reasons[0], "no Zero leads") {
		t.Errorf("%s %v", body, err)
	}
	if code, _ := get(left.Server, "/health"); code != 503 {
		t.Errorf("health of a Zero without a leader: %d", code)
	}
	if code, _ := get(left.Server, "/health?live"); code != 200 {
		t.Errorf("a Zero that lives says %d", code)
	}
}
