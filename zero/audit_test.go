package zero

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"dragg/protos/pb"
)

// lines collects what is logged.
type lines struct {
	mu  sync.Mutex
	out bytes.Buffer // guarded by mu
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

// with returns the lines that hold text.
func (l *lines) with(text string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.out.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// Every line says which Zero it is from; those of a term which one; and who changes something over HTTP is named, with what came of it.
func TestLogSaysWhoAndWhat(t *testing.T) {
	var log lines
	s, err := Open(context.Background(), Config{Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-s.Ready()
	for range 2 {
		if _, err := s.Connect(t.Context(), &pb.Join{Address: "a:1"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ from, url, want string }{
		{"127.0.0.1:9", "/removeNode?id=2&group=2", `level=INFO msg="an administrative request was carried out" ` +
			`node=zero id=1 group=0 from=127.0.0.1:9 what="remove node" removed=2 removed_from=2 outcome=done term=`},
		{"192.0.2.1:9", "/removeNode?id=1&group=1", `level=WARN msg="an administrative request failed" ` +
			`node=zero id=1 group=0 from=192.0.2.1:9 what="remove node" removed=1 removed_from=1 outcome=denied err=`},
		{"192.0.2.1:9", "/moveTablet?tablet=name&group=1", `from=192.0.2.1:9 what="move tablet" predicate=name to=1 outcome=denied`},
		{"127.0.0.1:9", "/moveTablet?tablet=name&group=x", `from=127.0.0.1:9 what="move tablet" predicate=name to=x outcome=invalid`},
		{"192.0.2.1:9", "/assign?what=uids&num=5", `from=192.0.2.1:9 what=assign kind=uids num=5 outcome=done`},
		{"192.0.2.1:9", "/assign?what=nothing&num=5", `from=192.0.2.1:9 what=assign kind=nothing num=5 outcome=invalid`},
	} {
		r := httptest.NewRequest("GET", c.url, nil)
		r.RemoteAddr = c.from
		s.Handler().ServeHTTP(httptest.NewRecorder(), r)
		if len(log.with(c.want)) != 1 {
			t.Errorf("%s: no line %s in\n%s", c.url, c.want, strings.Join(log.with(""), ""))
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for _, line := range log.with("") {
		if !strings.Contains(line, "node=zero id=1 group=0") {
			t.Error(line)
		}
	}
}
