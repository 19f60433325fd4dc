package alpha

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/dgraph-io/dgo/v250/protos/api"
)

// shared is a buffer that several goroutines write to.
type shared struct {
	mu  sync.Mutex
	out bytes.Buffer // guarded by mu
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// Schema changes and drops are logged with who asked for them and what came of it, in lines that say node, group and term.
func TestAltersAreLogged(t *testing.T) {
	var log shared
	w := newWeb(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	w.send("POST", "/alter", `{"drop_attr": "knows"}`, asJSON)
	w.send("POST", "/alter", "name: nothing .", asDQL)
	if _, err := (&service{n: w.n.Node}).Alter(context.Background(), &api.Operation{DropOp: api.Operation_DATA}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`level=INFO msg="an administrative request was carried out" node=alpha id=1 group=1 from=192.0.2.1:1234 what="drop a predicate" name=knows outcome=done term=`,
		`level=WARN msg="an administrative request failed" node=alpha id=1 group=1 from=192.0.2.1:1234 what="change the schema" name="\"name: nothing .\"" outcome=invalid`,
		`what="drop the data" name="" outcome=done`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no line with %s in\n%s", want, log.String())
		}
	}
}
