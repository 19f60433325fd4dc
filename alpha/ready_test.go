package alpha

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"

	"dragg/cluster/rpc"
	"dragg/zero"
)

// A node that is not ready says why; that it lives it says all the time.
func TestReadiness(t *testing.T) {
	w := newWeb(t, Config{})
	if out := w.send("GET", "/ready", ""); out.Code != 200 || strings.TrimSpace(out.Body.String()) != `{"ready":true}` {
		t.Errorf("%d %s", out.Code, out.Body)
	}
	reasons := func() []string {
		t.Helper()
		out := w.send("GET", "/ready", "")
		var a struct {
			Ready   bool
			Reasons []string
		}
		if err := json.Unmarshal(out.Body.Bytes(), &a); err != nil || a.Ready || out.Code != 503 {
			t.Errorf("%d %s %v", out.Code, out.Body, err)
		}
		return a.Reasons
	}
	w.n.ready.Store(false)
	if got := reasons(); len(got) != 1 || !strings.Contains(got[0], "catching up") {
		t.Errorf("%q", got)
	}
	for path, code := range map[string]int{"/health": 503, "/health?live": 200, "/health?all": 200} {
		if out := w.send("GET", path, ""); out.Code != code || !strings.Contains(out.Body.String(), `"status":"not ready"`) {
			t.Errorf("%s: %d %s", path, out.Code, out.Body)
		}
	}
	w.n.ready.Store(true)
	w.n.kill()
	if got := reasons(); len(got) == 0 || !strings.Contains(strings.Join(got, "\n"), "catching up") {
		t.Errorf("a node that has stopped: %q", got)
	}
}

// A disk without room for writes makes a node unready, although it goes on answering reads.
func TestFullDiskIsNotReady(t *testing.T) {
	w := newWeb(t, Config{})
	w.n.cfg.DiskReserveBytes = 1 << 60
	out := w.send("GET", "/ready", "")
	if out.Code != 503 || !strings.Contains(out.Body.String(), "disk of this server is full") {
		t.Errorf("%d %s", out.Code, out.Body)
	}
	if out := w.send("GET", "/health", ""); out.Code != 200 {
		t.Errorf("health: %d %s", out.Code, out.Body)
	}
}

// /health?all asks every node: the Zero of the same process, or, over the network, whoever does not answer.
func TestHealthOfAll(t *testing.T) {
	for pooled, want := range map[bool]string{false: "healthy", true: "unhealthy"} {
		cfg := Config{My: "here:7080"}
		if pooled {
			cfg.Pool = rpc.NewPool(rpc.Config{Dial: func(context.Context, string) (net.Conn, error) { return nil, errors.New("nobody there") }})
			defer func() {
				if err := cfg.Pool.Close(); err != nil {
					t.Error(err)
				}
			}()
		}
		n := plan{disk: true, cfg: cfg, zeroCfg: zero.Config{My: "there:5080"}}.start(t)
		wait(t, "the stream to name the Zero", func() bool { return len(n.shard.Members()) > 1 })
		var nodes []struct{ Instance, Address, Status, Group string }
		unmarshal(t, (&web{n: n, h: n.Handler()}).send("GET", "/health?all", "").Body.Bytes(), &nodes)
		if len(nodes) != 2 || nodes[0].Instance != "alpha" || nodes[0].Status != "healthy" ||
			nodes[1].Instance != "zero" || nodes[1].Address != "there:5080" || nodes[1].Status != want {
			t.Errorf("pooled %v: %+v", pooled, nodes)
		}
	}
}
