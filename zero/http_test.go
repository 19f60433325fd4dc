package zero

import (
	"net/http/httptest"
	"strings"
	"testing"

	"dragg/cluster"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// Nodes are removed by requests from this machine only, with numbers that name one; who is gone stays in the state.
func TestRemoveNodeOverHTTP(t *testing.T) {
	s, stop := start(t, t.TempDir())
	defer stop()
	var z cluster.Zero = s
	for range 2 {
		if _, err := z.Connect(t.Context(), &pb.Join{Address: "a:1"}); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(from, query string) (int, string) {
		r := httptest.NewRequest("GET", "/removeNode?"+query, nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	for _, c := range []struct {
		from, query string
		code        int
		says        string
	}{
		{"192.0.2.1:99", "id=1&group=1", 403, "localhost"},
		{"nonsense", "id=1&group=1", 403, "localhost"},
		{"127.0.0.1:99", "id=x&group=1", 400, "must be numbers"},
		{"127.0.0.1:99", "id=1", 400, "must be numbers"},
		{"127.0.0.1:99", "id=1&group=0", 400, "no node 1"},
		{"127.0.0.1:99", "id=9&group=1", 400, "no node 9"},
		{"[::1]:99", "id=2&group=2", 200, "Removed node"},
		{"127.0.0.1:99", "id=2&group=2", 400, "no node 2"},
	} {
		if code, body := ask(c.from, c.query); code != c.code || !strings.Contains(body, c.says) {
			t.Errorf("from %s %s: %d %s", c.from, c.query, code, body)
		}
	}
	st, err := z.State(t.Context())
	if err != nil || len(st.Removed) != 1 || len(st.Members) != 1 {
		t.Errorf("%v %v", st, err)
	}
}

// What is refused for now can be told from what is wrong.
func TestRefusalsOfOldEndpoints(t *testing.T) {
	s := &Server{}
	for class, want := range map[fault.Class]int{
		fault.Invalid: 400, fault.NotFound: 400, fault.Conflict: 400, fault.Denied: 403, fault.Unavailable: 503, fault.Unknown: 504,
	} {
		w := httptest.NewRecorder()
		s.say(w, "", fault.New(class, "no"))
		if w.Code != want {
			t.Errorf("%v: status %d, want %d", class, w.Code, want)
		}
	}
}
