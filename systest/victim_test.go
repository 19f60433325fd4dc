//go:build systest

package systest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxHostileMemory is how much memory of its own the server may take, with a limit of 1 GiB: what is mapped from files and the
// slack of the collector aside.
const maxHostileMemory = 1200 << 20

// maxHostileTime is how long one hostile request may take.
const maxHostileTime = 20 * time.Second

// victim is a server under attack.
type victim struct {
	*Dragg
	t   *testing.T
	c   *Client
	pid int
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	bin, err := Binary(1)
	if err != nil {
		t.Fatal(err)
	}
	d := &Dragg{Bin: bin, Data: filepath.Join(t.TempDir(), "data"), Args: []string{"--memory-limit", "1GiB", "--log-level", "warn"}}
	startThis(t, d)
	v := &victim{Dragg: d, t: t, c: connect(t, d), pid: d.PID()}
	v.seed()
	return v
}

// seed makes what unharmed looks for.
func (v *victim) seed() {
	v.t.Helper()
	ctx := context.Background()
	err := v.c.Alter(ctx, &api.Operation{Schema: "name: string @index(exact, term, trigram) @lang .\nage: int @index(int) .\n" +
		"friend: [uid] @reverse @count .\nborn: datetime .\nloc: geo .\nok: bool .\nscore: float .\nsecret: password ."})
	if err == nil {
		_, err = v.c.NewTxn().Mutate(ctx, &api.Mutation{SetNquads: []byte(`_:a <name> "alive" .`), CommitNow: true})
	}
	if err != nil {
		v.t.Fatal(err)
	}
}

// unharmed checks that the server lives, answers over both doors, has not been restarted, and has not grown.
func (v *victim) unharmed(after string) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), maxHostileTime)
	defer cancel()
	resp, err := v.c.NewReadOnlyTxn().Query(ctx, `{ q(func: eq(name, "alive")) { name } }`)
	if err != nil || string(resp.Json) != `{"q":[{"name":"alive"}]}` {
		v.t.Fatalf("after %s: %s %v\n%s", after, resp.GetJson(), err, v.Log())
	}
	if !v.Healthy(ctx) {
		v.t.Fatalf("after %s: /health does not answer", after)
	}
	if n := v.memory(); n > maxHostileMemory {
		v.t.Errorf("after %s: the server holds %d MiB", after, n>>20)
	}
	if strings.Contains(v.Log(), "panic") {
		v.t.Fatalf("after %s the log says:\n%s", after, v.Log())
	}
}

// memory returns the process's anonymous memory in bytes.
func (v *victim) memory() int64 {
	v.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.pid))
	if err != nil {
		v.t.Fatalf("the server is gone: %v\n%s", err, v.Log())
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				v.t.Fatal(err)
			}
			return n << 10
		}
	}
	v.t.Fatal("no RssAnon")
	return 0
}

// refused checks an error: it must have a text, and blame the request, not the server. ok says that an answer will do as well.
func (v *victim) refused(what string, err error, ok bool) {
	v.t.Helper()
	switch s, _ := status.FromError(err); {
	case err == nil && !ok:
		v.t.Errorf("%s was accepted", what)
	case err != nil && strings.TrimSpace(s.Message()) == "":
		v.t.Errorf("%s: an error without a text: %v", what, err)
	case err != nil && s.Code() != codes.InvalidArgument && s.Code() != codes.ResourceExhausted:
		v.t.Errorf("%s: %v", what, short(err.Error()))
	case err != nil && len(err.Error()) > 64<<10:
		v.t.Errorf("%s: the error has %d bytes", what, len(err.Error()))
	}
}

func short(s string) string { return s[:min(len(s), 300)] }

// post sends a body over HTTP and returns the answer's error texts; none if it was accepted.
func (v *victim) post(path, contentType string, body io.Reader, header ...string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.HTTP()+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	var out struct{ Errors []struct{ Message string } }
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, fmt.Errorf("%s: the answer is no JSON: %q", resp.Status, short(string(b)))
	}
	var texts []string
	for _, e := range out.Errors {
		texts = append(texts, e.Message)
	}
	return texts, nil
}

// refusedHTTP is refused for what post returned.
func (v *victim) refusedHTTP(what string, texts []string, err error, ok bool) {
	v.t.Helper()
	if err != nil {
		v.t.Errorf("%s over HTTP: %v", what, err)
	}
	if len(texts) == 0 && err == nil && !ok {
		v.t.Errorf("%s over HTTP was accepted", what)
	}
	for _, text := range texts {
		if strings.TrimSpace(text) == "" || len(text) > 64<<10 {
			v.t.Errorf("%s over HTTP: an error of %d bytes", what, len(text))
		}
	}
}
